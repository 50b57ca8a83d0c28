//! `cluster takeover` and `cluster force`: a node writes from now on that may lack what was
//! answered.
//!
//! Owns that it is known what may be lost, and accepted, and that nobody who has more is there to
//! write instead. The loss stands in the register; the node tells it in its journal when it begins.
//! Next: `nodes`, `arbiter`.

use super::arbiter::{Cluster, Facts, Refused, block_on, list, operation};
use super::asking::{Asking, End};
use super::nodes::{self, KnownNode};
use crate::inspect::{Findings, Trouble};
use doorbuster::cluster::arbiter::Versioned;
use doorbuster::cluster::node::Name;
use doorbuster::cluster::register::{Epoch, Forced, Register};
use doorbuster::config::ReplicationMode;
use std::path::Path;

/// In async mode: the writer is gone for now, and this copy goes on with what it has.
pub(crate) fn takeover(
    data: &Path,
    config: Option<&Path>,
    to: Option<&Name>,
    yes: bool,
    asking: &Asking,
) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    if cluster.config.replication.mode != ReplicationMode::Async {
        let told = "replication.mode is not async: a copy that is in sync takes over by itself, \
                    and nothing is lost. Where all of those are gone, `doorbusterctl cluster force \
                    NODE` makes a copy the writer that is behind";
        return Err(Trouble::NotThere(told.to_owned()));
    }
    let to = to.map_or_else(|| cluster.own(), Ok)?.clone();
    block_on(async {
        let case = Case::of(&cluster, &to, asking, data).await?;
        let writer = &case.held.register.writer;
        case.is_gone(writer)?;
        if !yes {
            return Err(Trouble::NotThere(format!(
                "nothing was changed. {}. Make sure that {writer} does not run and does not come \
                 back by itself before: when it joins again, what it has beyond is set aside, and \
                 not lost to a reader. To go on with {to}: the same command with --yes",
                case.loss()
            )));
        }
        case.make().await
    })
}

/// Every disk that holds what was answered is gone; this copy, which is behind, is all there is.
pub(crate) fn force(
    data: &Path,
    config: Option<&Path>,
    node: &Name,
    accepted: Option<End>,
    asking: &Asking,
) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    block_on(async {
        let case = Case::of(&cluster, node, asking, data).await?;
        let in_sync = &case.held.register.in_sync;
        for other in in_sync.iter().filter(|other| *other != node) {
            case.is_gone(other)?;
        }
        if in_sync.contains(node) {
            return Err(Trouble::NotThere(format!(
                "{node} is in sync by the register: start it, and it writes by itself as soon as \
                 the writer is silent; nothing is lost by that"
            )));
        }
        let lost_from = case.end.lost_from();
        match accepted {
            Some(accepted) if accepted == lost_from => case.make().await,
            Some(accepted) => Err(Trouble::NotThere(format!(
                "nothing was changed: it is not {accepted} from where on it is lost. {}. To accept \
                 that: --accept-loss-from {lost_from}",
                case.loss()
            ))),
            None => Err(Trouble::NotThere(format!(
                "nothing was changed. {}. In sync are {}: if one of their disks can be saved, \
                 start that node instead. To accept the loss: --accept-loss-from {lost_from}",
                case.loss(),
                list(in_sync),
            ))),
        }
    })
}

/// What a change by force rests on.
struct Case<'c> {
    cluster: &'c Cluster,
    held: Versioned,
    node: Name,
    asked: Vec<KnownNode>,
    /// What the node holds.
    end: End,
}

impl<'c> Case<'c> {
    async fn of(
        cluster: &'c Cluster,
        node: &Name,
        asking: &Asking,
        data: &Path,
    ) -> Result<Self, Trouble> {
        cluster.named(node)?;
        let held = cluster.register().await?;
        let asked = nodes::ask_all(cluster, Some(&held.register), asking, data).await?;
        let own = asked.iter().find(|asked| asked.node == *node);
        if own.is_some_and(KnownNode::writes) {
            return Err(Trouble::NotThere(format!("{node} writes already")));
        }
        let end = own.and_then(KnownNode::end).ok_or_else(|| {
            let why = own.map(KnownNode::why).unwrap_or_default();
            Trouble::NotThere(format!(
                "what {node} holds is not known: {why}. Or ask on its machine, with cluster.node = \
                 {node} and --data"
            ))
        })?;
        Ok(Self { cluster, held, node: node.clone(), asked, end })
    }

    /// Refuses where a node is there that has more, or might.
    fn is_gone(&self, node: &Name) -> Result<(), Trouble> {
        let there = self.asked.iter().find(|asked| asked.node == *node);
        let is_there = |asked: &&KnownNode| asked.runs() || asked.on_disk.is_some();
        let Some(there) = there.filter(is_there) else { return Ok(()) };
        if there.writes() {
            return Err(Trouble::NotThere(format!(
                "{node} is there and writes: `doorbusterctl cluster handover --to {}` loses \
                 nothing",
                self.node
            )));
        }
        Err(Trouble::NotThere(format!(
            "{node} is there and in sync, so nothing needs to be lost: let it run, and it takes \
             over by itself. If its disk is not to be used all the same, stop it first",
        )))
    }

    fn loss(&self) -> String {
        let (node, end, lost_from) = (&self.node, self.end, self.end.lost_from());
        format!(
            "{node} holds everything up to {end}. What was answered from {lost_from} on is lost \
             with that: orders, payments and stock changes of which clients were told"
        )
    }

    /// The node writes, in an epoch above every one that is known, and the loss is told.
    async fn make(&self) -> Result<Findings, Trouble> {
        let register = forced(&self.held.register, &self.node, self.end, &self.asked)?;
        let expected = Some(self.held.version);
        let made = self.cluster.change(expected, &register).await.map_err(Refused::moved_on)?;
        let mut facts: Facts = self.cluster.facts(&made);
        facts.push(("next", next(&self.node).into()));
        Ok(Findings::good(facts, None))
    }
}

fn next(node: &Name) -> String {
    format!(
        "{node} begins to write after cluster.silence_ms; start it if it does not run. The others \
         join it and set aside what they have beyond"
    )
}

/// The same register with a node as its writer that holds no more than this.
pub(super) fn forced(
    before: &Register,
    node: &Name,
    end: End,
    asked: &[KnownNode],
) -> Result<Register, Trouble> {
    let epoch = above(before.epoch, asked)?;
    let lost_from = end.lost_from().sequence;
    Ok(Register {
        epoch,
        writer: node.clone(),
        in_sync: vec![node.clone()],
        operation: operation()?,
        forced: Some(Forced { node: node.clone(), epoch, lost_from }),
        ..before.clone()
    })
}

/// An epoch above this one and all that nodes know.
pub(super) fn above(epoch: Epoch, asked: &[KnownNode]) -> Result<Epoch, Trouble> {
    let ends = asked.iter().filter_map(KnownNode::end).map(|end| end.epoch);
    let highest = ends.fold(epoch, Epoch::max);
    highest.checked_add(1).ok_or_else(|| Trouble::Damage("there is no epoch left".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorbuster::cluster::register::{ClusterId, OperationId};

    fn name(text: &str) -> Name {
        Name::parse(text).expect("it is a name")
    }

    #[test]
    fn a_forced_register_is_above_every_known_epoch() {
        let before = Register {
            cluster: ClusterId([7; 16]),
            journal: "00".to_owned(),
            epoch: 5,
            writer: name("n1"),
            in_sync: vec![name("n1"), name("n2")],
            operation: OperationId { process: 1, number: 1 },
            urls: [(name("n1"), "http://a:1".to_owned())].into(),
            forced: None,
        };
        let ahead = End { epoch: 9, sequence: 70 };
        let status = Err("gone".to_owned());
        let asked = [KnownNode { node: name("n2"), url: None, status, on_disk: Some(ahead) }];
        let end = End { epoch: 4, sequence: 60 };
        let Ok(after) = forced(&before, &name("n3"), end, &asked) else { panic!("it is made") };
        assert_eq!(
            (after.epoch, &after.writer, &after.in_sync),
            (10, &name("n3"), &vec![name("n3")])
        );
        assert_eq!((after.cluster, &after.urls), (before.cluster, &before.urls));
        assert_eq!(after.lost_from(&name("n3"), 4), Some(61));
        assert_ne!(after.operation, before.operation);
    }
}

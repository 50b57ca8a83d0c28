//! The register: the one value that says who writes, in which epoch, and which copies count.
//!
//! Owns what stands in it and which changes there are: a claim, and a change of who is in sync
//! (drop, add, swap); and what an operator did by force. Never asks whether a change may be made
//! now: that is `role`. How it is stored is `etcd`'s. Next: `role`, `arbiter`.

use super::node::{Name, Node, NodeSet, Nodes};
use crate::domain::model::ids::Sequence;
use std::collections::BTreeMap;
use std::fmt;

/// The number that one writing process writes under; granted by the register, and never twice.
pub type Epoch = u32;

/// A version of the register: grows with every change, from 1.
pub type Version = u64;

/// Which process made a change, and which of its changes that was: a change whose outcome is not
/// known is found again by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationId {
    /// What the process drew at its start.
    pub process: u64,
    /// Its changes, counted.
    pub number: u64,
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.process, self.number)
    }
}

impl OperationId {
    /// Takes what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if text.len() != 32 || !plain {
            return None;
        }
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Self { process: number(&text[..16])?, number: number(&text[16..])? })
    }
}

/// What of the register changes with roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Membership {
    /// Of the writer.
    pub epoch: Epoch,
    /// Who writes. Always in sync.
    pub writer: Node,
    /// Those that hold everything that was answered. Only one of them may claim.
    pub in_sync: NodeSet,
    /// The change that made it so.
    pub operation: OperationId,
}

impl Membership {
    /// A claim: the claimant writes, in an epoch above all before, and the old writer no longer
    /// counts. The other copies go on counting, since all of them hold what was answered.
    ///
    /// # Panics
    /// When the claimant is not in sync (rule 6) or the epoch is not above this one (rule 7).
    #[must_use]
    pub fn claimed(&self, claimant: Node, epoch: Epoch, operation: OperationId) -> Self {
        assert!(self.in_sync.has(claimant), "only a node that is in sync claims");
        assert!(epoch > self.epoch, "an epoch is granted once");
        let others = self.in_sync.without(NodeSet::of(self.writer));
        Self { epoch, writer: claimant, in_sync: others.with(NodeSet::of(claimant)), operation }
    }

    /// A change of who is in sync; the writer always is. Only copies go: a drop, only come: an add,
    /// both: a swap.
    #[must_use]
    pub fn changed(&self, drop: NodeSet, add: NodeSet, operation: OperationId) -> Self {
        let in_sync = self.in_sync.without(drop).with(add).with(NodeSet::of(self.writer));
        Self { in_sync, operation, ..*self }
    }
}

/// A membership, and the version at which the register holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// What a change must find.
    pub version: Version,
    /// What it holds.
    pub membership: Membership,
}

/// Sixteen random bytes that name a cluster for good.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClusterId(pub [u8; 16]);

impl ClusterId {
    /// Takes what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an operator did: a node was made the writer that may lack what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forced {
    /// The node.
    pub node: Name,
    /// The epoch that the change granted; the node writes in one above.
    pub epoch: Epoch,
    /// What was answered from here on is given up.
    pub lost_from: Sequence,
}

/// The whole value, by names, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Which cluster this is.
    pub cluster: ClusterId,
    /// Which journal all of its nodes hold, as the journal writes its id.
    pub journal: String,
    /// Of the writer.
    pub epoch: Epoch,
    /// Who writes.
    pub writer: Name,
    /// Those that hold everything that was answered.
    pub in_sync: Vec<Name>,
    /// The change that made it so.
    pub operation: OperationId,
    /// Where clients reach each node that has said so.
    pub urls: BTreeMap<Name, String>,
    /// The last change by force, if there ever was one.
    pub forced: Option<Forced>,
}

/// The register names a node that the settings do not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the register names the node {0}, and cluster.nodes does not")]
pub struct UnknownNode(pub Name);

impl Register {
    /// The part that roles change, by the numbers of this process.
    ///
    /// # Errors
    /// When a node is named that is not in the list.
    pub fn membership(&self, nodes: &Nodes) -> Result<Membership, UnknownNode> {
        let find = |name: &Name| nodes.find(name.as_str()).ok_or_else(|| UnknownNode(name.clone()));
        Ok(Membership {
            epoch: self.epoch,
            writer: find(&self.writer)?,
            in_sync: self.in_sync.iter().map(find).collect::<Result<_, _>>()?,
            operation: self.operation,
        })
    }

    /// From where on the `Started` of this node must say that records are lost, if its journal ends
    /// in `log_epoch`: it was made the writer by force, and has not written since. A journal that
    /// ends in an epoch above has said so, or is of another writer.
    #[must_use]
    pub fn lost_from(&self, own: &Name, log_epoch: Epoch) -> Option<Sequence> {
        let forced = self.forced.as_ref()?;
        (forced.node == *own && log_epoch < forced.epoch).then_some(forced.lost_from)
    }

    /// The same with another membership; all else stays. None where a number has no name
    /// in the list.
    #[must_use]
    pub fn with(&self, membership: &Membership, nodes: &Nodes) -> Option<Self> {
        let name = |node| nodes.name(node).cloned();
        Some(Self {
            epoch: membership.epoch,
            writer: name(membership.writer)?,
            in_sync: membership.in_sync.iter().map(name).collect::<Option<_>>()?,
            operation: membership.operation,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(place: usize) -> Node {
        Node::at(place).expect("it is a place")
    }

    fn set(places: &[usize]) -> NodeSet {
        places.iter().map(|place| node(*place)).collect()
    }

    const FIRST: OperationId = OperationId { process: 7, number: 1 };
    const NEXT: OperationId = OperationId { process: 7, number: 2 };

    fn held_by_the_first(in_sync: &[usize]) -> Membership {
        Membership { epoch: 3, writer: node(0), in_sync: set(in_sync), operation: FIRST }
    }

    #[test]
    fn a_claim_puts_the_old_writer_out_and_keeps_the_others() {
        let after = held_by_the_first(&[0, 1, 2]).claimed(node(1), 4, NEXT);
        assert_eq!((after.epoch, after.writer), (4, node(1)));
        assert_eq!((after.in_sync, after.operation), (set(&[1, 2]), NEXT));
    }

    #[test]
    fn a_claim_of_the_writer_itself_keeps_it_in_sync() {
        let after = held_by_the_first(&[0, 1]).claimed(node(0), 9, NEXT);
        assert_eq!((after.epoch, after.writer, after.in_sync), (9, node(0), set(&[0, 1])));
    }

    #[test]
    #[should_panic(expected = "in sync")]
    fn a_claim_from_outside_is_refused() {
        let _ = held_by_the_first(&[0, 1]).claimed(node(2), 4, NEXT);
    }

    #[test]
    #[should_panic(expected = "granted once")]
    fn a_claim_of_an_epoch_that_was_granted_is_refused() {
        let _ = held_by_the_first(&[0, 1]).claimed(node(1), 3, NEXT);
    }

    #[test]
    fn a_drop_an_add_and_a_swap_change_the_copies_only() {
        let before = held_by_the_first(&[0, 1]);
        let none = NodeSet::default();
        assert_eq!(before.changed(set(&[1]), none, NEXT).in_sync, set(&[0]));
        assert_eq!(before.changed(none, set(&[2]), NEXT).in_sync, set(&[0, 1, 2]));
        let swapped = before.changed(set(&[1]), set(&[2]), NEXT);
        assert_eq!(swapped.in_sync, set(&[0, 2]));
        assert_eq!((swapped.epoch, swapped.writer), (3, node(0)));
    }

    #[test]
    fn the_writer_is_never_dropped() {
        let after = held_by_the_first(&[0, 1]).changed(set(&[0, 1]), NodeSet::default(), NEXT);
        assert_eq!(after.in_sync, set(&[0]));
    }

    #[test]
    fn an_operation_is_found_again_by_its_text() {
        let id = OperationId { process: 0x0123_4567_89ab_cdef, number: 5 };
        assert_eq!(id.to_string(), "0123456789abcdef0000000000000005");
        assert_eq!(OperationId::parse(&id.to_string()), Some(id));
        for bad in ["", "0123456789ABCDEF0000000000000005", "0123456789abcdef000000000000000"] {
            assert_eq!(OperationId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_and_numbers_are_two_forms_of_one_membership() {
        let nodes = Nodes::parse("n1=a:1,n2=b:1").unwrap();
        let name = |text| Name::parse(text).unwrap();
        let register = Register {
            cluster: ClusterId([7; 16]),
            journal: "00".to_owned(),
            epoch: 1,
            writer: name("n2"),
            in_sync: vec![name("n1"), name("n2")],
            operation: FIRST,
            urls: BTreeMap::new(),
            forced: None,
        };
        let membership = register.membership(&nodes).unwrap();
        assert_eq!((membership.writer, membership.in_sync), (node(1), set(&[0, 1])));
        assert_eq!(register.with(&membership, &nodes), Some(register.clone()));
        let strange = Register { writer: name("n3"), ..register };
        assert_eq!(strange.membership(&nodes), Err(UnknownNode(name("n3"))));
    }

    #[test]
    fn a_loss_is_told_by_the_forced_node_until_it_wrote() {
        let name = |text| Name::parse(text).unwrap();
        let register = Register {
            cluster: ClusterId([7; 16]),
            journal: "00".to_owned(),
            epoch: 5,
            writer: name("n3"),
            in_sync: vec![name("n3")],
            operation: FIRST,
            urls: BTreeMap::new(),
            forced: Some(Forced { node: name("n3"), epoch: 5, lost_from: 80 }),
        };
        assert_eq!(register.lost_from(&name("n3"), 3), Some(80));
        assert_eq!(register.lost_from(&name("n3"), 6), None);
        assert_eq!(register.lost_from(&name("n1"), 3), None);
        let nodes = Nodes::parse("n1=a:1,n3=b:1").unwrap();
        let claimed = register.membership(&nodes).unwrap().claimed(node(1), 6, NEXT);
        let claimed = register.with(&claimed, &nodes).unwrap();
        assert_eq!(claimed.lost_from(&name("n3"), 3), Some(80), "a claim is not yet a start");
        let calm = Register { forced: None, ..register };
        assert_eq!(calm.lost_from(&name("n3"), 3), None);
    }
}

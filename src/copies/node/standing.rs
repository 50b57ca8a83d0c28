//! How the node stands, for status, metrics and refusals.
//!
//! Owns what is said of it and when. Decides nothing. Next: `shared::standing`.

use super::event::Output;
use super::link::Step;
use super::machine::{Call, ClusterNode};
use crate::cluster::node::{Name, NodeSet};
use crate::cluster::role::NodeRole;
use crate::copies::replica::Replica;
use crate::engine::replay::DataDirectory;
use crate::shared::standing::{CopyStanding, Standing, StandingRole, WriterPlace};

/// Bytes of a record where none was sent yet.
const RECORD_BYTES: u64 = 256;

impl<P: DataDirectory, R: Replica> ClusterNode<P, R> {
    /// Says how the node stands, if that is not what was said last: numbers that move all the time
    /// with a tick only.
    pub(super) fn show(&mut self, is_tick: bool, call: &mut Call<'_>) {
        let role = self.standing_role();
        let epoch = self.machine.epoch().unwrap_or(0);
        let before = &self.shown.standing;
        if !is_tick && (before.role, before.epoch) == (role, epoch) && before.is_replicated {
            return;
        }
        let standing = self.standing(role, epoch, call);
        if standing != self.shown.standing {
            self.shown.standing = standing.clone();
            call.out.push(Output::Standing(Box::new(standing)));
        }
    }

    fn standing_role(&self) -> StandingRole {
        match self.machine.role() {
            NodeRole::Joining => StandingRole::Joining,
            NodeRole::Following => StandingRole::Standby,
            NodeRole::Claiming => StandingRole::Claiming,
            NodeRole::Elected => StandingRole::Elected,
            NodeRole::Writing => StandingRole::Writer,
            NodeRole::Ended(_) => StandingRole::Ended,
        }
    }

    fn standing(&mut self, role: StandingRole, epoch: u32, call: &Call<'_>) -> Standing {
        let in_sync = self.machine.in_sync();
        let is_alone = in_sync == Some(NodeSet::of(self.settings.own));
        let differs = self.fitness.differs();
        Standing {
            is_replicated: true,
            role,
            epoch,
            node: self.settings.name.to_string(),
            writer: self.writer_place(),
            in_sync: self.in_sync_names(),
            copies: self.copies_standing(call.now_ms),
            is_alone,
            unsettled_bytes: self.unsettled_bytes(),
            unreplicated_since_ms: self.unreplicated_since(call.now_ms),
            arbiter_gone_since_ms: self.register.gone_since_ms,
            clock_skew_ms: self.fitness.skew_ms(),
            digest_differs: differs
                .map(|sequence| (sequence, "it differs from the writer's".to_owned())),
        }
    }

    fn writer_place(&self) -> Option<WriterPlace> {
        if self.machine.in_sync().is_some() {
            let node = self.settings.name.to_string();
            return Some(WriterPlace { node, url: self.settings.url.clone() });
        }
        let register = self.register.current()?;
        let url = register.urls.get(&register.writer).cloned();
        Some(WriterPlace { node: register.writer.to_string(), url })
    }

    fn in_sync_names(&self) -> Vec<String> {
        let names = |name: &Name| name.to_string();
        match self.machine.in_sync() {
            Some(nodes) => {
                nodes.iter().filter_map(|node| self.settings.nodes.name(node).map(names)).collect()
            }
            None => self
                .register
                .current()
                .map(|register| register.in_sync.iter().map(names).collect())
                .unwrap_or_default(),
        }
    }

    fn copies_standing(&mut self, now_ms: u64) -> Vec<CopyStanding> {
        let Some(written) = &self.written else { return Vec::new() };
        let appended = written.appended;
        let nodes: Vec<_> = self
            .settings
            .nodes
            .iter()
            .filter(|(node, ..)| *node != self.settings.own)
            .map(|(node, name, _)| (node, name.to_string(), self.link_of(node).is_some()))
            .collect();
        let shown = &mut self.shown.copies;
        let copies = nodes.into_iter().filter_map(|(node, name, is_connected)| {
            let copy = shown.get_mut(node.place())?;
            let since_ms = copy.behind.mark(appended, copy.acknowledged, now_ms);
            Some(CopyStanding {
                node: name,
                is_connected,
                lag_records: appended.saturating_sub(copy.acknowledged),
                lag_ms: since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms)),
            })
        });
        copies.collect()
    }

    /// By what records of this writer took so far: what waits is not read again for it.
    fn unsettled_bytes(&self) -> u64 {
        let Some(written) = &self.written else { return 0 };
        let records = written.appended.saturating_sub(self.machine.settled());
        let sent = self.links.values().filter_map(|link| match &link.step {
            Step::Feeding(copy) => copy.sender.mean_record_bytes(),
            _ => None,
        });
        records.saturating_mul(sent.max().unwrap_or(RECORD_BYTES))
    }

    /// Since when records that are on this disk wait for copies, or reads for a lease.
    fn unreplicated_since(&mut self, now_ms: u64) -> Option<u64> {
        let synced = self.written.as_ref()?.synced;
        let settled = self.machine.settled();
        let since_ms = self.shown.unsettled.mark(synced, settled, now_ms);
        let lease = self.machine.good_until_ms().filter(|until_ms| *until_ms < now_ms);
        match (since_ms, lease) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        }
    }
}

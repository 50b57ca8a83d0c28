//! On a copy: from the dialled connection to the acknowledgement.
//!
//! Owns the comparison of histories, the cut, what is stored and when that is said. Nothing is
//! stored or cut before both sides know that they fit. Next: `receiver`, `serving` for the other
//! end.

use super::event::{LinkId, Output};
use super::link::{Link, Step};
use super::machine::{Call, ClusterNode, NodeFailure};
use crate::cluster::node::Node;
use crate::cluster::register::Epoch;
use crate::cluster::role::{Meeting, RoleEvent};
use crate::copies::hello::{self, Incompatible};
use crate::copies::receiver::Receiver;
use crate::copies::replica::{Replica, ReplicaError};
use crate::copies::wire::{Message, Welcome};
use crate::domain::model::ids::Sequence;
use crate::engine::replay::DataDirectory;
use doorbuster_journal::{JournalEnd, common_end};

/// No register grants an epoch as high as this, so none is believed.
const EPOCH_MAX: Epoch = u32::MAX / 2;

impl<P: DataDirectory, R: Replica> ClusterNode<P, R> {
    /// Dials the writer, unless a connection to it is on its way. One that was followed and is no
    /// longer is closed first: the two compare again.
    pub(super) fn connect(&mut self, node: Node, call: &mut Call<'_>) {
        if self.fitness.holds_other_data() || self.replica.is_none() {
            return;
        }
        if let Some(link) = self.upstream() {
            let open = &self.links[&link];
            let is_on_its_way = !open.is_settled_in() && open.node() == Some(node);
            if is_on_its_way {
                return;
            }
            self.close(link, "the register names another writer, or both compare again", call);
        } else if call.now_ms < self.dial_at_ms {
            return;
        }
        let link = self.next_link();
        self.links.insert(link, Link::new(call.now_ms, Step::Dialling(node)));
        call.out.push(Output::Connect { link, node });
    }

    /// The writer has said who it is.
    pub(super) fn welcomed(
        &mut self,
        link: LinkId,
        node: Node,
        welcome: &Welcome,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let warnings = match self.check_writer(node, welcome, call) {
            Ok(warnings) => warnings,
            Err(reason) => return self.fail(link, &reason, call),
        };
        for warning in warnings {
            self.warn(warning, call);
        }
        self.fitness.hear_clock(call.wall_ms, welcome.hello.wall_ms);
        let Some(replica) = &self.replica else { return Ok(()) };
        let mine = replica.history();
        // Where the tables show no common past, the writer's files may: it looks for this end.
        let end = common_end(&mine, &welcome.history).map_or(mine.end, |common| common.end);
        let meeting = Meeting {
            writer: node,
            epoch: welcome.epoch,
            version: welcome.version,
            common_end: end.sequence,
            settled: replica.settled(),
        };
        if let Some(open) = self.links.get_mut(&link) {
            open.decoder.complete_hello();
        }
        self.common_end = Some(end);
        self.tell(RoleEvent::Met(meeting), call)?;
        let was_used = self.common_end.take().is_none();
        if !was_used && self.links.contains_key(&link) {
            self.close(link, "this node does not follow now", call);
            self.dial_at_ms = call.now_ms.saturating_add(self.settings.timing.retry_ms);
        }
        Ok(())
    }

    fn check_writer(
        &self,
        node: Node,
        welcome: &Welcome,
        call: &Call<'_>,
    ) -> Result<Vec<String>, String> {
        let mine = self.hello(call);
        let theirs = &welcome.hello;
        if self.settings.nodes.find(theirs.node.as_str()) != Some(node) {
            return Err(format!(
                "at its address answers {}: cluster.nodes is not the same on both, or an address \
                 in it is another node's",
                theirs.node
            ));
        }
        if welcome.epoch == 0 || welcome.epoch > EPOCH_MAX {
            return Err(format!("it says that it writes in epoch {}", welcome.epoch));
        }
        let told = |error: Incompatible| error.to_string();
        let warnings = hello::check(&mine, theirs).map_err(told)?;
        hello::check_caps(&mine, theirs).map_err(told)?;
        Ok(warnings)
    }

    /// The role machine follows the writer that was met: what it lacks here goes, then the frames
    /// may come.
    pub(super) fn follow(&mut self, epoch: Epoch, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        let (Some(end), Some(link)) = (self.common_end.take(), self.upstream()) else {
            return Ok(());
        };
        let Some(replica) = &mut self.replica else { return Ok(()) };
        if replica.history().end != end
            && let Err(error) = replica.cut_to(epoch, &end)
        {
            let reason = Self::judge(error)?;
            return self.fail(link, &reason, call);
        }
        let began_empty = self.machine.seen().began_empty;
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        if let Step::Greeting(node) = open.step {
            open.step = Step::Following(node, Receiver::new(epoch));
            self.fitness.follow();
        }
        if began_empty {
            // Found outside the register by now, it begins anew once and not twice.
            self.register.want();
        }
        self.say(link, &Message::Join { end, began_empty }, call);
        Ok(())
    }

    /// What the writer that is followed says.
    pub(super) fn hear_writer(
        &mut self,
        link: LinkId,
        message: Message,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        // What came before is on the disk before this is heard.
        if matches!(message, Message::Surrender { .. }) {
            self.commit(link, call)?;
        }
        let Some(Link { step: Step::Following(_, receiver), .. }) = self.links.get_mut(&link)
        else {
            return Ok(());
        };
        let Some(replica) = &mut self.replica else { return Ok(()) };
        let taken = match &message {
            Message::Frames(frames) => receiver.take_frames(frames, replica),
            Message::Beat(beat) => {
                self.fitness.hear_clock(call.wall_ms, beat.wall_ms);
                receiver.take_beat(beat)
            }
            Message::Restart(restart) => {
                let text = "the writer no longer has what follows the journal here, or it is \
                            empty: this node begins anew";
                let begun = receiver.begin_anew(restart, replica);
                self.warn(text.to_owned(), call);
                begun
            }
            Message::SnapshotPiece(bytes) => replica.snapshot_piece(bytes),
            Message::SnapshotEnd => replica.finish_snapshot(),
            Message::Digest { sequence, digest } => {
                let (sequence, digest) = (*sequence, *digest);
                call.out.push(Output::CompareImage { sequence, digest });
                return Ok(());
            }
            Message::Surrender { epoch } => {
                let epoch = *epoch;
                if epoch == receiver.epoch {
                    self.fitness.surrendered(epoch);
                    self.tell(RoleEvent::Surrendered(epoch), call)?;
                }
                return Ok(());
            }
            _ => Err(ReplicaError::Refused("it says what a writer does not say".to_owned())),
        };
        match taken {
            Ok(()) => Ok(()),
            Err(error) => {
                let reason = Self::judge(error)?;
                self.fail(link, &reason, call)
            }
        }
    }

    /// One sync for all that has come, and one acknowledgement.
    pub(super) fn commit(&mut self, link: LinkId, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        let Some(Link { step: Step::Following(_, receiver), .. }) = self.links.get_mut(&link)
        else {
            return Ok(());
        };
        let Some(replica) = &mut self.replica else { return Ok(()) };
        let epoch = receiver.epoch;
        match receiver.sync(replica) {
            Ok(None) => Ok(()),
            Ok(Some(synced)) => {
                let (end, sent_ms) = (synced.end, synced.sent_ms);
                self.tell(RoleEvent::Stored { epoch, end, sent_ms }, call)
            }
            Err(error) => {
                let reason = Self::judge(error)?;
                self.fail(link, &reason, call)
            }
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        epoch: Epoch,
        end: Sequence,
        sent_ms: u64,
        call: &mut Call<'_>,
    ) {
        let wall_ms = call.wall_ms;
        // The next one says all that this one would have: a writer that reads nothing gets none.
        if let Some(link) = self.upstream()
            && self.links[&link].has_room()
        {
            self.say(link, &Message::Acknowledgement { epoch, end, sent_ms, wall_ms }, call);
        }
    }

    /// Applies what is settled, as far as it is synced here.
    pub(super) fn settle(&mut self) -> Result<(), NodeFailure> {
        let Some(link) = self.upstream() else { return Ok(()) };
        let Some(Link { step: Step::Following(_, receiver), .. }) = self.links.get(&link) else {
            return Ok(());
        };
        let Some(replica) = &mut self.replica else { return Ok(()) };
        // Also where a frame has vouched for as much before: that alone applies nothing.
        let settled = receiver.settled().min(replica.synced());
        replica.settle(settled).map_err(|error| NodeFailure::Replica(error.to_string()))
    }

    /// This copy holds other data than the writer: it leaves, and never takes over.
    pub(super) fn differ(
        &mut self,
        sequence: Sequence,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        self.fitness.differ(sequence);
        match self.upstream() {
            Some(link) => {
                let reason = format!("the state here differs from the writer's at {sequence}");
                self.fail(link, &reason, call)
            }
            None => Ok(()),
        }
    }

    /// Where a new writer stands, for a copy: all that it may write lies before.
    pub(super) fn open_end() -> JournalEnd {
        let place = doorbuster_journal::FramePlace { segment: u64::MAX, offset: u64::MAX };
        JournalEnd { place, sequence: u64::MAX, chain: 0 }
    }
}

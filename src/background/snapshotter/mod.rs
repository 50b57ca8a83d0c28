//! Snapshots, taken in the background: the newest one is read back, the journal behind it applied,
//! and the result written as the next. The writer never pauses for it, and every snapshot has tried
//! what a start would do.
//!
//! Holds a second state in memory while it folds, and none in between. Never touches the writer's
//! state and never fails the service: what goes wrong is told by `Snapshots`. Next: `replay`,
//! `snapshots`, the snapshots crate.

use crate::background::scrubber::Scrubber;
use crate::codec::{self, Totals};
use crate::domain::model::ids::Sequence;
use crate::engine::replay::{self, DataDirectory, From, ReplayError, Replayed};
use crate::ring::Cursors;
use crate::shared::clock::Clock;
use crate::shared::snapshots::{Ask, NoSnapshot, Snapshots};
use crate::testing::failpoints::{Failpoint, armed};
use doorbuster_journal::{Ballast, Disk, JournalError, JournalId, Pruner, sequence_at};
use doorbuster_snapshots::{
    Keep, Meta, PassedOver, SnapshotError, SnapshotState, SnapshotWriter, list, prune,
    remove_leftovers, snapshot_name,
};
use std::cell::RefCell;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

mod pace;
use pace::Pace;

/// Why there is no new snapshot.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// What is there cannot be read back. For a live journal: an alarm.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The snapshot cannot be written or verified.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Segments that are no longer needed cannot be removed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What the snapshotter works with.
pub struct SnapshotterParts<P: DataDirectory = PathBuf> {
    /// The data directory.
    pub data: P,
    /// Removes segments beside the writer.
    pub pruner: Pruner<P::Disk>,
    /// Whose snapshots.
    pub journal: JournalId,
    /// How far the journal is: snapshots hold nothing that is not synced.
    pub cursors: Arc<Cursors>,
    /// Where it is told how snapshots stand.
    pub snapshots: Arc<Snapshots>,
    /// What to do.
    pub asked: Receiver<Ask>,
    /// For the deadline of the last snapshot.
    pub clock: Clock,
    /// A snapshot is due after so many events; the next start should not have to replay many more.
    pub every_events: u64,
    /// A snapshot at least this often, while anything happens, in milliseconds.
    pub every_ms: u64,
    /// Segments are kept this long, in milliseconds.
    pub retain_ms: u64,
    /// How many snapshots stay.
    pub keep: Keep,
    /// Room that is held back for a snapshot on a full disk, in bytes.
    pub ballast_bytes: u64,
}

/// The background thread.
pub struct Snapshotter<P: DataDirectory = PathBuf> {
    parts: SnapshotterParts<P>,
    scrubber: Scrubber,
    /// The last attempt to hold room back failed, and that was told.
    ballast_failed: bool,
}

impl<P: DataDirectory> Snapshotter<P> {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: SnapshotterParts<P>) -> Self {
        Self { parts, scrubber: Scrubber::default(), ballast_failed: false }
    }

    /// Takes snapshots when asked and when it is time, until it is told to stop. Gives back where it
    /// hears what to do, for the next.
    pub fn run(mut self) -> Receiver<Ask> {
        // The writer and the IO threads come first; a refusal by the system costs only that.
        let _ = rustix::process::nice(NICENESS);
        loop {
            let asked = self.parts.asked.recv_timeout(Duration::from_millis(self.parts.every_ms));
            let ask = match asked {
                Ok(ask) => ask,
                Err(RecvTimeoutError::Timeout) => Ask::Due,
                Err(RecvTimeoutError::Disconnected) => return self.parts.asked,
            };
            if self.heed(ask).is_break() {
                return self.parts.asked;
            }
        }
    }

    /// What waits to be done, without waiting for it.
    pub fn asked(&self) -> Option<Ask> {
        self.parts.asked.try_recv().ok()
    }

    /// Does one thing it is asked for; breaks after the last.
    pub fn heed(&mut self, ask: Ask) -> ControlFlow<()> {
        match ask {
            Ask::Due => {
                self.parts.snapshots.take_request();
                // How it went is told there.
                let _ = self.take(u64::MAX);
                self.hold_ballast();
                self.scrub();
            }
            Ask::Now(answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.take(u64::MAX));
            }
            Ask::At(sequence, answer) => {
                let _ = answer.send(self.digest_at(sequence));
            }
            Ask::Pause => return ControlFlow::Break(()),
            Ask::Stop(before_ms) => {
                let _ = self.take(before_ms);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// The digest of exactly this sequence, by the snapshot of it: one that is there, or a new one.
    fn digest_at(&self, sequence: Sequence) -> Result<[u8; 32], String> {
        let parts = &self.parts;
        if sequence > parts.cursors.settled() {
            return Err(format!("sequence {sequence} is not settled here"));
        }
        if parts.snapshots.sequence().unwrap_or(0) < sequence {
            self.take_until(sequence, u64::MAX).map_err(|why| match why {
                NoSnapshot::NoSpace => "the disk has no room for a snapshot".to_owned(),
                NoSnapshot::Failed(why) => why,
            })?;
        }
        let digest = stored_digest(&parts.data, parts.journal, sequence);
        let digest = digest.map_err(|error| error.to_string())?;
        digest.ok_or_else(|| format!("no snapshot ends with sequence {sequence} here"))
    }

    /// Takes a snapshot of all that is settled.
    fn take(&self, before_ms: u64) -> Result<Sequence, NoSnapshot> {
        let parts = &self.parts;
        let settled = parts.cursors.settled();
        self.take_until(settled, before_ms)
    }

    /// Takes a snapshot and tells how it went. Gives the sequence of the newest snapshot.
    fn take_until(&self, settled: Sequence, before_ms: u64) -> Result<Sequence, NoSnapshot> {
        let parts = &self.parts;
        for (failpoint, why) in [
            (Failpoint::Snapshot, NoSnapshot::Failed("told to".to_owned())),
            (Failpoint::NoSpace, NoSnapshot::NoSpace),
        ] {
            if armed(failpoint) {
                parts.snapshots.failed("told to".to_owned());
                return Err(why);
            }
        }
        let newest = parts.snapshots.sequence().unwrap_or(0);
        let pace = Pace::new(&parts.cursors, &parts.clock, newest, parts.every_events);
        let pause = || match !parts.snapshots.is_hurried() && pace.rest() / 1000 < before_ms {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        // As it is now: a segment that takes what the ballast leaves does not end the shortage.
        let mut space_short = parts.snapshots.space_short();
        let mut taken = fold(&parts.data, parts.journal, Some(settled), pause);
        if taken.as_ref().is_err_and(TakeError::is_full) && self.give_up_ballast() {
            space_short = true;
            taken = fold(&parts.data, parts.journal, Some(settled), pause);
        }
        match taken {
            Ok(sequence) => {
                if sequence > newest {
                    tracing::debug!(sequence, "took a snapshot");
                }
                parts.snapshots.took(sequence, parts.clock.elapsed_ms());
                // The snapshot is there all the same; what stays too long is a reason to look.
                if let Err(error) = self.let_go(space_short, pause) {
                    let told = format!("old snapshots or segments stay: {error}");
                    tracing::warn!(cause = told, "what a snapshot replaces stays");
                    parts.snapshots.failed(told);
                }
                Ok(sequence)
            }
            // It was asked to stop; that is nothing to look after.
            Err(error) if parts.snapshots.is_hurried() => {
                Err(NoSnapshot::Failed(error.to_string()))
            }
            Err(error) => {
                let told = error.to_string();
                tracing::warn!(cause = told, "no snapshot was taken");
                parts.snapshots.failed(told.clone());
                Err(if error.is_full() { NoSnapshot::NoSpace } else { NoSnapshot::Failed(told) })
            }
        }
    }

    /// Lets old snapshots go, and the segments that neither a snapshot nor their age keeps.
    fn let_go(
        &self,
        space_short: bool,
        pause: impl FnMut() -> ControlFlow<()>,
    ) -> Result<(), TakeError> {
        let parts = &self.parts;
        let Some(oldest) = prune_snapshots(&parts.data, parts.journal, parts.keep, pause)? else {
            return Ok(());
        };
        let journal = parts.data.journal()?;
        // Where the next segment finds no room, going on is worth more than history.
        let retain_ms = if space_short { 0 } else { parts.retain_ms };
        let since = parts.clock.wall_ms().saturating_sub(retain_ms);
        if let Some(young) = sequence_at(&journal, since)? {
            parts.pruner.prune(oldest.min(young))?;
        }
        Ok(())
    }

    fn ballast(&self) -> Option<Ballast<P::Disk>> {
        let bytes = self.parts.ballast_bytes;
        let disk = self.parts.data.top().ok().filter(|_| bytes > 0)?;
        Some(Ballast::new(disk, bytes))
    }

    /// Gives the room up that was held back; says whether there was any.
    fn give_up_ballast(&self) -> bool {
        let freed = self.ballast().and_then(|ballast| ballast.release().ok()).unwrap_or(0);
        if freed > 0 {
            tracing::warn!(bytes = freed, "the disk is full: ballast given up for a snapshot");
        }
        freed > 0
    }

    /// Holds room back again. On a full disk there is none, which the writer tells.
    fn hold_ballast(&mut self) {
        if !self.parts.snapshots.space_short()
            && let Some(ballast) = self.ballast()
        {
            self.tell_ballast(ballast.restore());
        }
    }

    /// Says once that none can be held back, and that it can again.
    fn tell_ballast(&mut self, held: Result<(), JournalError>) {
        match held {
            Err(error) if !self.ballast_failed => {
                let cause = error.to_string();
                tracing::warn!(cause, "no room is held back for a snapshot on a full disk");
                self.ballast_failed = true;
            }
            Ok(()) if self.ballast_failed => {
                tracing::info!("room is held back again for a snapshot on a full disk");
                self.ballast_failed = false;
            }
            _ => {}
        }
    }

    /// Reads one more closed segment again.
    fn scrub(&mut self) {
        let Ok(journal) = self.parts.data.journal() else { return };
        match self.scrubber.look(&journal, self.parts.clock) {
            Ok(None) => {}
            Ok(Some(damage)) => self.parts.snapshots.found_damage(damage),
            Err(error) => self.parts.snapshots.found_damage(error.to_string()),
        }
    }
}

impl TakeError {
    /// The disk has no room.
    fn is_full(&self) -> bool {
        match self {
            Self::Snapshot(SnapshotError::Io { cause, .. })
            | Self::Journal(JournalError::Io { cause, .. }) => {
                matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

/// As low as the system goes.
const NICENESS: i32 = 19;

/// Writes a snapshot of everything up to `until`, unless the newest one holds that already. Gives
/// the sequence of the newest snapshot.
///
/// `pause` is called after each small piece of work; it may wait, and from the moment on that the
/// snapshot is written it may stop it.
///
/// # Errors
/// When the directory cannot be read back, or the snapshot cannot be written; no part of it is
/// left.
pub fn fold<P: DataDirectory + ?Sized>(
    data: &P,
    journal: JournalId,
    until: Option<Sequence>,
    mut pause: impl FnMut() -> ControlFlow<()>,
) -> Result<Sequence, TakeError> {
    // Nothing is there to be stopped yet.
    let mut progress = |_| {
        let _ = pause();
    };
    let replayed = replay::replay(data, From::NewestSnapshot, until, &mut progress)?;
    let disk = data.snapshots()?;
    set_aside(&disk, &replayed.passed_over);
    if replayed.end.sequence == replayed.snapshot_sequence {
        return Ok(replayed.snapshot_sequence);
    }
    remove_leftovers(&disk)?;
    write(&disk, journal, &replayed, pause)?;
    Ok(replayed.end.sequence)
}

/// Renames damaged snapshots, so that they neither stand in the way of the next nor count as one.
/// What cannot be read at all, or is another journal's, stays as it is.
fn set_aside<D: Disk>(disk: &D, passed_over: &[PassedOver]) {
    for snapshot in passed_over {
        let (sequence, why) = (snapshot.sequence, snapshot.why.to_string());
        tracing::warn!(sequence, why, "passed over a snapshot");
        if matches!(snapshot.why, SnapshotError::Damaged { .. } | SnapshotError::Rejected { .. }) {
            let name = snapshot_name(snapshot.sequence);
            let moved = disk.rename(&name, &format!("{name}.damaged"));
            if let Err(cause) = moved {
                let (file, cause) = (disk.place(&name), cause.to_string());
                tracing::warn!(file, cause, "cannot set a damaged snapshot aside");
            }
        }
    }
}

/// Encodes the state twice, first only for its length: the room for a snapshot is reserved before
/// its first byte is written.
fn write<D: Disk>(
    disk: &D,
    journal: JournalId,
    replayed: &Replayed,
    pause: impl FnMut() -> ControlFlow<()>,
) -> Result<(), TakeError> {
    let state = &replayed.state;
    let pause = RefCell::new(pause);
    let pause = || (pause.borrow_mut())();
    let mut payload_bytes = 0;
    let counted: Result<(), Infallible> = codec::encode_state(state, &mut |piece| {
        payload_bytes += piece.len() as u64;
        // Nothing is there to be stopped yet.
        let _ = pause();
        Ok(())
    });
    let Ok(()) = counted;
    let meta = Meta {
        journal,
        sequence: replayed.end.sequence,
        chain: replayed.end.chain,
        epoch: state.epoch,
        stamp_ms: state.stamp,
        // Known behind the last piece.
        digest: [0; 32],
        totals: codec::encode_totals(&Totals::of(state, false)),
        payload_bytes,
    };
    let mut snapshot = SnapshotWriter::begin(disk, meta, pause)?;
    codec::encode_state(state, &mut |piece| {
        // The writer stops where it is told to, at the end of a block.
        let _ = pause();
        snapshot.append(piece)
    })?;
    snapshot.digest_payload();
    snapshot.finish()?;
    Ok(())
}

/// The digest of the state at a sequence, if a snapshot ends there.
fn stored_digest<P: DataDirectory + ?Sized>(
    data: &P,
    journal: JournalId,
    sequence: Sequence,
) -> Result<Option<[u8; 32]>, TakeError> {
    let listed = list(&data.snapshots()?, journal)?;
    Ok(listed.into_iter().find_map(|snapshot| match snapshot.state {
        SnapshotState::Valid(meta) if meta.sequence == sequence => Some(meta.digest),
        _ => None,
    }))
}

/// Lets old snapshots go. Gives the sequence below which the journal is no longer needed, if any.
fn prune_snapshots<P: DataDirectory + ?Sized>(
    data: &P,
    journal: JournalId,
    keep: Keep,
    pause: impl FnMut() -> ControlFlow<()>,
) -> Result<Option<Sequence>, TakeError> {
    let disk = data.snapshots()?;
    let pruned = prune(&disk, journal, keep, pause)?;
    // Whoever keeps every snapshot keeps the whole history, to replay it from its beginning.
    Ok(pruned.oldest_kept().filter(|_| keep != Keep::All))
}

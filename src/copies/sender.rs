//! One copy, on the writer: what it lacks, from files to messages.
//!
//! Owns the place up to which it was sent, and the pace of one that begins anew. Reads with plain
//! reads beside the writer, up to what is appended; no queue grows, however far the copy is behind.
//! Never decides whether the copy counts. Next: `node`.

use crate::cluster::register::Epoch;
use crate::copies::wire::{Frames, Message, Restart, SentSnapshot, encode};
use crate::domain::model::ids::Sequence;
use crate::engine::replay::{DataDirectory, ReplayError};
use doorbuster_journal::{
    Access, Disk, DiskFile, FramePlace, JournalEnd, JournalError, JournalId, RawTail,
};
use doorbuster_snapshots::{Meta, SnapshotError, SnapshotState, list};
use std::io;
use std::ops::ControlFlow;

/// Bytes of frames in one message, where there are more.
const FRAMES_BYTES: usize = 256 * 1024;
/// Bytes of a snapshot in one message.
const PIECE_BYTES: usize = 256 * 1024;

/// Why a copy cannot be fed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// What it has was never here.
    #[error(
        "the copy holds what this journal never held: {0}. Set its data directory aside; an empty \
         one is filled by the writer"
    )]
    Diverged(String),
    /// The journal or the snapshots here cannot be read.
    #[error("cannot read what the copy lacks: {0}")]
    Files(String),
}

impl From<ReplayError> for SendError {
    fn from(error: ReplayError) -> Self {
        Self::Files(error.to_string())
    }
}

impl From<SnapshotError> for SendError {
    fn from(error: SnapshotError) -> Self {
        Self::Files(error.to_string())
    }
}

impl From<JournalError> for SendError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NotContinued { .. } => Self::Diverged(error.to_string()),
            _ => Self::Files(error.to_string()),
        }
    }
}

/// What the writer knows while it fills a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now_ms: u64,
    pub(super) appended: Sequence,
    pub(super) settled: Sequence,
}

/// One copy that follows.
pub(super) struct Sender<D: Disk> {
    epoch: Epoch,
    disk: D,
    tail: RawTail<D>,
    snapshot: Option<SnapshotFile<D::File>>,
    /// The header of the segment with which a copy that begins anew begins.
    header: Option<Vec<u8>>,
    pace: Option<Pace>,
    /// When the newest message was sent.
    sent_ms: u64,
    /// Bytes of frames that were sent, behind this record.
    sent_bytes: u64,
    first: Sequence,
}

struct SnapshotFile<F> {
    file: F,
    place: String,
    at: u64,
    bytes: u64,
}

type OpenSnapshot<D> = (SnapshotFile<<D as Disk>::File>, Meta);

/// How much may be sent by now.
struct Pace {
    bytes_per_s: u64,
    since_ms: u64,
    sent: u64,
}

impl Pace {
    fn allows(&self, now_ms: u64) -> bool {
        let passed_ms = u128::from(now_ms.saturating_sub(self.since_ms)) + 1;
        u128::from(self.sent) * 1000 < passed_ms * u128::from(self.bytes_per_s)
    }
}

impl<D: Disk> Sender<D> {
    /// A copy that has everything up to this end; none where what follows it is no longer here.
    pub(super) fn after<P: DataDirectory<Disk = D>>(
        data: &P,
        epoch: Epoch,
        end: &JournalEnd,
    ) -> Result<Option<Self>, SendError> {
        let disk = data.journal()?;
        match RawTail::at(&disk, end) {
            Ok(tail) => Ok(Some(Self::new(disk, epoch, tail))),
            Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A copy that begins anew, with the newest snapshot or else with the first segment.
    pub(super) fn anew<P: DataDirectory<Disk = D>>(
        data: &P,
        epoch: Epoch,
        journal: JournalId,
        appended: Sequence,
    ) -> Result<(Self, Restart), SendError> {
        let disk = data.journal()?;
        let Some((snapshot, meta)) = newest_snapshot(data, journal)? else {
            let (tail, header) = RawTail::at_segment_of(&disk, 1)?;
            let sender = Self { header: Some(header), ..Self::new(disk, epoch, tail) };
            return Ok((sender, Restart { journal: journal.0, snapshot: None }));
        };
        let sequence = meta.sequence;
        let (tail, header) = match RawTail::at_segment_of(&disk, sequence) {
            Err(JournalError::Io { cause, .. })
                if cause.kind() == io::ErrorKind::NotFound && sequence < appended =>
            {
                RawTail::at_segment_of(&disk, sequence + 1)?
            }
            found => found?,
        };
        let start = SentSnapshot { sequence, chain: meta.chain, bytes: snapshot.bytes };
        let sender =
            Self { header: Some(header), snapshot: Some(snapshot), ..Self::new(disk, epoch, tail) };
        Ok((sender, Restart { journal: journal.0, snapshot: Some(start) }))
    }

    fn new(disk: D, epoch: Epoch, tail: RawTail<D>) -> Self {
        Self {
            first: tail.end().sequence,
            epoch,
            disk,
            tail,
            snapshot: None,
            header: None,
            pace: None,
            sent_ms: 0,
            sent_bytes: 0,
        }
    }

    /// From now on not faster than this, until it has caught up.
    pub(super) fn pace(&mut self, bytes_per_s: u64, now_ms: u64) {
        self.pace = Some(Pace { bytes_per_s, since_ms: now_ms, sent: 0 });
    }

    /// When the newest message was sent: nothing newer can be acknowledged.
    pub(super) fn sent_ms(&self) -> u64 {
        self.sent_ms
    }

    /// Takes note that something was sent with this time in it.
    pub(super) fn note_sent(&mut self, sent_ms: u64) {
        self.sent_ms = self.sent_ms.max(sent_ms);
    }

    /// The last record that it was sent.
    pub(super) fn sent(&self) -> Sequence {
        self.tail.end().sequence
    }

    /// Bytes of frames that it was sent, for each record in them; none where there was none.
    pub(super) fn mean_record_bytes(&self) -> Option<u64> {
        self.sent_bytes.checked_div(self.sent().saturating_sub(self.first))
    }

    /// Appends messages with what it lacks, until `out` holds about so many bytes or there is
    /// nothing more.
    pub(super) fn fill(
        &mut self,
        moment: Moment,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        while out.len() < bytes_max {
            if self.pace.as_ref().is_some_and(|pace| !pace.allows(moment.now_ms)) {
                return Ok(());
            }
            let before = out.len();
            let message = match self.snapshot.take() {
                Some(snapshot) => Some(self.next_piece(snapshot)?),
                None => self.next_frames(moment)?,
            };
            let Some(message) = message else {
                self.pace = None;
                return Ok(());
            };
            encode(&message, out);
            if let Some(pace) = &mut self.pace {
                pace.sent += (out.len() - before) as u64;
            }
        }
        Ok(())
    }

    fn next_piece(&mut self, mut snapshot: SnapshotFile<D::File>) -> Result<Message, SendError> {
        let count = (snapshot.bytes - snapshot.at).min(PIECE_BYTES as u64);
        if count == 0 {
            return Ok(Message::SnapshotEnd);
        }
        let mut piece = vec![0; count as usize];
        let read = snapshot.file.read_exact_at(&mut piece, snapshot.at);
        read.map_err(|cause| SendError::Files(format!("{}: {cause}", snapshot.place)))?;
        snapshot.at += count;
        self.snapshot = Some(snapshot);
        Ok(Message::SnapshotPiece(piece))
    }

    fn next_frames(&mut self, moment: Moment) -> Result<Option<Message>, SendError> {
        let mut frames: Vec<(FramePlace, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        if let Some(header) = self.header.take() {
            let segment = self.tail.end().place.segment;
            bytes += header.len();
            frames.push((FramePlace { segment, offset: 0 }, header));
        }
        self.tail.read(&self.disk, moment.appended, &mut |place, frame| {
            // What is broken off at is shown again, and with an end mark the header before it.
            let after_header = frames.last().is_some_and(|(before, _)| before.offset == 0);
            if bytes + frame.len() > FRAMES_BYTES && !after_header {
                return ControlFlow::Break(());
            }
            bytes += frame.len();
            frames.push((place, frame.to_vec()));
            ControlFlow::Continue(())
        })?;
        if frames.is_empty() {
            return Ok(None);
        }
        self.sent_bytes += bytes as u64;
        self.note_sent(moment.now_ms);
        let (epoch, sent_ms, settled) = (self.epoch, moment.now_ms, moment.settled);
        Ok(Some(Message::Frames(Frames { epoch, sent_ms, settled, frames })))
    }
}

fn newest_snapshot<P: DataDirectory>(
    data: &P,
    journal: JournalId,
) -> Result<Option<OpenSnapshot<P::Disk>>, SendError> {
    if !data.has_snapshots() {
        return Ok(None);
    }
    let disk = data.snapshots()?;
    for listed in list(&disk, journal)? {
        let SnapshotState::Valid(meta) = listed.state else { continue };
        let place = disk.place(&listed.name);
        let io = |cause| SendError::Files(format!("{place}: {cause}"));
        let file = disk.open(&listed.name, Access::Read).map_err(io)?;
        let bytes = file.bytes().map_err(io)?;
        return Ok(Some((SnapshotFile { file, place, at: 0, bytes }, meta)));
    }
    Ok(None)
}

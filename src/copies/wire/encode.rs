//! A message into bytes.
//!
//! Owns the order of the fields; `decoder` reads the same. Next: `decoder`.

use super::message::{Beat, Frames, Message, REASON_BYTES_MAX, Restart, SentSnapshot, Welcome};
use crate::copies::hello::{Hello, MAGIC};
use doorbuster_journal::{EpochStart, FramePlace, JournalEnd};

pub(super) const HELLO: u8 = 1;
pub(super) const WELCOME: u8 = 2;
pub(super) const NOT_WRITER: u8 = 3;
pub(super) const JOIN: u8 = 4;
pub(super) const RESTART: u8 = 5;
pub(super) const SNAPSHOT_PIECE: u8 = 6;
pub(super) const SNAPSHOT_END: u8 = 7;
pub(super) const FRAMES: u8 = 8;
pub(super) const BEAT: u8 = 9;
pub(super) const ACKNOWLEDGEMENT: u8 = 10;
pub(super) const DIGEST: u8 = 11;
pub(super) const SURRENDER: u8 = 12;
pub(super) const OUTDATED: u8 = 13;
pub(super) const CLOSE: u8 = 14;

/// Appends a message, its length before it.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(message, &mut Writer(out));
    let count = out.len() - start - 4;
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&count.to_le_bytes());
}

fn body(message: &Message, out: &mut Writer<'_>) {
    match message {
        Message::Hello(hello) => out.kind(HELLO).hello(hello),
        Message::Welcome(welcome) => out.kind(WELCOME).welcome(welcome),
        Message::NotWriter { epoch, writer } => {
            out.kind(NOT_WRITER).u32(*epoch);
            out.maybe(writer.as_ref(), |out, writer| out.text(writer.as_str()));
        }
        Message::Join { end, began_empty } => {
            out.kind(JOIN).end(end);
            out.flag(*began_empty);
        }
        Message::Restart(restart) => out.kind(RESTART).restart(restart),
        Message::SnapshotPiece(bytes) => out.kind(SNAPSHOT_PIECE).bytes(bytes),
        Message::SnapshotEnd => drop(out.kind(SNAPSHOT_END)),
        Message::Frames(frames) => out.kind(FRAMES).frames(frames),
        Message::Beat(Beat { epoch, sent_ms, settled, wall_ms }) => {
            let out = out.kind(BEAT);
            out.u32(*epoch);
            out.u64(*sent_ms);
            out.u64(*settled);
            out.u64(*wall_ms);
        }
        Message::Acknowledgement { epoch, end, sent_ms, wall_ms } => {
            let out = out.kind(ACKNOWLEDGEMENT);
            out.u32(*epoch);
            out.u64(*end);
            out.u64(*sent_ms);
            out.u64(*wall_ms);
        }
        Message::Digest { sequence, digest } => {
            let out = out.kind(DIGEST);
            out.u64(*sequence);
            out.bytes(digest);
        }
        Message::Surrender { epoch } => out.kind(SURRENDER).u32(*epoch),
        Message::Outdated { epoch } => out.kind(OUTDATED).u32(*epoch),
        Message::Close { reason } => out.kind(CLOSE).text(cut(reason, REASON_BYTES_MAX)),
    }
}

/// The beginning of a text, whole characters only.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

struct Writer<'o>(&'o mut Vec<u8>);

impl Writer<'_> {
    fn kind(&mut self, kind: u8) -> &mut Self {
        self.0.push(kind);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    fn u16(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.u16(u16::try_from(count).unwrap_or(u16::MAX));
    }

    fn text(&mut self, text: &str) {
        let text = cut(text, u16::MAX.into());
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn place(&mut self, place: FramePlace) {
        self.u64(place.segment);
        self.u64(place.offset);
    }

    fn end(&mut self, end: &JournalEnd) {
        self.place(end.place);
        self.u64(end.sequence);
        self.u32(end.chain);
    }

    fn hello(&mut self, hello: &Hello) {
        self.bytes(&MAGIC);
        self.u32(hello.protocol);
        self.bytes(&hello.cluster.0);
        self.text(hello.node.as_str());
        self.maybe(hello.journal, |out, id| out.bytes(&id.0));
        self.u32(hello.journal_format);
        self.u32(hello.record_version);
        self.text(&hello.product);
        self.text(&hello.machine);
        self.u64(hello.wall_ms);
        self.count(hello.caps.len());
        for (name, cap) in &hello.caps {
            self.text(name);
            self.u64(*cap);
        }
        self.maybe(hello.url.as_deref(), |out, url| out.text(url));
        self.u32(hello.epoch);
        self.u64(hello.version);
    }

    fn welcome(&mut self, welcome: &Welcome) {
        self.hello(&welcome.hello);
        self.u32(welcome.epoch);
        self.u64(welcome.version);
        self.count(welcome.history.epochs.len());
        for EpochStart { epoch, before, is_whole } in &welcome.history.epochs {
            self.u32(*epoch);
            self.end(before);
            self.flag(*is_whole);
        }
        self.end(&welcome.history.end);
    }

    fn restart(&mut self, restart: &Restart) {
        self.bytes(&restart.journal);
        self.maybe(restart.snapshot, |out, SentSnapshot { sequence, chain, bytes }| {
            out.u64(sequence);
            out.u32(chain);
            out.u64(bytes);
        });
    }

    fn frames(&mut self, frames: &Frames) {
        self.u32(frames.epoch);
        self.u64(frames.sent_ms);
        self.u64(frames.settled);
        self.count(frames.frames.len());
        for (place, bytes) in &frames.frames {
            self.place(*place);
            self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            self.bytes(bytes);
        }
    }
}

//! Bytes into messages, however they were cut.
//!
//! Owns the bytes of at most one message that has not come whole, besides what was pushed last.
//! Never takes a length for granted: it is compared with the bound of the moment before a byte of
//! the message is waited for. Next: `fields`.

use super::encode::*;
use super::fields::Fields;
use super::message::*;
use crate::cluster::node::{NAME_BYTES_MAX, Name, PLACE_BYTES_MAX};
use crate::cluster::register::ClusterId;
use crate::copies::hello::{
    CAPS_MAX, Hello, MACHINE_BYTES_MAX, MAGIC, PRODUCT_BYTES_MAX, PROTOCOL_VERSION,
};
use doorbuster_journal::{EPOCHS_MAX, EpochStart, FRAME_BYTES_MAX, JournalHistory, JournalId};

/// Bytes that are no messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length that is not allowed.
    #[error("a message of {bytes} bytes, and {bytes_max} are the most")]
    Length {
        /// As it says.
        bytes: usize,
        /// What there may be.
        bytes_max: usize,
    },
    /// Nothing that a node says.
    #[error("a message of the kind {kind} that is none")]
    Malformed {
        /// Its kind, as it says.
        kind: u8,
    },
    /// Another program, or no node at all.
    #[error("the other side does not speak as a node of Doorbuster")]
    Foreign,
    /// Another version of these messages.
    #[error(
        "the other side speaks version {0} of the protocol between nodes, this server version \
         {PROTOCOL_VERSION}: run the same version of Doorbuster on both"
    )]
    Protocol(u32),
}

/// Takes bytes as they come.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// The bytes before are messages that were given out.
    start: usize,
    bytes_max: usize,
    error: Option<WireError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), start: 0, bytes_max: HELLO_BYTES_MAX, error: None }
    }
}

impl Decoder {
    /// From here on the other side is known: messages may be as long as they get.
    pub fn complete_hello(&mut self) {
        self.bytes_max = MESSAGE_BYTES_MAX;
    }

    /// Takes the next bytes. All messages are taken out before more is pushed.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.bytes.drain(..self.start);
            self.start = 0;
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The next message; none until more bytes have come.
    ///
    /// # Errors
    /// When the bytes are no message. From then on always.
    pub fn next_message(&mut self) -> Result<Option<Message>, WireError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let found = self.find();
        if let Err(error) = &found {
            self.error = Some(error.clone());
            self.bytes = Vec::new();
            self.start = 0;
        }
        found
    }

    fn find(&mut self) -> Result<Option<Message>, WireError> {
        let rest = &self.bytes[self.start..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let bytes = u32::from_le_bytes(*length) as usize;
        let bytes_max = self.bytes_max;
        if bytes == 0 || bytes > bytes_max {
            return Err(WireError::Length { bytes, bytes_max });
        }
        let Some(content) = rest.get(..bytes) else { return Ok(None) };
        let (kind, body) = (content[0], &content[1..]);
        let mut fields = Fields::new(body);
        check_protocol(kind, body)?;
        let message = message(kind, &mut fields).filter(|_| fields.is_empty());
        self.start += 4 + bytes;
        message.map(Some).ok_or(WireError::Malformed { kind })
    }
}

/// Another version is told as such, whatever else it says.
fn check_protocol(kind: u8, body: &[u8]) -> Result<(), WireError> {
    if !matches!(kind, HELLO | WELCOME) {
        return Ok(());
    }
    let mut fields = Fields::new(body);
    if fields.array() != Some(MAGIC) {
        return Err(WireError::Foreign);
    }
    match fields.u32() {
        Some(PROTOCOL_VERSION) => Ok(()),
        Some(other) => Err(WireError::Protocol(other)),
        None => Err(WireError::Malformed { kind }),
    }
}

fn message(kind: u8, from: &mut Fields<'_>) -> Option<Message> {
    Some(match kind {
        HELLO => Message::Hello(Box::new(hello(from)?)),
        WELCOME => Message::Welcome(Box::new(welcome(from)?)),
        NOT_WRITER => Message::NotWriter { epoch: from.u32()?, writer: from.maybe(name)? },
        JOIN => Message::Join { end: from.end()?, began_empty: from.flag()? },
        RESTART => Message::Restart(restart(from)?),
        SNAPSHOT_PIECE => Message::SnapshotPiece(from.rest().to_vec()),
        SNAPSHOT_END => Message::SnapshotEnd,
        FRAMES => Message::Frames(frames(from)?),
        BEAT => Message::Beat(Beat {
            epoch: from.u32()?,
            sent_ms: from.u64()?,
            settled: from.u64()?,
            wall_ms: from.u64()?,
        }),
        ACKNOWLEDGEMENT => Message::Acknowledgement {
            epoch: from.u32()?,
            end: from.u64()?,
            sent_ms: from.u64()?,
            wall_ms: from.u64()?,
        },
        DIGEST => Message::Digest { sequence: from.u64()?, digest: from.array()? },
        SURRENDER => Message::Surrender { epoch: from.u32()? },
        OUTDATED => Message::Outdated { epoch: from.u32()? },
        CLOSE => Message::Close { reason: from.text(REASON_BYTES_MAX)? },
        _ => return None,
    })
}

fn name(from: &mut Fields<'_>) -> Option<Name> {
    Name::parse(&from.text(NAME_BYTES_MAX)?).ok()
}

fn hello(from: &mut Fields<'_>) -> Option<Hello> {
    from.bytes(MAGIC.len())?;
    Some(Hello {
        protocol: from.u32()?,
        cluster: ClusterId(from.array()?),
        node: name(from)?,
        journal: from.maybe(|from| from.array().map(JournalId))?,
        journal_format: from.u32()?,
        record_version: from.u32()?,
        product: from.text(PRODUCT_BYTES_MAX)?,
        machine: from.text(MACHINE_BYTES_MAX)?,
        wall_ms: from.u64()?,
        caps: from.list(CAPS_MAX, |from| Some((from.text(NAME_BYTES_MAX)?, from.u64()?)))?,
        url: from.maybe(|from| from.text(PLACE_BYTES_MAX))?,
        epoch: from.u32()?,
        version: from.u64()?,
    })
}

fn welcome(from: &mut Fields<'_>) -> Option<Welcome> {
    Some(Welcome {
        hello: hello(from)?,
        epoch: from.u32()?,
        version: from.u64()?,
        history: JournalHistory {
            epochs: from.list(EPOCHS_MAX, |from| {
                let (epoch, before, is_whole) = (from.u32()?, from.end()?, from.flag()?);
                Some(EpochStart { epoch, before, is_whole })
            })?,
            end: from.end()?,
        },
    })
}

fn restart(from: &mut Fields<'_>) -> Option<Restart> {
    Some(Restart {
        journal: from.array()?,
        snapshot: from.maybe(|from| {
            let (sequence, chain, bytes) = (from.u64()?, from.u32()?, from.u64()?);
            Some(SentSnapshot { sequence, chain, bytes })
        })?,
    })
}

fn frames(from: &mut Fields<'_>) -> Option<Frames> {
    Some(Frames {
        epoch: from.u32()?,
        sent_ms: from.u64()?,
        settled: from.u64()?,
        frames: from.list(u16::MAX.into(), |from| {
            let (place, count) = (from.place()?, from.u32()? as usize);
            let bytes = from.bytes(count).filter(|_| count <= FRAME_BYTES_MAX)?;
            Some((place, bytes.to_vec()))
        })?,
    })
}

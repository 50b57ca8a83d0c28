//! Any bytes on a connection: every answer is whole and one of those that there are, never a fault
//! of the server; there are as many as messages, so that nothing in a body or behind doubt is taken
//! for a request; sequences do not go back; and afterwards the state holds its invariants and
//! replays to itself. Next: `framing`, `replies`, `writer`.
//!
//! The first byte says how the rest is cut into reads.

use crate::bytes::Bytes;
use crate::framing::{self, End};
use crate::replies;
use crate::writer::{HASH_KEY, Writer};
use doorbuster::http::doors::Door;
use doorbuster::ring::{self, Cursors};
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{LocalSet, spawn_local, yield_now};

/// Reads and writes go through a pipe of this many bytes.
const PIPE_BYTES: usize = 16 * 1024;
/// A conversation that takes more turns than this has come to a standstill.
const TURNS_MAX: usize = 3_000_000;

pub(crate) fn talk(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let step = match bytes.byte() {
        0 => usize::MAX,
        step => usize::from(step),
    };
    let said = bytes.rest();
    let (heard, writer) = converse(said, step);
    writer.check();
    let reading = framing::read(said);
    let methods = &reading.methods;
    let is_head = |at: usize| methods.get(at).unwrap_or(&reading.begun) == "HEAD";
    let answers = replies::read(&heard, is_head);
    let told = || format!("{answers:?} to {reading:?}: {:?}", String::from_utf8_lossy(said));
    let doubt = usize::from(reading.end == End::Doubt);
    assert!(answers.len() <= methods.len() + doubt, "more answers than messages: {}", told());
    let closed = answers.iter().position(|answer| answer.closes);
    if let Some(at) = closed {
        assert_eq!(at + 1, answers.len(), "something follows the last answer: {}", told());
    } else {
        assert!(answers.len() >= methods.len(), "a message has no answer: {}", told());
    }
    let mut last = 0;
    for answer in &answers {
        if let (Some(sequence), false) = (answer.sequence, answer.replayed) {
            assert!(sequence >= last, "{} goes back: {}", answer.status, told());
            last = sequence;
        }
    }
}

/// The statuses of the answers to an input.
pub fn statuses(input: &[u8]) -> Vec<u16> {
    let mut bytes = Bytes::new(input);
    let step = usize::from(bytes.byte()).max(1);
    let (heard, _) = converse(bytes.rest(), step);
    replies::read(&heard, |_| false).iter().map(|answer| answer.status).collect()
}

/// What the server says to these bytes, until it closes, and who decided it.
fn converse(said: &[u8], step: usize) -> (Vec<u8>, Writer) {
    let cursors = Arc::new(Cursors::default());
    let (mut ends, inbox, outbox) = ring::build(1, &cursors);
    let lane = ends.pop().expect("one lane").settle();
    let mut writer = Writer::start(inbox, outbox);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let lives = writer.lives();
    let runtime = builder.enable_time().build().expect("a runtime without sockets");
    let pieces: Vec<Vec<u8>> = said.chunks(step).map(<[u8]>::to_vec).collect();
    let heard = LocalSet::new().block_on(&runtime, async {
        let door = Door::open(lane.clone(), cursors, HASH_KEY, lives);
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let served = spawn_local(door.serve(server));
        let (mut hears, mut says) = tokio::io::split(client);
        spawn_local(async move {
            for piece in pieces {
                // It fails where the server has closed; what it said is still there to be read.
                if says.write_all(&piece).await.is_err() {
                    break;
                }
                yield_now().await;
            }
            let _ = says.shutdown().await;
        });
        let heard = spawn_local(async move {
            let mut heard = Vec::new();
            hears.read_to_end(&mut heard).await.expect("a pipe does not fail");
            heard
        });
        for _ in 0..TURNS_MAX {
            if served.is_finished() && heard.is_finished() {
                return heard.await.expect("reading ends");
            }
            yield_now().await;
            writer.turn();
            lane.pump(&Context::from_waker(Waker::noop()), || 0);
        }
        panic!("the conversation came to a standstill");
    });
    (heard, writer)
}

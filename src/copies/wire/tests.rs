//! Messages come back as they went, however they were cut; any other bytes are an error.

use super::*;
use crate::cluster::node::Name;
use crate::cluster::register::ClusterId;
use crate::copies::hello::{Hello, PROTOCOL_VERSION};
use doorbuster_journal::{EpochStart, FramePlace, JournalEnd, JournalHistory, JournalId};
use doorbuster_test_support::random::Random;

fn end(random: &mut Random) -> JournalEnd {
    let place = FramePlace { segment: random.next(), offset: random.next() };
    JournalEnd { place, sequence: random.next(), chain: random.next() as u32 }
}

fn hello(random: &mut Random) -> Hello {
    let caps = (0..random.below(5)).map(|number| (format!("cap{number}"), random.next()));
    Hello {
        protocol: PROTOCOL_VERSION,
        cluster: ClusterId([4; 16]),
        caps: caps.collect(),
        node: Name::parse("n1").unwrap(),
        journal: random.percent(50).then_some(JournalId([5; 16])),
        journal_format: 1,
        record_version: 2,
        product: "1.2.3".to_owned(),
        machine: String::new(),
        wall_ms: random.next(),
        url: random.percent(50).then(|| "https://shop:1".to_owned()),
        epoch: random.next() as u32,
        version: random.next(),
    }
}

/// One message of each kind.
fn messages(random: &mut Random) -> Vec<Message> {
    let epochs = (0..random.below(6)).map(|epoch| EpochStart {
        epoch: epoch as u32,
        before: JournalEnd::GENESIS,
        is_whole: epoch % 2 == 0,
    });
    let history = JournalHistory { epochs: epochs.collect(), end: end(random) };
    let snapshot = SentSnapshot { sequence: 3, chain: 4, bytes: random.next() };
    let frames = (0..random.below(4)).map(|number| {
        let place = FramePlace { segment: number, offset: 4096 };
        (place, random.bytes(number as usize * 100))
    });
    let frames = frames.collect();
    let epoch = random.next() as u32;
    let (sent_ms, settled, wall_ms) = (random.next(), random.next(), random.next());
    vec![
        Message::Hello(Box::new(hello(random))),
        Message::Welcome(Box::new(Welcome { hello: hello(random), epoch, version: 9, history })),
        Message::NotWriter { epoch, writer: Name::parse("n2").ok() },
        Message::Join { end: end(random), began_empty: random.percent(50) },
        Message::Restart(Restart { journal: [8; 16], snapshot: Some(snapshot) }),
        Message::Restart(Restart { journal: [8; 16], snapshot: None }),
        Message::SnapshotPiece(random.bytes(777)),
        Message::SnapshotEnd,
        Message::Frames(Frames { epoch, sent_ms, settled, frames }),
        Message::Beat(Beat { epoch, sent_ms, settled, wall_ms }),
        Message::Acknowledgement { epoch, end: settled, sent_ms, wall_ms },
        Message::Digest { sequence: settled, digest: [6; 32] },
        Message::Surrender { epoch },
        Message::Outdated { epoch },
        Message::Close { reason: "enough".to_owned() },
    ]
}

fn take_all(decoder: &mut Decoder) -> Vec<Message> {
    std::iter::from_fn(|| decoder.next_message().expect("they are messages")).collect()
}

#[test]
fn messages_come_back_however_they_are_cut() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let said = messages(&mut random);
        let mut bytes = Vec::new();
        said.iter().for_each(|message| encode(message, &mut bytes));
        let (mut decoder, mut heard, mut rest) = (Decoder::default(), Vec::new(), &bytes[..]);
        while !rest.is_empty() {
            let most = [1, 5, 500][random.place(3)];
            let (piece, after) = rest.split_at(rest.len().min(random.between(1, most) as usize));
            decoder.push(piece);
            heard.extend(take_all(&mut decoder));
            rest = after;
        }
        assert_eq!(heard, said, "{seed}");
    }
}

#[test]
fn a_message_that_is_cut_short_is_refused() {
    let mut random = Random::new(1);
    for message in messages(&mut random) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        for body in 1..bytes.len() - 4 {
            // A piece of a snapshot is as long as it says.
            if matches!(message, Message::SnapshotPiece(_)) {
                continue;
            }
            let mut decoder = Decoder::default();
            decoder.push(&(body as u32).to_le_bytes());
            decoder.push(&bytes[4..4 + body]);
            assert!(decoder.next_message().is_err(), "{message:?} after {body}");
            decoder.push(&bytes);
            assert!(decoder.next_message().is_err(), "once wrong is always wrong");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let length = (longer.len() as u32 - 4).to_le_bytes();
        longer[..4].copy_from_slice(&length);
        let mut decoder = Decoder::default();
        decoder.push(&longer);
        let is_piece = matches!(message, Message::SnapshotPiece(_));
        assert_eq!(decoder.next_message().is_err(), !is_piece, "{message:?}");
    }
}

#[test]
fn any_bytes_are_messages_or_an_error() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut bytes = Vec::new();
        for message in messages(&mut random) {
            encode(&message, &mut bytes);
        }
        for _ in 0..random.between(1, 8) {
            let at = random.place(bytes.len());
            bytes[at] = random.next() as u8;
        }
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next_message() {}
    }
}

#[test]
fn a_long_message_is_refused_before_it_comes() {
    let too_long = |bytes: usize| WireError::Length { bytes, bytes_max: HELLO_BYTES_MAX };
    for bytes in [0, HELLO_BYTES_MAX + 1, u32::MAX as usize] {
        let mut decoder = Decoder::default();
        decoder.push(&(bytes as u32).to_le_bytes());
        assert_eq!(decoder.next_message(), Err(too_long(bytes)));
    }
    let mut decoder = Decoder::default();
    decoder.complete_hello();
    decoder.push(&(MESSAGE_BYTES_MAX as u32).to_le_bytes());
    assert_eq!(decoder.next_message(), Ok(None));
}

#[test]
fn the_largest_hello_and_welcome_fit_their_bound() {
    let mut random = Random::new(3);
    let long = |count: usize| "x".repeat(count);
    let largest = Hello {
        node: Name::parse(&long(64)).unwrap(),
        product: long(128),
        machine: long(128),
        caps: (0..64).map(|_| (long(64), u64::MAX)).collect(),
        url: Some(long(256)),
        ..hello(&mut random)
    };
    let start = EpochStart { epoch: 1, before: JournalEnd::GENESIS, is_whole: true };
    let epochs = vec![start; doorbuster_journal::EPOCHS_MAX];
    let history = JournalHistory { epochs, end: JournalEnd::GENESIS };
    let welcome = Welcome { hello: largest, epoch: 1, version: 1, history };
    let message = Message::Welcome(Box::new(welcome));
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    let mut decoder = Decoder::default();
    decoder.push(&bytes);
    assert_eq!(decoder.next_message(), Ok(Some(message)));
}

#[test]
fn another_program_and_another_version_are_told_apart() {
    let mut random = Random::new(2);
    let mut bytes = Vec::new();
    encode(&Message::Hello(Box::new(hello(&mut random))), &mut bytes);
    let with = |at: usize| {
        let mut other = bytes.clone();
        other[at] ^= 1;
        let mut decoder = Decoder::default();
        decoder.push(&other);
        decoder.next_message()
    };
    assert_eq!(with(5), Err(WireError::Foreign));
    assert_eq!(with(9), Err(WireError::Protocol(PROTOCOL_VERSION ^ 1)));
}

//! What one node says to another: any bytes are messages or an error, the same ones whatever pieces
//! they come in, and what is taken is written as it came. Next: `doorbuster::copies::wire`.

use doorbuster::copies::wire::{Decoder, HELLO_BYTES_MAX, Message, WireError, encode};

/// The first byte says how long pieces are and whether both sides know one another.
pub(crate) fn messages(input: &[u8]) {
    let Some((how, stream)) = input.split_first() else { return };
    let is_known = how & 1 == 1;
    let piece = usize::from(how >> 1) + 1;
    let whole = decode(stream.chunks(stream.len().max(1)), is_known);
    let pieces = decode(stream.chunks(piece), is_known);
    assert_eq!(whole, pieces);
    let mut written = Vec::new();
    whole.0.iter().for_each(|message| encode(message, &mut written));
    assert!(stream.starts_with(&written), "it is not what came");
    match whole.1 {
        None if !is_known => assert!(stream.len() - written.len() < 4 + HELLO_BYTES_MAX),
        _ => {}
    }
}

fn decode<'s>(
    pieces: impl Iterator<Item = &'s [u8]>,
    is_known: bool,
) -> (Vec<Message>, Option<WireError>) {
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    if is_known {
        decoder.complete_hello();
    }
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

//! The first bytes of a connection as a header of the PROXY protocol: whatever pieces they come in,
//! no byte behind the header is read, and a second reader (the crate `ppp`) finds the same client
//! in what is taken. Where the server is stricter, it refuses. Next: `doorbuster::http::doors`.

use doorbuster::http::doors::{Introduction, introduction};
use ppp::v2::{AddressFamily, Command, Protocol};
use ppp::{v1, v2};
use std::net::IpAddr;

/// No header is longer, and none is waited for that is.
const BYTES_MAX: usize = 4096;

pub(crate) fn header(input: &[u8]) {
    // As a reader does it that takes what it is asked for.
    let mut have = 0;
    let client = loop {
        match introduction(&input[..have]) {
            Introduction::Needs(more) => {
                assert!(more >= 1 && have + more <= BYTES_MAX, "{have} and {more} more");
                have += more;
                if have > input.len() {
                    assert!(!taken_by_other(input, input.len()), "it is whole");
                    return;
                }
            }
            Introduction::Ends(client) => break client,
            Introduction::Refused => {
                assert!(!taken_by_other(input, have), "refused: {}", input.escape_ascii());
                return;
            }
        }
    };
    let header = &input[..have];
    for cut in 0..have {
        match introduction(&input[..cut]) {
            Introduction::Needs(more) => assert!(cut + more <= have, "reads beyond the end"),
            other => panic!("{other:?} after {cut} of {have} bytes"),
        }
    }
    match (client, other(header)) {
        (Some(client), Some(other)) => assert_eq!(Some(client), other.map(|it| it.to_canonical())),
        (None, Some(other)) => assert_eq!(other, None),
        // Behind these anything may stand.
        (None, None) => {
            let local = header.get(12) == Some(&0x20);
            assert!(local || header.starts_with(b"PROXY UNKNOWN"), "{}", header.escape_ascii());
        }
        (Some(_), None) => panic!("only we take {}", header.escape_ascii()),
    }
}

/// Whose connection it is, as the other reader has it; the outer none is for what it does not take.
fn other(header: &[u8]) -> Option<Option<IpAddr>> {
    if let Ok(read) = v2::Header::try_from(header) {
        return Some(match (read.command, read.addresses) {
            (Command::Local, _) | (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
            (_, v2::Addresses::IPv4(four)) => Some(four.source_address.into()),
            (_, v2::Addresses::IPv6(six)) => Some(six.source_address.into()),
        });
    }
    Some(match v1::Header::try_from(header).ok()?.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(four) => Some(four.source_address.into()),
        v1::Addresses::Tcp6(six) => Some(six.source_address.into()),
    })
}

/// The other reader takes these bytes, or the first of them, and we should: it is no datagram, not
/// longer than we allow, and not a line of text, where it is more lenient.
fn taken_by_other(input: &[u8], have: usize) -> bool {
    let Ok(read) = v2::Header::try_from(input) else { return false };
    let kind = (read.addresses.address_family(), read.protocol);
    let known = match kind {
        (AddressFamily::Unspecified, protocol) => protocol == Protocol::Unspecified,
        (_, protocol) => protocol == Protocol::Stream,
    };
    known && read.length() + 16 <= BYTES_MAX && have <= input.len()
}

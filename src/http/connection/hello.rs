//! The first message of a client of TLS, as it lies in the socket unread.
//!
//! Owns when it is there whole, so that a handshake takes a place and a thread's turn only then.
//! Never takes a byte out of the socket, and never judges what the message says: rustls does. Next:
//! `tls`.

use rustix::net::RecvFlags;
use std::io;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Type and version of a record, and the length of what follows (RFC 8446, 5.1).
const HEADER_BYTES: usize = 5;
/// The type of a record that holds a handshake message.
pub(in crate::http) const HANDSHAKE_RECORD: u8 = 0x16;
/// A record in clear is no longer, header included (RFC 8446, 5.1).
const RECORD_BYTES_MAX: usize = HEADER_BYTES + (1 << 14);

/// Waits until the first record is there whole, or anything that is none, or the end.
///
/// # Errors
/// Those of the socket.
pub(in crate::http) async fn whole(socket: &TcpStream) -> io::Result<()> {
    let look = || {
        let mut bytes = [0; RECORD_BYTES_MAX];
        let (_, count) = rustix::net::recv(socket, &mut bytes[..], RecvFlags::PEEK)?;
        if is_whole(&bytes[..count]) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    };
    socket.async_io(Interest::READABLE, look).await
}

/// There is nothing to wait for: the record is there, or it is the end, or no handshake, which is
/// answered at once.
fn is_whole(bytes: &[u8]) -> bool {
    match bytes {
        [HANDSHAKE_RECORD, _, _, upper, lower, ..] => {
            let length = usize::from(u16::from_be_bytes([*upper, *lower]));
            bytes.len() >= (HEADER_BYTES + length).min(RECORD_BYTES_MAX)
        }
        [HANDSHAKE_RECORD, ..] => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_waited_for_to_its_last_byte_and_nothing_else_is() {
        let hello = [[0x16, 3, 1, 0, 4].as_slice(), &[1, 0, 0, 0]].concat();
        for count in 1..hello.len() {
            assert!(!is_whole(&hello[..count]), "{count} bytes");
        }
        assert!(is_whole(&hello));
        for other in [b"".as_slice(), b"G", b"GET / HTTP/1.1", &[0x15, 3, 1, 0, 2]] {
            assert!(is_whole(other), "{other:?}");
        }
        // A length that no record has is rustls's to refuse.
        let long = [[0x16, 3, 1, 0xff, 0xff].as_slice(), &[0; 1 << 14]].concat();
        assert!(is_whole(&long));
        assert!(!is_whole(&long[..long.len() - 1]));
    }
}

//! The end of a connection whose client may still be sending.
//!
//! Owns how long and how much is read and dropped, so that the last answer is read. Next:
//! `listener`, `tls`.

use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A socket that is closed with unread bytes resets the connection, and the client may lose an
/// answer it has not read. So what still comes is read and dropped, for this long, in milliseconds.
const LINGER_MS: u64 = 500;
/// Bytes read past at most.
const LINGER_BYTES: usize = 1024 * 1024;

/// Says that nothing more is sent, and waits for the client to have read it.
pub(in crate::http) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
    let drop_rest = async {
        let mut bytes = [0; 1024];
        let mut left = LINGER_BYTES;
        socket.shutdown().await?;
        while left > 0 {
            match socket.read(&mut bytes).await? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever comes of it, the socket is closed next.
    let _ = tokio::time::timeout(Duration::from_millis(LINGER_MS), drop_rest).await;
}

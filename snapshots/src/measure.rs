//! How long a payload will be, and its hash, before it is written.
//!
//! Owns a sink that counts and hashes. Never keeps what it is given. An image announces its length
//! and digest in [`crate::Meta`], so whoever writes one encodes twice: into this, then into the
//! [`crate::ImageWriter`]. That costs time in the background, and saves every partly written image
//! on a disk that turns out to be full.

use std::io;

use sha2::{Digest, Sha256};

/// Counts and hashes what is written to it.
#[derive(Clone, Default)]
pub struct Measure {
    bytes: u64,
    hasher: Sha256,
}

impl Measure {
    /// Takes more of the payload.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    /// How many bytes there were.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of them all.
    pub fn sha256(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measure").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

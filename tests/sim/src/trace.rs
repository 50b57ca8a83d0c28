//! What a run did, as a number that tells two runs apart, and as text for whoever looks.
//!
//! Owns nothing else. Next: `world`.

use std::fmt::{Arguments, Write};
use std::sync::{Mutex, PoisonError};

/// Everything that happens is noted here.
#[derive(Debug)]
pub(crate) struct Trace {
    inner: Mutex<Inner>,
    /// Whether text is kept at all.
    told: bool,
}

#[derive(Debug)]
struct Inner {
    hash: u64,
    line: String,
    now_us: u64,
    print: bool,
}

impl Trace {
    /// An empty one; `print` shows each line on standard output.
    pub(crate) fn new(print: bool) -> Self {
        let inner = Inner { hash: 0xCBF2_9CE4_8422_2325, line: String::new(), now_us: 0, print };
        Self { inner: Mutex::new(inner), told: print }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that what follows happens at.
    pub(crate) fn at(&self, now_us: u64) {
        self.lock().now_us = now_us;
    }

    /// Notes that something of this kind happened, with the numbers that make it this one.
    pub(crate) fn note(&self, kind: &str, numbers: &[u64], say: Arguments<'_>) {
        let mut inner = self.lock();
        let now_us = inner.now_us;
        let mut hash = inner.hash;
        let mut mix = |number: u64| {
            hash = (hash ^ number).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
        };
        mix(now_us);
        kind.bytes().for_each(|byte| mix(byte.into()));
        numbers.iter().copied().for_each(mix);
        inner.hash = hash;
        if self.told {
            let Inner { line, .. } = &mut *inner;
            line.clear();
            let _ = write!(line, "{:>12.6} {kind:<9} {say}", now_us as f64 / 1e6);
            if inner.print {
                println!("{}", inner.line);
            }
        }
    }

    /// As [`note`](Self::note), with all that the text tells.
    pub(crate) fn tell(&self, kind: &str, say: Arguments<'_>) {
        let text = say.to_string();
        let check = u64::from(crc32fast::hash(text.as_bytes()));
        self.note(kind, &[check, text.len() as u64], format_args!("{text}"));
    }

    /// What tells this run from others.
    pub(crate) fn hash(&self) -> u64 {
        self.lock().hash
    }
}

//! Numbers, texts and lists of a message: how each is read.
//!
//! Owns the position in one message. Never reads beyond it, and takes no space for a length before
//! the bytes are there. Next: `decoder`.

use doorbuster_journal::{FramePlace, JournalEnd};

/// What is left of one message. `None` of a method: the message is shorter than it says, or a
/// value is none that there is.
pub(super) struct Fields<'m> {
    rest: &'m [u8],
}

impl<'m> Fields<'m> {
    pub(super) fn new(rest: &'m [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&mut self) -> &'m [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'m [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// A value that may be missing.
    pub(super) fn maybe<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    /// A text of at most so many bytes.
    pub(super) fn text(&mut self, bytes_max: usize) -> Option<String> {
        let count = usize::from(self.u16()?);
        let bytes = self.bytes(count).filter(|_| count <= bytes_max)?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }

    /// A list of at most so many members. Each takes bytes of the message, so a count that lies
    /// ends it.
    pub(super) fn list<T>(
        &mut self,
        count_max: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::from(self.u16()?);
        if count > count_max {
            return None;
        }
        (0..count).map(|_| read(self)).collect()
    }

    pub(super) fn place(&mut self) -> Option<FramePlace> {
        Some(FramePlace { segment: self.u64()?, offset: self.u64()? })
    }

    pub(super) fn end(&mut self) -> Option<JournalEnd> {
        Some(JournalEnd { place: self.place()?, sequence: self.u64()?, chain: self.u32()? })
    }
}

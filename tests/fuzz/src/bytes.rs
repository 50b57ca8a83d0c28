//! Input bytes as a row of choices. An input that has ended goes on with zeros, so every input is a
//! whole program. Next: `damage`.

/// What is left of an input.
#[derive(Debug, Clone)]
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A choice below `end`; 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let choice = usize::from(self.word());
        if end > 0x1_0000 {
            (choice << 8 | usize::from(self.byte())) % end
        } else {
            choice % end.max(1)
        }
    }

    /// The next bytes, as many as a byte says.
    pub(crate) fn slice(&mut self) -> &'a [u8] {
        let bytes = usize::from(self.byte()).min(self.0.len());
        let (slice, rest) = self.0.split_at(bytes);
        self.0 = rest;
        slice
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

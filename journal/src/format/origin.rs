//! Where a scan starts: at the first sequence, or behind what an image outside the journal holds.
//!
//! Owns the words for it. Never reads a file: `open_segments.rs` finds the segment, `scan.rs` walks from
//! there.

/// How much of the history an image outside the journal holds, and which history that is.
///
/// An image holds only what had been synced, so it vouches for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageEnd {
    /// The last sequence it holds; always the last of its frame.
    pub sequence: u64,
    /// The checksum of the frame of records that ends with this sequence
    /// ([`crate::Frame::image_end`]); not that of a seal or an end mark behind it, which a power cut
    /// may still take away.
    pub chain: u32,
}

/// What a scan starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing: every segment is read, from number 1 on, and every frame is shown.
    #[default]
    Genesis,
    /// As [`Genesis`](Self::Genesis), but beside an image, which vouches for what it holds and must
    /// be of the same history.
    GenesisBeside(ImageEnd),
    /// An image: only the segments behind it are read, the one with the image's last frame
    /// included, and only frames behind it are shown. Older segments may be gone.
    Image(ImageEnd),
}

impl Origin {
    /// The image, if there is one that holds anything.
    pub(crate) fn image(self) -> Option<ImageEnd> {
        match self {
            Self::Genesis => None,
            Self::GenesisBeside(image) | Self::Image(image) => {
                Some(image).filter(|image| image.sequence > 0)
            }
        }
    }

    /// The highest sequence that is vouched for from outside; 0 if none is.
    pub(crate) fn vouched(self) -> u64 {
        self.image().map_or(0, |image| image.sequence)
    }

    /// The image that stands for everything up to its end.
    pub(crate) fn stands_in(self) -> Option<ImageEnd> {
        matches!(self, Self::Image(_)).then(|| self.image())?
    }
}

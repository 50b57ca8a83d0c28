//! Where a scan starts: at the first sequence, or after an image.
//!
//! Owns the types for it. Never reads a file: `read/open_segments.rs` finds the segment, and
//! `read/scan.rs` walks from there.

/// The end of an image: how much of the history it holds, and of which history.
///
/// An image holds only synced records, so it vouches for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageEnd {
    /// The last sequence that it holds; always the last of its frame.
    pub sequence: u64,
    /// The checksum of the frame of records that ends with this sequence
    /// ([`crate::Frame::image_end`]); not that of a seal or an end mark after it, which a power
    /// cut may still take away.
    pub chain: u32,
}

/// The origin of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The start: the scan reads every segment from number 1 on and shows every frame.
    #[default]
    Genesis,
    /// As [`Genesis`](Self::Genesis), but there is an image too. It vouches for what it holds, and
    /// must be of the same history.
    GenesisBeside(ImageEnd),
    /// An image: the scan reads only the segment with the image's last frame and later ones, and
    /// shows only frames after the image. Older segments may be gone.
    Image(ImageEnd),
}

impl Origin {
    /// The image, if there is one and it is not empty.
    pub(crate) fn image(self) -> Option<ImageEnd> {
        match self {
            Self::Genesis => None,
            Self::GenesisBeside(image) | Self::Image(image) => {
                Some(image).filter(|image| image.sequence > 0)
            }
        }
    }

    /// The highest sequence that the image vouches for; 0 without an image.
    pub(crate) fn vouched(self) -> u64 {
        self.image().map_or(0, |image| image.sequence)
    }

    /// The image that replaces all segments before its end.
    pub(crate) fn stands_in(self) -> Option<ImageEnd> {
        matches!(self, Self::Image(_)).then(|| self.image())?
    }
}

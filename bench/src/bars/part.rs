//! What is measured together, and what it is called.
//!
//! Never measures. Next: `table`.

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    Engine,
    Orders,
    Refusals,
    Batches,
    Images,
    Idle,
}

impl Part {
    pub(super) const ALL: [Self; 6] =
        [Self::Engine, Self::Orders, Self::Refusals, Self::Batches, Self::Images, Self::Idle];

    /// What it measures.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Engine => "the engine by itself",
            Self::Orders => "durable orders",
            Self::Refusals => "refusals of a sold-out SKU",
            Self::Batches => "batches",
            Self::Images => "images",
            Self::Idle => "an idle server",
        }
    }
}

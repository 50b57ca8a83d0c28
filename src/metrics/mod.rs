//! What is measured while serving: counters and histograms that cost the path of a request a few
//! nanoseconds each.
//!
//! Every number has one writer: an IO thread its `IoMeter`, the writer its `WriterMeter`, the
//! thread that speaks with other nodes its `CopiesMeter`. Readers add them up. Nothing here locks on
//! the path of a request, allocates there, or reads a clock; nothing is ever reset. Read in this order: `histogram`, `stages`, `meters`, `hot`,
//! `percentiles`, `shown`, `exposition`, `plain`.

mod exposition;
mod histogram;
mod hot;
mod meters;
mod percentiles;
mod plain;
mod shown;
mod stages;

pub use exposition::{Facts, Format, NodeFacts, exposition};
pub use histogram::Copied;
pub use hot::Hot;
pub use meters::{CopiesMeter, IoMeter, Labels, Meters, Outcome, Possible, WriterMeter};
pub use percentiles::percentiles;
pub use stages::{Moments, Stage};

//! What every target offers, and how it fails.
//!
//! Owns the seam between the loop (`worker`) and the targets: where a target stands, and one batch
//! after another. Never waits and never tries again: that is `worker`'s. Next:
//! `worker`; the targets are `tables`, `webhook`, `file`, `nats`, `kafka`.

use crate::config::SinkSettings;
use crate::event::{Event, Position};
use crate::failure::Failure;
use crate::source::Source;

/// Events that go to a target at once, in their order.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) events: &'a [Event],
    /// Where the target stands.
    pub(crate) from: &'a Position,
    /// Where it stands afterwards; the same as `from` where dead letters are sent again.
    pub(crate) to: &'a Position,
}

/// Where a target without a position begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With the state of now, from lists.
    Lists,
    /// With the oldest event that is kept.
    Oldest,
    /// With what happens from now on.
    Now,
}

/// A target.
pub(crate) trait Sink: Send {
    /// Where it begins when it has no position.
    fn beginning(&self) -> Beginning;

    /// Looks whether the target can be reached, is ours and lets us write; writes nothing.
    fn check(&mut self) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Connects anew, makes what is missing, and says where the target stands. After any failure
    /// this tells what of the last batch arrived.
    fn open(&mut self) -> impl Future<Output = Result<Option<Position>, Failure>> + Send;

    /// Stores the position of a target that has none, or that lost the events before it.
    fn begin(
        &mut self,
        from: Option<&Position>,
        to: &Position,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Fills the target from lists, and says where it stands then. Only where it begins with them.
    fn rebuild(
        &mut self,
        from: Option<&Position>,
        source: &Source,
    ) -> impl Future<Output = Result<Position, Failure>> + Send;

    /// Brings a batch there.
    fn apply(
        &mut self,
        batch: &Batch<'_>,
        source: &Source,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Takes settings that were read again; `open` follows.
    fn reload(&mut self, settings: &SinkSettings);
}

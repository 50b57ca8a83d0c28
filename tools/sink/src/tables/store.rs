//! What a database offers to the tables.
//!
//! Owns the seam. A store knows no event's meaning; it loads and stores rows. The position is
//! changed in the same transaction as the rows, and only from where it is expected to be: with
//! another value there another instance is at work. Next: `apply`, `postgres`, `mysql`.

use super::rows::{Changes, DrawRow, EntryRow, OrderRow, SkuRow};
use crate::config::SinkSettings;
use crate::event::Position;
use crate::failure::Failure;

/// A database.
pub(crate) trait Store: Send {
    fn reload(&mut self, settings: &SinkSettings);

    /// Connects and looks whether the tables are ours and may be written; writes nothing.
    fn check(&mut self) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Connects anew, makes or migrates the tables, waits for a transaction of this sink that is
    /// still under way, and gives the position.
    fn open(&mut self) -> impl Future<Output = Result<Option<Position>, Failure>> + Send;

    fn skus(&mut self, ids: &[String])
    -> impl Future<Output = Result<Vec<SkuRow>, Failure>> + Send;

    fn orders(
        &mut self,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<OrderRow>, Failure>> + Send;

    fn draws(
        &mut self,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<DrawRow>, Failure>> + Send;

    /// All or nothing: the position from here (none: there is none) to there, and the rows.
    fn commit(
        &mut self,
        from: Option<&Position>,
        to: &Position,
        changes: &Changes<'_>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Entries of a draw that was not known before; those that are there stay.
    fn add_entries(
        &mut self,
        entries: &[EntryRow],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The draws there are, deleted ones left out.
    fn known_draws(&mut self) -> impl Future<Output = Result<Vec<String>, Failure>> + Send;

    /// Makes room for rows of a rebuild that nobody sees yet.
    fn begin_staging(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Puts rows there.
    fn stage(&mut self, changes: &Changes<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Takes them over, all at once, with the position. Orders that are not among them were
    /// archived; SKUs and draws that are not were deleted.
    fn finish_staging(
        &mut self,
        from: Option<&Position>,
        to: &Position,
        now_ms: i64,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

//! What was shown last: lines, what is settled, how the node stands.
//!
//! Owns it, so that only what changed is said again, and since when records wait. Decides nothing.
//! Next: `standing`.

use crate::cluster::node::Node;
use crate::domain::model::ids::Sequence;
use crate::shared::standing::Standing;

/// The same line for the operator is told once in so long.
const LINE_MS: u64 = 60_000;
/// Lines that are kept to tell whether they are the same.
const LINES_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct Shown {
    pub(super) standing: Standing,
    published: Option<(Sequence, u64)>,
    lines: Vec<(String, u64)>,
    /// By number.
    pub(super) copies: Vec<CopyShown>,
    pub(super) unsettled: Behind,
}

#[derive(Debug, Clone, Default)]
pub(super) struct CopyShown {
    pub(super) acknowledged: Sequence,
    pub(super) behind: Behind,
}

/// Since when something lacks records: a record that it lacks, and when that was there.
#[derive(Debug, Clone, Default)]
pub(super) struct Behind(Option<(Sequence, u64)>);

impl Behind {
    /// Where all is there up to `end`, and `done` is done. A mark that was reached is set anew, so
    /// that a steady stream never looks like one that stands.
    pub(super) fn mark(&mut self, end: Sequence, done: Sequence, now_ms: u64) -> Option<u64> {
        if self.0.is_none_or(|(mark, _)| mark <= done) {
            self.0 = (end > done).then_some((end, now_ms));
        }
        self.0.map(|(_, since_ms)| since_ms)
    }
}

impl Shown {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            standing: Standing::default(),
            published: None,
            lines: Vec::new(),
            copies: vec![CopyShown::default(); nodes],
            unsettled: Behind::default(),
        }
    }

    /// Whether a line was not told lately.
    pub(super) fn is_news(&mut self, text: &str, now_ms: u64) -> bool {
        self.lines.retain(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < LINE_MS);
        if self.lines.len() >= LINES_MAX || self.lines.iter().any(|(line, _)| line == text) {
            return false;
        }
        self.lines.push((text.to_owned(), now_ms));
        true
    }

    /// Whether this was not published last.
    pub(super) fn is_published(&mut self, copied: Sequence, good_until_ms: u64) -> bool {
        self.published.replace((copied, good_until_ms)) != Some((copied, good_until_ms))
    }

    pub(super) fn acknowledge(&mut self, node: Node, end: Sequence) {
        if let Some(copy) = self.copies.get_mut(node.place()) {
            copy.acknowledged = end;
        }
    }
}

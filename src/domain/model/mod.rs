//! The vocabulary: what is asked, what was decided, and what it is about.
//!
//! Read `ids`, `lives` (which start made an id), `command`, `event`, `answer`, `sku`, `order` (the
//! transition table), `draw` (odds and chance), `settings`, `kept` (refusals that are stored
//! whole), `words` (enums whose variants are words).

pub mod answer;
pub mod command;
pub mod draw;
pub mod event;
pub mod ids;
pub mod kept;
pub mod lives;
pub mod order;
pub mod settings;
pub mod sku;
mod words;

//! Images as their users see them.

mod golden;
mod support;

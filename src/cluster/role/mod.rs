//! What a node is, and what it may do: a machine that is told events and says what is to be done.
//!
//! Owns the rules by which an answer outlives a machine. Never reads a clock (each event brings the
//! time of the node, in milliseconds that never go back), opens a socket, draws a number or stores a
//! byte. Trying it in every order is `tests/sim`'s work, which runs this very code.
//!
//! The rules, and where each stands:
//!
//! 1. Settled is what every required node has synced: [`writer`], `settle`.
//! 2. Who is in sync is required: [`writer`], `check`.
//! 3. A copy is no longer required only after the register has let it go: [`as_writer`], `changed`.
//! 4. A copy is required before the register takes it in: [`as_writer`], `change`.
//! 5. A copy is taken in only when it has all that is appended: [`writer`], `is_caught_up`.
//! 6. Only a node in sync claims: [`as_copy`], `may_claim`.
//! 7. One epoch for each process that writes, granted by the register: [`as_copy`], `claim`.
//! 8. What another history lacks is cut behind the common end, never at what is known as settled:
//!    [`as_copy`], `meet`.
//! 9. A claim waits for silence since the start and since the last acknowledgement, unless the own
//!    journal ends in the register's epoch: [`copy`], `is_silent`.
//! 10. A claimant acknowledges nothing until it knows: [`as_copy`], `acknowledge`.
//! 11. Nothing is served before the own `Started` is settled: [`writer`], `good_until_ms`.
//!
//! And a lease ends before a silence does: [`Timing::checked`].
//!
//! Next: `event` for the words, `copy` and `writer` for what is known, `as_copy` and `as_writer` for
//! what events do, `timing`.

mod as_copy;
mod as_writer;
mod copy;
#[cfg(test)]
mod copy_tests;
mod event;
mod machine;
mod proposal;
mod settings;
mod timing;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use event::{EndReason, Meeting, NodeRole, RoleAction, RoleEvent, Seen, SwapOutcome};
pub use machine::RoleMachine;
pub use settings::{Found, RoleSettings};
pub use timing::{BadTiming, Timing};

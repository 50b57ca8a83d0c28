//! Who asks, and what that principal may.
//!
//! Read `tokens` (the file), `identity` (a request's principal), `roles` (the one table of what
//! each may), `origin` (browsers).

pub(in crate::http) mod identity;
pub(in crate::http) mod origin;
pub(in crate::http) mod roles;
pub(in crate::http) mod tokens;

//! Who keeps the register: what any arbiter must be able to do.
//!
//! Owns the two calls and what may become of them. An outcome may be unknown; then the caller asks
//! again with the same operation, and the register shows whether it was done. Next: `etcd`.

use super::register::{Register, Version};
use std::future::Future;

/// A register, and the version at which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// What a swap must name.
    pub version: Version,
    /// What it says.
    pub register: Register,
}

/// What became of a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swapped {
    /// The register holds the proposal, at this version.
    Done(Version),
    /// Another version was found: this one; none where there is no register. The proposal may have
    /// been done by an earlier attempt: its operation tells.
    Refused(Option<Versioned>),
}

/// Why there is no answer to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArbiterError {
    /// Nothing was changed by the call.
    #[error("{0}")]
    Unavailable(String),
    /// The call may have changed the register, and may still do so.
    #[error("{0}; whether the register was changed is not known")]
    Unknown(String),
    /// There is a value where the register should be, and it is none.
    #[error("{0}")]
    Unreadable(String),
}

/// A keeper of one register.
pub trait Arbiter {
    /// Reads the register linearizably: what any change before the call has made of it.
    ///
    /// # Errors
    /// [`ArbiterError::Unavailable`], and [`ArbiterError::Unreadable`].
    fn read(&self) -> impl Future<Output = Result<Option<Versioned>, ArbiterError>> + Send;

    /// Changes the register if it stands at this version; none means that there must be none yet.
    ///
    /// # Errors
    /// As [`ArbiterError`] says.
    fn swap(
        &self,
        expected: Option<Version>,
        proposal: &Register,
    ) -> impl Future<Output = Result<Swapped, ArbiterError>> + Send;
}

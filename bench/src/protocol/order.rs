//! What every protocol is given and what it makes of an answer.
//!
//! Knows no protocol. Next: `http`, `redis`, `postgres`.

/// One unit for one user.
pub(crate) struct Order<'a> {
    pub(crate) sku: &'a str,
    pub(crate) user: &'a str,
    pub(crate) key: &'a str,
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// The order was made, now or before; its answer without the protocol around it.
    Accepted(&'a [u8]),
    /// A business no: sold out, or more than the user may have.
    Refused,
    /// Anything else; what is measured would mean nothing.
    Other,
}

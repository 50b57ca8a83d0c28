//! The names and numbers that the rules speak of, one type each.
//!
//! Owns the patterns of ids (API 1) and the bounds of quantities. Parsing happens once, at the
//! edge: a `SkuId` is always valid. Never formats JSON. Next: `command`.

use compact_str::CompactString;
use smallvec::SmallVec;
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, as the writer stamped them.
pub type Stamp = u64;

/// The gapless number of a journaled event; 0 before the first.
pub type Sequence = u64;

/// Bytes in an id at most (API 1).
pub const ID_BYTES_MAX: usize = 64;
/// Units in one line at most (API 1).
pub const QUANTITY_MAX: u64 = 1_000_000;
/// Units of one SKU at most (API 1).
pub const STOCK_MAX: u64 = 1_000_000_000_000;
/// Lines in one order at most (API 3).
pub const LINES_MAX: usize = 16;
/// Bytes in an order's reference at most (API 3).
pub const REFERENCE_BYTES_MAX: usize = 128;
/// Characters in the reason of an adjustment at most (API 2).
pub const REASON_CHARACTERS_MAX: usize = 200;
/// SKUs in one limit group at most (API 2).
pub const GROUP_SKUS_MAX: usize = 64;
/// Prizes of one draw at most (API 4).
pub const PRIZES_MAX: usize = 100;
/// The largest weight of a prize, or of a blank (API 4).
pub const WEIGHT_MAX: u64 = 1_000_000_000;
/// Bytes in an entry's own seed at most (API 4).
pub const CLIENT_SEED_BYTES_MAX: usize = 64;
/// The first integer that a JSON reader may not hold exactly (API 1): all numbers stay below.
pub const INTEGER_END: u64 = 1 << 53;
/// The longest hold that may be asked for: 30 days (API 3).
pub const HOLD_MS_END: u64 = 2_592_000_000;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

/// Whether each byte may stand in an id.
type Allowed = [bool; 256];

const PLAIN: &Allowed = &allowed(b"._:@-");
const USER_PLAIN: &Allowed = &allowed(b"._:@-+|=~");

/// Letters, digits and `more`.
const fn allowed(more: &[u8]) -> Allowed {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < allowed.len() {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < more.len() {
        allowed[more[at] as usize] = true;
        at += 1;
    }
    allowed
}

#[inline]
fn checked(text: &str, allowed: &Allowed) -> Result<CompactString, BadId> {
    let sized = (1..=ID_BYTES_MAX).contains(&text.len());
    let dots = matches!(text.as_bytes(), b"." | b"..");
    if !sized || dots || !text.bytes().all(|byte| allowed[usize::from(byte)]) {
        return Err(BadId);
    }
    Ok(CompactString::new(text))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(CompactString);

        impl $name {
            /// Takes a text that matches the pattern of API 1.
            ///
            /// # Errors
            /// `BadId` when it does not.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                checked(text, $allowed).map(Self)
            }

            /// The id as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// What is sold: `[A-Za-z0-9._:@-]{1,64}`, not `.` or `..`.
    SkuId,
    PLAIN
);
text_id!(
    /// Who buys: the pattern of `SkuId`, and `+ | = ~` too.
    UserId,
    USER_PLAIN
);
text_id!(
    /// SKUs that share their users' limits: the pattern of `SkuId`.
    GroupId,
    PLAIN
);
text_id!(
    /// What is drawn for: the pattern of `SkuId`.
    DrawId,
    PLAIN
);
text_id!(
    /// Who asked: the name of a token, or `local` where no tokens are configured.
    PrincipalName,
    PLAIN
);

impl PrincipalName {
    /// The principal of a server without tokens (API 6).
    #[must_use]
    pub fn local() -> Self {
        Self(CompactString::const_new("local"))
    }
}

/// An order's id: the epoch it was created in, and the sequence of the event that created it.
///
/// The sequence alone is unique in one journal; the epoch makes an id of a lost future, after an
/// accepted loss of the tail, unequal to its successor. Where a directory was put back the epoch is
/// counted again, so what clients see, and must treat as opaque (API 1), names the epoch's life:
/// `lives` writes and reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId {
    /// The event that created it.
    pub sequence: Sequence,
    /// The start of the server it was created in, from 1.
    pub epoch: u32,
}

/// The claim on an idempotency key: which key, and what was asked under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyClaim {
    /// 128-bit keyed hash of principal and key.
    pub hash: u128,
    /// Keyed hash of method, path, If-Match and the command as parsed.
    pub fingerprint: u64,
}

/// A W3C trace context, as it came in: trace id, parent id and flags of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// Trace id, not all zero.
    pub trace: [u8; 16],
    /// Parent span id, not all zero.
    pub parent: [u8; 8],
    /// Trace flags.
    pub flags: u8,
}

/// One line of an order as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRequest {
    pub sku: SkuId,
    /// How many, 1..=`QUANTITY_MAX`.
    pub quantity: u32,
}

/// The lines of an order as asked for; one line needs no allocation.
pub type LineRequests = SmallVec<[LineRequest; 1]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_match_the_pattern_of_the_contract() {
        for good in ["A", "a.b_c:d@e-f", "...", &"x".repeat(64)] {
            assert!(SkuId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", "a+b", &"x".repeat(65), "a\0"] {
            assert!(SkuId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(UserId::parse("a+b|c=d~e").is_ok());
    }
}

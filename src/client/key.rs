//! Idempotency keys: what makes several attempts one request.

use hyper::header::HeaderValue;
use std::fmt;

/// The longest key, in bytes (API 1).
const KEY_BYTES_MAX: usize = 255;

/// An idempotency key: 1 to 255 printable ASCII characters. One for each thing that is to happen
/// once, kept until it is known to have happened.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// A key of this text, or why it is none.
    pub(super) fn parse(text: String) -> Result<Self, &'static str> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let edges = text.starts_with(['"', ' ']) || text.ends_with(' ');
        if !printable || edges || !(1..=KEY_BYTES_MAX).contains(&text.len()) {
            return Err(
                "must be 1 to 255 printable ASCII characters, without a quotation mark at \
                        the start or a space at an end",
            );
        }
        Ok(Self(text))
    }

    /// A key of these bits.
    pub(super) fn of_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("printable ASCII is a header's value")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_a_header_carries_unchanged() {
        for good in ["k", "cart 17", "a\"b", &"x".repeat(255)] {
            assert_eq!(Key::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "\"k\"", " k", "k ", "k\n", "ä", &"x".repeat(256)] {
            assert!(Key::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn random_keys_differ() {
        assert_ne!(Key::random().unwrap(), Key::random().unwrap());
    }
}

//! Idempotency keys: what makes several attempts one request.

use super::Error;
use hyper::header::HeaderValue;
use std::fmt;

/// The longest key, in bytes (API 1).
const KEY_BYTES_MAX: usize = 255;

/// An idempotency key: 1 to 255 printable ASCII characters. One for each thing that is to happen
/// once, kept until it is known to have happened.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// A key of the caller's making, such as the id of a cart.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is empty, too long, not printable ASCII, or has a quotation mark or
    /// a space at an end, which mean something else in a header.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let edges = text.starts_with(['"', ' ']) || text.ends_with(' ');
        if !printable || edges || !(1..=KEY_BYTES_MAX).contains(&text.len()) {
            return Err(Error::invalid(
                "key",
                "must be 1 to 255 printable ASCII characters, without a quotation mark at the \
                 start or a space at an end",
            ));
        }
        Ok(Self(text))
    }

    /// A key that nobody else has: 128 random bits.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the system has no randomness to give.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|cause| Error::invalid("key", cause.to_string()))?;
        Ok(Self(format!("{:032x}", u128::from_le_bytes(bytes))))
    }

    /// Its text.
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

//! The body of a new order as nearly everybody sends it, read in one pass without a tree of values.
//!
//! Owns no rule: it takes only bodies in which everything is plain, known, of its type and in range,
//! and gives the order that `orders::create` would. Anything else, a fault above all, is for that to
//! read and to tell. Next: `orders`.

use crate::domain::command::{CreateOrder, Take};
use crate::domain::ids::{
    HOLD_MS_END, LINES_MAX, LineRequest, LineRequests, QUANTITY_MAX, REFERENCE_BYTES_MAX, SkuId,
    UserId,
};
use compact_str::CompactString;

/// Digits that fit into 64 bits whatever they are.
const DIGITS_MAX: usize = 18;

/// What is left of a body.
struct Text<'b>(&'b [u8]);

/// The order, if the body is a plain one.
pub(super) fn read(body: &[u8]) -> Option<CreateOrder> {
    let mut text = Text(body);
    let (mut user, mut lines, mut hold_ms) = (None, None, None);
    let (mut confirm, mut reference) = (None, None);
    text.members(|name, text| match name {
        b"user" => once(&mut user, UserId::parse(text.string()?).ok()?),
        b"lines" => once(&mut lines, text.lines()?),
        b"hold_ms" => once(&mut hold_ms, text.natural(HOLD_MS_END)?),
        b"confirm" => once(&mut confirm, text.boolean()?),
        b"reference" => once(&mut reference, text.reference()?),
        _ => None,
    })?;
    text.space();
    let take = match (confirm.unwrap_or(false), hold_ms) {
        (false, hold_ms) => Take::Hold(hold_ms),
        (true, None) => Take::Sell,
        (true, Some(_)) => return None,
    };
    let whole = text.0.is_empty();
    whole.then_some(CreateOrder { user: user?, lines: lines?, reference, take })
}

/// A member stands once.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

impl<'b> Text<'b> {
    fn space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        self.space();
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// An object; `member` takes the value behind each name.
    fn members(&mut self, mut member: impl FnMut(&[u8], &mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        loop {
            let name = self.plain()?;
            self.expect(b':')?;
            member(name, self)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A string of ASCII without escapes.
    fn string(&mut self) -> Option<&'b str> {
        str::from_utf8(self.plain()?).ok()
    }

    /// The bytes of such a string.
    fn plain(&mut self) -> Option<&'b [u8]> {
        self.expect(b'"')?;
        let plain = |byte: &u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
        let bytes = self.0.iter().take_while(|byte| plain(byte)).count();
        let (text, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// A plain integer, 1..=`most`.
    fn natural(&mut self, most: u64) -> Option<u64> {
        self.space();
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(digits)?;
        if digits.len() > DIGITS_MAX || digits.first().is_none_or(|first| *first == b'0') {
            return None;
        }
        self.0 = rest;
        let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        (number <= most).then_some(number)
    }

    fn boolean(&mut self) -> Option<bool> {
        self.space();
        let (value, rest) = match self.0 {
            [b't', b'r', b'u', b'e', rest @ ..] => (true, rest),
            [b'f', b'a', b'l', b's', b'e', rest @ ..] => (false, rest),
            _ => return None,
        };
        self.0 = rest;
        Some(value)
    }

    fn reference(&mut self) -> Option<CompactString> {
        let reference = self.string()?;
        let sized = (1..=REFERENCE_BYTES_MAX).contains(&reference.len());
        sized.then(|| CompactString::new(reference))
    }

    fn lines(&mut self) -> Option<LineRequests> {
        self.expect(b'[')?;
        let mut lines = LineRequests::new();
        loop {
            let line = self.line()?;
            if lines.len() == LINES_MAX || lines.iter().any(|other| other.sku == line.sku) {
                return None;
            }
            lines.push(line);
            match self.next()? {
                b',' => {}
                b']' => return Some(lines),
                _ => return None,
            }
        }
    }

    fn line(&mut self) -> Option<LineRequest> {
        let (mut sku, mut quantity) = (None, None);
        self.members(|name, text| match name {
            b"sku" => once(&mut sku, SkuId::parse(text.string()?).ok()?),
            b"qty" => once(&mut quantity, text.natural(QUANTITY_MAX)?),
            _ => None,
        })?;
        Some(LineRequest { sku: sku?, quantity: u32::try_from(quantity?).ok()? })
    }
}

#[cfg(test)]
#[path = "plain_order_tests.rs"]
mod tests;

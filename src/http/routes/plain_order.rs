//! A new order as nearly everybody sends it, in a body or a line of a batch, read in one pass
//! without a tree of values.
//!
//! Owns no rule: it takes only texts in which everything is plain, known, of its type and in range,
//! and gives the order that `orders::create` would. Anything else, a fault above all, is for that
//! to read and to tell. Next: `orders`, `batch`.

use crate::domain::model::command::{CreateOrder, Take};
use crate::domain::model::ids::{
    HOLD_MS_END, LINES_MAX, LineRequest, LineRequests, QUANTITY_MAX, REFERENCE_BYTES_MAX, SkuId,
    UserId,
};
use compact_str::CompactString;

/// Digits that fit into 64 bits whatever they are.
const DIGITS_MAX: usize = 18;

/// What a string holds as it stands: ASCII that needs no escape and is none.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    plain
};

/// What is left of a body.
struct Text<'b>(&'b [u8]);

/// The order, if the body is a plain one.
pub(super) fn read(body: &[u8]) -> Option<CreateOrder> {
    let (mut text, mut members) = (Text(body), Members::default());
    text.members(|name, text| members.take(name, text))?;
    text.ends()?;
    members.order()
}

/// The order and its key as they stand there, if the line of a batch is a plain order.
pub(super) fn read_line(line: &[u8]) -> Option<(CreateOrder, &[u8])> {
    let (mut text, mut members) = (Text(line), Members::default());
    let (mut op, mut key) = (None, None);
    text.members(|name, text| match name {
        b"op" => once(&mut op, text.plain().filter(|op| *op == b"order")?),
        b"key" => once(&mut key, text.plain()?),
        _ => members.take(name, text),
    })?;
    text.ends()?;
    op?;
    Some((members.order()?, key?))
}

/// What the members of an order say.
#[derive(Default)]
struct Members {
    user: Option<UserId>,
    lines: Option<LineRequests>,
    hold_ms: Option<u64>,
    confirm: Option<bool>,
    reference: Option<CompactString>,
}

impl Members {
    fn take(&mut self, name: &[u8], text: &mut Text<'_>) -> Option<()> {
        match name {
            b"user" => once(&mut self.user, UserId::parse(text.string()?).ok()?),
            b"lines" => once(&mut self.lines, text.lines()?),
            b"hold_ms" => once(&mut self.hold_ms, text.natural(HOLD_MS_END)?),
            b"confirm" => once(&mut self.confirm, text.boolean()?),
            b"reference" => once(&mut self.reference, text.reference()?),
            _ => None,
        }
    }

    fn order(self) -> Option<CreateOrder> {
        let Self { user, lines, hold_ms, confirm, reference } = self;
        let take = match (confirm.unwrap_or(false), hold_ms) {
            (false, hold_ms) => Take::Hold(hold_ms),
            (true, None) => Take::Sell,
            (true, Some(_)) => return None,
        };
        Some(CreateOrder { user: user?, lines: lines?, reference, take })
    }
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

    /// There is nothing more.
    fn ends(&mut self) -> Option<()> {
        self.space();
        self.0.is_empty().then_some(())
    }

    /// An object; `member` takes the value after each name.
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
        let bytes = self.0.iter().take_while(|byte| PLAIN[usize::from(**byte)]).count();
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
pub(super) mod tests;

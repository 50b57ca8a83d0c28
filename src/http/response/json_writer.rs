//! Bodies as they go out: the only writer of JSON.
//!
//! Owns names and order of all members (API 2 and 3). Writes into one buffer, without formatting
//! machinery, because most of what the server sends is one order. Never decides a status. Next:
//! `answers`.

use super::problem::{Code, Member, Problem};
use super::response_buffer::ResponseBuffer;
use crate::domain::model::answer::{OrderView, SkuView};
use crate::domain::model::command::SkuSettings;
use crate::domain::model::ids::{OrderId, Sequence, SkuId, Stamp};
use crate::domain::model::lives::Lives;
use crate::domain::model::order::Status;
use crate::shared::instant;
use std::sync::LazyLock;

/// Room for an order of a line or two, and for the header that says where it is.
const BODY_BYTES: usize = 320 + HEADER_BYTES;
/// Room for the value of a header.
const HEADER_BYTES: usize = 48;

/// What people are told of an order that cannot be had.
pub(in crate::http) const SOLD_OUT: &str = "fewer units are available than requested";

/// JSON in the making.
#[derive(Debug)]
pub(in crate::http) struct Json {
    out: ResponseBuffer,
}

impl Json {
    pub(in crate::http) fn new() -> Self {
        Self { out: ResponseBuffer::of(BODY_BYTES) }
    }

    /// For a header's value: it fits after the body that it belongs to.
    pub(in crate::http) fn short() -> Self {
        Self { out: ResponseBuffer::of(HEADER_BYTES) }
    }

    /// What is written so far.
    pub(in crate::http) fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    /// Begins anew, in the same buffer.
    pub(in crate::http) fn clear(&mut self) {
        self.out.clear();
    }

    /// A body that was rendered before.
    pub(in crate::http) fn rendered(&mut self, body: &[u8]) {
        self.out.extend(body);
    }

    pub(in crate::http) fn into_bytes(self) -> bytes::Bytes {
        self.out.cut()
    }

    /// Text that is JSON already: punctuation, names, words and ids, none of which need escapes.
    pub(in crate::http) fn raw(&mut self, text: &str) {
        self.out.extend(text.as_bytes());
    }

    pub(in crate::http) fn number(&mut self, number: u64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    /// A string of any content.
    pub(in crate::http) fn text(&mut self, text: &str) {
        let escaped = |byte: u8| matches!(byte, 0..0x20 | b'"' | b'\\');
        if !text.bytes().any(escaped) {
            return self.id(text);
        }
        self.raw("\"");
        for byte in text.bytes() {
            match byte {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                0..0x20 => {
                    self.raw(if byte < 0x10 { "\\u000" } else { "\\u001" });
                    self.out.extend(&[b"0123456789abcdef"[usize::from(byte & 15)]]);
                }
                _ => self.out.extend(&[byte]),
            }
        }
        self.raw("\"");
    }

    pub(in crate::http) fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub(in crate::http) fn instant(&mut self, stamp: Stamp) {
        self.raw("\"");
        self.out.extend(&instant::format(stamp));
        self.raw("\"");
    }

    pub(in crate::http) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.raw("null"),
        }
    }

    /// Bytes as a string of hexadecimal digits.
    pub(in crate::http) fn hex(&mut self, bytes: &[u8]) {
        self.raw("\"");
        self.digits(bytes);
        self.raw("\"");
    }

    /// The same inside a string.
    pub(in crate::http) fn digits(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in bytes {
            self.out.extend(&[4, 0].map(|shift| DIGITS[usize::from(byte >> shift & 15)]));
        }
    }

    /// A string that needs no escapes, like an id of ours.
    pub(in crate::http) fn id(&mut self, id: &str) {
        self.raw("\"");
        self.raw(id);
        self.raw("\"");
    }

    pub(in crate::http) fn order_id(&mut self, lives: &Lives, id: OrderId) {
        self.raw("\"");
        self.place(lives, id);
        self.raw("\"");
    }

    /// An id inside a string: of an order, or of an event.
    pub(in crate::http) fn place(&mut self, lives: &Lives, id: OrderId) {
        match lives.life_text(id.epoch) {
            Some(life) => self.out.extend(&life),
            None => self.number(u64::from(id.epoch)),
        }
        self.raw("-");
        self.number(id.sequence);
    }

    pub(in crate::http) fn list<T>(
        &mut self,
        entries: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.raw("[");
        for (at, entry) in entries.into_iter().enumerate() {
            if at > 0 {
                self.raw(",");
            }
            write(self, entry);
        }
        self.raw("]");
    }
}

/// All of an order but its lines; from its view, or from a request and the numbers of its answer.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct OrderHead<'o> {
    pub(in crate::http) id: OrderId,
    pub(in crate::http) user: &'o str,
    pub(in crate::http) status: Status,
    pub(in crate::http) reference: Option<&'o str>,
    pub(in crate::http) created_at: Stamp,
    pub(in crate::http) expires_at: Option<Stamp>,
    pub(in crate::http) changed_sequence: Sequence,
}

/// A line of an order: SKU, units ordered, units given back.
type Line<'o> = (&'o SkuId, u32, u32);

pub(in crate::http) fn order<'o>(
    json: &mut Json,
    lives: &Lives,
    head: OrderHead<'_>,
    lines: impl IntoIterator<Item = Line<'o>>,
    sequence: Sequence,
) {
    json.raw("{\"id\":");
    json.order_id(lives, head.id);
    json.raw(",\"user\":");
    json.id(head.user);
    json.raw(",\"status\":");
    json.id(head.status.as_str());
    json.raw(",\"lines\":");
    json.list(lines, |json, (sku, quantity, refunded)| {
        json.raw("{\"sku\":");
        json.id(sku.as_str());
        json.raw(",\"qty\":");
        json.number(u64::from(quantity));
        json.raw(",\"refunded_qty\":");
        json.number(u64::from(refunded));
        json.raw("}");
    });
    json.raw(",\"reference\":");
    json.maybe(head.reference, Json::text);
    json.raw(",\"created_at\":");
    json.instant(head.created_at);
    json.raw(",\"expires_at\":");
    json.maybe(head.expires_at, Json::instant);
    json.raw(",\"changed_seq\":");
    json.number(head.changed_sequence);
    end(json, sequence);
}

pub(in crate::http) fn order_view(
    json: &mut Json,
    lives: &Lives,
    view: &OrderView,
    sequence: Sequence,
) {
    let head = OrderHead {
        id: view.order,
        user: view.user.as_str(),
        status: view.status,
        reference: view.reference.as_deref(),
        created_at: view.created_at,
        expires_at: view.expires_at,
        changed_sequence: view.changed_sequence,
    };
    let lines = view.lines.iter().map(|line| (&line.sku, line.quantity, line.refunded));
    order(json, lives, head, lines, sequence);
}

pub(in crate::http) fn sku(json: &mut Json, view: &SkuView, sequence: Sequence) {
    json.raw("{\"sku\":");
    json.id(view.sku.as_str());
    for (name, units) in [
        (",\"total\":", view.total),
        (",\"available\":", view.available()),
        (",\"held\":", view.held),
        (",\"sold\":", view.sold),
    ] {
        json.raw(name);
        json.number(units);
    }
    json.raw(",\"refused\":{");
    for (at, (reason, count)) in view.refused.iter().enumerate() {
        json.raw(if at > 0 { ",\"" } else { "\"" });
        json.raw(reason.as_str());
        json.raw("\":");
        json.number(count);
    }
    let settings = &view.settings;
    json.raw("},");
    self::settings(json, settings);
    json.raw(",\"version\":");
    json.number(view.version);
    json.raw(",\"seq\":");
    json.number(sequence);
    json.raw(",\"now\":");
    json.instant(view.now);
    json.raw("}");
}

/// What operators chose for a SKU.
pub(in crate::http) fn settings(json: &mut Json, settings: &SkuSettings) {
    json.raw("\"per_user_limit\":");
    json.number(settings.per_user_limit);
    json.raw(",\"limit_group\":");
    json.maybe(settings.limit_group.as_ref(), |json, group| json.id(group.as_str()));
    window_and_hold(json, (settings.opens_at, settings.closes_at), settings.hold_ms);
    json.raw(",\"paused\":");
    json.boolean(settings.paused);
    json.raw(",\"direct\":");
    json.boolean(settings.direct);
}

/// When a sale or a draw is open, and how long what comes of it is held; members in the middle.
pub(in crate::http) fn window_and_hold(
    json: &mut Json,
    (opens_at, closes_at): (Option<Stamp>, Option<Stamp>),
    hold_ms: Option<u64>,
) {
    json.raw(",\"opens_at\":");
    json.maybe(opens_at, Json::instant);
    json.raw(",\"closes_at\":");
    json.maybe(closes_at, Json::instant);
    json.raw(",\"hold_ms\":");
    json.maybe(hold_ms, Json::number);
}

/// The last member of nearly every body, and its end.
pub(in crate::http) fn end(json: &mut Json, sequence: Sequence) {
    json.raw(",\"seq\":");
    json.number(sequence);
    json.raw("}");
}

/// What every problem begins with, up to the words that may differ with each.
fn problem_words(json: &mut Json, code: Code, detail: &str) {
    json.raw("{\"type\":\"urn:doorbuster:problem:");
    json.raw(code.as_str());
    json.raw("\",\"title\":\"");
    json.raw(code.title());
    json.raw("\",\"status\":");
    json.number(u64::from(code.status()));
    json.raw(",\"detail\":");
    json.text(detail);
    json.raw(",\"code\":\"");
    json.raw(code.as_str());
    json.raw("\",\"retryable\":");
}

fn retry(json: &mut Json, retryable: bool, retry_after_ms: Option<u64>) {
    json.boolean(retryable);
    if let Some(after_ms) = retry_after_ms {
        json.raw(",\"retry_after_ms\":");
        json.number(after_ms);
    }
}

/// The problem of an order of which one line is short, without a `Problem` to be made first.
pub(in crate::http) fn sold_out(
    json: &mut Json,
    (sku, requested, available, held): (&SkuId, u64, u64, u64),
    retry_after_ms: Option<u64>,
    sequence: Sequence,
) {
    // The same of all of them, and there may be a hundred thousand in a second.
    static WORDS: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut words = Json::new();
        problem_words(&mut words, Code::SoldOut, SOLD_OUT);
        words.bytes().to_vec()
    });
    json.rendered(&WORDS);
    retry(json, retry_after_ms.is_some(), retry_after_ms);
    json.raw(",\"lines\":[");
    short_line(json, sku, [requested, available, held]);
    json.raw("]");
    end(json, sequence);
}

pub(in crate::http) fn problem(json: &mut Json, problem: &Problem) {
    let Problem { code, detail, retryable, retry_after_ms, .. } = problem;
    problem_words(json, *code, detail);
    retry(json, *retryable, *retry_after_ms);
    for (name, value) in &problem.members {
        json.raw(",\"");
        json.raw(name);
        json.raw("\":");
        member(json, value);
    }
    match problem.sequence {
        Some(sequence) => end(json, sequence),
        None => json.raw("}"),
    }
}

fn member(json: &mut Json, value: &Member) {
    match value {
        Member::Text(text) => json.text(text),
        Member::MaybeText(text) => json.maybe(text.as_deref(), Json::text),
        Member::Number(number) => json.number(*number),
        Member::MaybeNumber(number) => json.maybe(*number, Json::number),
        Member::Instant(stamp) => json.instant(*stamp),
        Member::Faults(faults) => json.list(faults, |json, fault| {
            json.raw("{\"field\":");
            json.text(&fault.field);
            json.raw(",\"reason\":");
            json.text(&fault.reason);
            json.raw("}");
        }),
        Member::Lines(lines) => json.list(lines, |json, line| {
            short_line(json, &line.sku, [line.requested, line.available, line.held]);
        }),
    }
}

fn short_line(json: &mut Json, sku: &SkuId, [requested, available, held]: [u64; 3]) {
    json.raw("{\"sku\":");
    json.id(sku.as_str());
    json.raw(",\"requested\":");
    json.number(requested);
    json.raw(",\"available\":");
    json.number(available);
    json.raw(",\"held\":");
    json.number(held);
    json.raw("}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_valid_json_that_reads_back() {
        let mut every: String = (0..0x100_u32).filter_map(char::from_u32).collect();
        every.push_str("…\u{2028}\u{10ffff}");
        let mut json = Json::new();
        json.text(&every);
        let read: String = serde_json::from_slice(&json.into_bytes()).unwrap();
        assert_eq!(read, every);
    }

    #[test]
    fn a_problem_has_one_shape() {
        let mut refused = Problem::new(Code::UnknownSku, "no SKU \"A\"")
            .with("sku", Member::Text("A".into()))
            .with("number", Member::MaybeNumber(None));
        refused.sequence = Some(7);
        let mut json = Json::new();
        problem(&mut json, &refused);
        assert_eq!(
            json.into_bytes(),
            r#"{"type":"urn:doorbuster:problem:unknown_sku","title":"There is no such SKU","status":404,"detail":"no SKU \"A\"","code":"unknown_sku","retryable":false,"sku":"A","number":null,"seq":7}"#
        );
    }
}

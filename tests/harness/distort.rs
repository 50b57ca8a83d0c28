//! Requests that are nearly valid: numbers at their borders, wrong types, names twice, ids of
//! others.
//!
//! Owns what is done to a valid request, from a seed. Each is still one request with a head that
//! can be read; what it means now is for `understand` to say. Never sends anything. Next:
//! `framing`.

use doorbuster_test_support::client::Ask;
use doorbuster_test_support::random::Random;
use serde_json::Value;

/// Values as they are written, for any member.
const VALUES: [&str; 46] = [
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1e0",
    "1E+2",
    "01",
    "+1",
    "0x1",
    ".5",
    "NaN",
    "1000000",
    "1000001",
    "1000000000",
    "1000000001",
    "1000000000000",
    "1000000000001",
    "-1000000000000",
    "2592000000",
    "2592000001",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[{}]",
    "\"\"",
    "\"1\"",
    "\".\"",
    "\"..\"",
    "\"A\"",
    "\"\\u0041\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"u|1=~+\"",
    "\"reacquire\"",
    "\"1970-01-01T00:00:00.000Z\"",
    "\"9999-12-31T23:59:59.999+00:01\"",
];

/// Names of members, as they are written.
const NAMES: [&str; 12] = [
    "stock",
    "hold_ms",
    "confirm",
    "user",
    "lines",
    "qty",
    "\\u0075ser",
    "l\\u0069nes",
    "",
    "__proto__",
    "\\u0000",
    "Stock",
];

/// Ids, as a path has them.
const IDS: [&str; 16] = [
    "A",
    "B",
    "never",
    ".",
    "..",
    "",
    "%2e",
    "%41",
    "a%2Fb",
    "%00",
    "%FF",
    "%",
    "1-1",
    "1-2",
    "zzzzzzzz-18446744073709551615",
    "18446744073709551615-0",
];

/// Sequences behind an order's life.
const SEQUENCES: [&str; 7] =
    ["0", "1", "007", "+7", "18446744073709551615", "18446744073709551616", "x"];

const LIMITS: [&str; 7] = ["0", "1", "2", "100", "101", "-1", "1e1"];

/// Something that takes the place of a value, until it is written as it shall be.
fn mark(number: usize) -> String {
    format!("\u{e000}{number}\u{e000}")
}

fn pick<'v>(random: &mut Random, values: &[&'v str]) -> &'v str {
    values[random.place(values.len())]
}

/// A value as it is written.
fn value(random: &mut Random) -> String {
    match random.below(20) {
        // Tables fill up with them.
        0..4 => format!("\"guest{}\"", random.below(60)),
        4 => format!("\"{}\"", "x".repeat(random.between(60, 70) as usize)),
        5 => format!("\"{}\"", "x".repeat(random.between(120, 260) as usize)),
        // Longer ones are none that every reader can hold as a number.
        6 => "9".repeat(random.between(15, 300) as usize),
        7 => {
            let depth = random.between(1, 200) as usize;
            "[".repeat(depth) + &"]".repeat(depth)
        }
        8 => "{\"a\":".repeat(5) + "1" + &"}".repeat(5),
        _ => pick(random, &VALUES).to_owned(),
    }
}

/// A JSON text, changed in one or two places.
pub(crate) fn json(random: &mut Random, text: &str) -> String {
    let Ok(mut whole) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let mut written = Vec::new();
    for _ in 0..random.between(1, 2) {
        change(random, &mut whole, &mut written);
    }
    let mut text = whole.to_string();
    for (number, value) in written.iter().enumerate() {
        text = text.replace(&format!("\"{}\"", mark(number)), value);
    }
    if random.percent(15) && text.starts_with('{') && text.len() > 2 {
        let member = format!("{{\"{}\":{},", pick(random, &NAMES), value(random));
        text = member + &text[1..];
    }
    text
}

fn change(random: &mut Random, whole: &mut Value, written: &mut Vec<String>) {
    let goes_deeper = random.percent(60);
    let mut marked = |random: &mut Random| {
        written.push(value(random));
        Value::String(mark(written.len() - 1))
    };
    match whole {
        Value::Object(members) if !members.is_empty() => {
            let at = random.place(members.len());
            let name = members.keys().nth(at).expect("one of them").clone();
            match &mut members[&name] {
                inner @ (Value::Object(_) | Value::Array(_)) if goes_deeper => {
                    change(random, inner, written);
                }
                _ if random.percent(15) => drop(members.remove(&name)),
                inner => *inner = marked(random),
            }
        }
        Value::Array(list) if !list.is_empty() => {
            let at = random.place(list.len());
            match random.below(6) {
                0 => list.push(list[at].clone()),
                1 => list.extend(vec![list[at].clone(); 20]),
                2 => list.clear(),
                3 => list[at] = marked(random),
                _ => change(random, &mut list[at], written),
            }
        }
        other => *other = marked(random),
    }
}

/// Any request, changed.
pub(crate) fn request(random: &mut Random, mut ask: Ask) -> Ask {
    match random.below(20) {
        0..10 if ask.body.is_some() => {
            ask.body = ask.body.map(|body| json(random, &body));
        }
        10 if ask.body.is_some() => ask.body = ask.body.map(|body| whole_body(random, &body)),
        11 => method(random, &mut ask),
        12 | 13 => header(random, &mut ask),
        14 => key(random, &mut ask),
        _ => path(random, &mut ask),
    }
    ask
}

fn whole_body(random: &mut Random, body: &str) -> String {
    match random.below(10) {
        0 => format!("\u{feff}{body}"),
        1 => format!("{body}{body}"),
        2 => format!("[{body}]"),
        3 => format!(" \t\r\n{body}\n "),
        4 => format!("{body}{}", " ".repeat(random.between(1, 70_000) as usize)),
        5 => body[..body.len() - 1].to_owned(),
        6 => String::new(),
        7 => "null".to_owned(),
        8 => "[".repeat(30_000),
        _ => format!("{body}\0"),
    }
}

fn method(random: &mut Random, ask: &mut Ask) {
    ask.method = ["GET", "POST", "PUT", "PATCH", "DELETE"][random.place(5)];
    if matches!(ask.method, "GET" | "DELETE") {
        ask.body = None;
    }
}

/// The value of a header that is there goes.
fn without(ask: &mut Ask, name: &str) {
    ask.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
}

fn set(ask: &mut Ask, name: &str, value: &str) {
    without(ask, name);
    ask.headers.push((name.to_owned(), value.to_owned()));
}

fn header(random: &mut Random, ask: &mut Ask) {
    let is_conditional = ask.headers.iter().any(|(name, _)| name == "If-Match");
    match random.below(4) {
        0 if is_conditional => {
            let tags =
                ["*", "", "1", "\"1\"", "W/\"1\"", "\"01\"", "\"1\", \"x\"", "\"", ",,", "\"a b\""];
            set(ask, "If-Match", pick(random, &tags));
        }
        1 if ask.body.is_some() => {
            let kinds = [
                "application/json; charset=utf-8",
                "Application/JSON",
                "application/json;;",
                "application/json; charset=latin1",
                "text/plain",
                "application/merge-patch+json",
                "application/x-ndjson",
                "",
            ];
            set(ask, "Content-Type", pick(random, &kinds));
        }
        2 => {
            let timeouts = ["1", "0", "60000", "-1", "1.5", "9007199254740991", "9007199254740992"];
            set(ask, "Request-Timeout-Ms", pick(random, &timeouts));
        }
        _ => {
            let known = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-0", ""];
            set(ask, "traceparent", pick(random, &known));
        }
    }
}

fn key(random: &mut Random, ask: &mut Ask) {
    let key = crate::understand::header(ask, "Idempotency-Key").unwrap_or("none").to_owned();
    match random.below(9) {
        0 => without(ask, "Idempotency-Key"),
        1 => set(ask, "Idempotency-Key", &format!("\"{key}\"")),
        2 => ask.headers.push(("idempotency-key".to_owned(), key)),
        3 => set(ask, "Idempotency-Key", ""),
        4 => set(ask, "Idempotency-Key", &"k".repeat(255)),
        5 => set(ask, "Idempotency-Key", &"k".repeat(256)),
        6 => set(ask, "Idempotency-Key", "\"a\\\"b\\\\c\""),
        7 => set(ask, "Idempotency-Key", "k\u{e4}"),
        _ => set(ask, "Idempotency-Key", &format!("stray{}", random.below(30))),
    }
}

fn path(random: &mut Random, ask: &mut Ask) {
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    let last = segments.len() - 1;
    let id = segments.get(3).cloned();
    match (random.below(10), id) {
        (0..4, Some(id)) => segments[3] = another_id(random, &id),
        (4, Some(id)) if id.is_ascii() && !id.is_empty() => {
            let at = random.place(id.len());
            let byte = id.as_bytes()[at];
            segments[3] = format!("{}%{byte:02x}{}", &id[..at], &id[at + 1..]);
        }
        (5, _) => segments.push(String::new()),
        (6, _) => segments[last] = segments[last].to_uppercase(),
        (7, _) => segments.insert(last, String::new()),
        _ => {}
    }
    let query = match random.below(6) {
        0 => format!("{query}&limit={}", pick(random, &LIMITS)),
        1 => format!("limit={}", pick(random, &LIMITS)),
        2 => format!("limit=2&cursor={}", pick(random, &IDS)),
        3 => format!("after={}", pick(random, &["0", "1", "4294967295", "4294967296", "-1", "x"])),
        4 => format!("{query}&verbose=1"),
        _ => query.to_owned(),
    };
    let path = segments.join("/");
    ask.path = if query.is_empty() { path } else { format!("{path}?{query}") };
}

/// Another id, often one of the same life.
fn another_id(random: &mut Random, id: &str) -> String {
    match (random.below(4), id.split_once('-')) {
        (0 | 1, Some((life, _))) => format!("{life}-{}", pick(random, &SEQUENCES)),
        (2, _) => id.to_uppercase(),
        _ => pick(random, &IDS).to_owned(),
    }
}

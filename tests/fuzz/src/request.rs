//! Any target and any headers: segments are what splitting and decoding once by hand gives, a key
//! is the same quoted or not, an instant is the one that jiff reads and comes back as it went, and
//! what is refused is refused with a code of a client's fault.
//!
//! An input is lines: a method, a target, then headers. Next: `json`.

use doorbuster::http::doors::{self, Sense};
use jiff::Timestamp;

const SEGMENTS_MAX: usize = 5;
const KEY_BYTES_MAX: usize = 255;

pub(crate) fn parts(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let method = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let target = lines.next().unwrap_or_default();
    let mut headers: Vec<(String, &[u8])> = Vec::new();
    for line in lines {
        check_key(line);
        if let Ok(text) = str::from_utf8(line) {
            check_instant(text);
        }
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = String::from_utf8_lossy(halves.next().unwrap_or_default()).to_lowercase();
        headers.push((name, halves.next().unwrap_or_default().trim_ascii()));
    }
    if let Ok(text) = str::from_utf8(target) {
        check_segments(text.split('?').next().unwrap_or_default());
    }
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let found = doors::sense(&method, target, &headers, b"");
    if let Some(Sense::Refused(status, code)) = found {
        assert!((400..500).contains(&status), "{status} {code}");
        assert!(doors::codes().any(|known| known == (code, status)), "{status} {code}");
    }
    // Headers of no meaning here change nothing.
    let mut more = headers.clone();
    more.push(("x-of-no-meaning", b"1"));
    let again = doors::sense(&method, target, &more, b"");
    let seeded = |sense: &Option<Sense>| matches!(sense, Some(Sense::Asks(text, _)) if text.contains("PutDraw"));
    assert!(again == found || seeded(&found), "{found:?} but {again:?}");
}

/// By hand: split first, decode once.
fn check_segments(path: &str) {
    let found = doors::segments(path);
    let Some(rest) = path.strip_prefix('/') else {
        assert_eq!(found, Err("malformed"));
        return;
    };
    let decoded: Option<Vec<String>> =
        rest.split('/').take(SEGMENTS_MAX + 1).map(decoded).collect();
    match decoded {
        None => assert_eq!(found, Err("malformed"), "{path}"),
        Some(segments) if segments.len() > SEGMENTS_MAX => {
            assert_eq!(found, Err("not_found"), "{path}");
        }
        Some(segments) => assert_eq!(found, Ok(segments), "{path}"),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut plain = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'%' {
            plain.push(*byte);
            continue;
        }
        let [high, low, behind @ ..] = behind else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        plain.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
        rest = behind;
    }
    String::from_utf8(plain).ok()
}

/// `"k"` and `k` are one key; no other text is a key that is none.
fn check_key(value: &[u8]) {
    let found = doors::key(value);
    if let Some(key) = &found {
        assert!((1..=KEY_BYTES_MAX).contains(&key.len()));
        assert!(key.iter().all(|byte| (b' '..=b'~').contains(byte)), "{key:?}");
        let mut quoted = b"\"".to_vec();
        for byte in key {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(b'\\');
            }
            quoted.push(*byte);
        }
        quoted.push(b'"');
        assert_eq!(doors::key(&quoted).as_ref(), Some(key), "quoted or not");
    } else if !value.starts_with(b"\"") {
        let plain = value.iter().all(|byte| (b' '..=b'~').contains(byte));
        assert!(!plain || !(1..=KEY_BYTES_MAX).contains(&value.len()), "{value:?} is a key");
    }
}

/// What both read they read alike, but for leap seconds, which jiff moves to the next minute's
/// start.
fn check_instant(text: &str) {
    let Some(ms) = doors::instant(text) else { return };
    let shown = doors::instant_text(ms);
    assert_eq!(doors::instant(&shown), Some(ms), "{text} comes back");
    if text.as_bytes().get(17..19) == Some(b"60") {
        return;
    }
    if let Ok(theirs) = text.parse::<Timestamp>() {
        let theirs = theirs.as_nanosecond().div_euclid(1_000_000);
        assert_eq!(theirs, i128::from(ms), "{text}");
    }
}

//! Text as a terminal may be given it: nothing that it would act on, and nothing that hides or
//! turns around what stands beside it.
//!
//! Owns which characters are escaped: controls, C1 and DEL among them, separators of lines,
//! directions of writing, and whatever else has no shape of its own. Accents and other marks stay.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Has the character a shape, or changes it the one before it?
fn is_shown(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // The standard library knows what is printed; after a letter it takes marks for such.
    let mut bytes = [0; 5];
    bytes[0] = b'a';
    let length = character.encode_utf8(&mut bytes[1..]).len();
    let pair = str::from_utf8(&bytes[..=length]).expect("a letter and a character");
    pair.escape_debug().nth(1) != Some('\\')
}

/// One line of text, or lines that are to be copied: line feeds stay.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    let stays = |character: char| character == '\n' || is_shown(character);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if stays(character) {
            escaped.push(character);
        } else {
            escaped.extend(character.escape_unicode());
        }
    }
    Cow::Owned(escaped)
}

/// As JSON: the same value, though more is escaped than a parser needs.
pub(crate) fn json(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().all(is_shown) {
        return text;
    }
    // Outside of strings JSON is ASCII, and in them it has no raw control below a blank.
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_shown(character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal acts on or a reader is misled by.
    const HIDDEN: &[char] = &[
        '\u{0}',
        '\u{7}',
        '\u{1b}',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{9b}',
        '\u{9d}',
        '\u{ad}',
        '\u{61c}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e0041}',
        '\u{f0000}',
    ];

    #[test]
    fn what_has_no_shape_is_escaped_and_json_keeps_its_value() {
        for &hidden in HIDDEN {
            let text = format!("a{hidden}b");
            assert_eq!(lines(&text), format!("a\\u{{{:x}}}b", hidden as u32));
            let value = Value::from(text.as_str());
            let shown = json(&value);
            assert!(shown.chars().all(is_shown), "{shown}");
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in
            ["plain \"quoted\" \\", "Käse", "e\u{301}", "हिन्दी", "日本語", "עברית", "🎟", "a\nb"]
        {
            assert_eq!(lines(text), text);
        }
        assert_eq!(json(&Value::from("हिन्दी \"x\"")), "\"हिन्दी \\\"x\\\"\"");
        assert_eq!(json(&Value::from("a\nb")), "\"a\\nb\"");
    }
}

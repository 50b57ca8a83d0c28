//! The corpus: text files with a case a line.
//!
//! Owns how they are written:
//!
//! ```text
//! # a remark
//! frame NAME TEXT      what surrounds the cases that follow `in NAME`, in place of `$`
//! in NAME
//! STATUS CODE AFTER TEXT
//! ```
//!
//! STATUS is what the request is answered, `none` for no answer; with a good order behind it the
//! same, or what follows a `/`. CODE is the problem's, `-` for none. AFTER is `open` where the order
//! behind it gets its own answer, `closes` where the connection ends and nobody sees it. In TEXT a
//! backslash begins `\r \n \t \0 \\ \xHH`; `<<text*n>>` stands for n times the text; `@body` for an
//! order of one unit, `@hex` for its length in hexadecimal, `@key` and `@user` for fresh ones,
//! `@length` for the bytes behind the first empty line. Next: `exchange`.

use std::fmt;
use std::fs;
use std::path::Path;

/// What the connection does after a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Open,
    Closes,
}

/// A status, and the code of the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
}

/// A line of the corpus.
#[derive(Debug)]
pub(crate) struct Case {
    file: String,
    line: usize,
    text: String,
    /// Sent alone; none is no answer.
    pub(crate) alone: Option<Expected>,
    /// With an order behind it.
    pub(crate) followed: Option<Expected>,
    pub(crate) after: After,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.text.chars().take(300).collect();
        write!(f, "{}:{} {short}", self.file, self.line)
    }
}

/// Fresh names, always of the same length.
#[derive(Default)]
pub(crate) struct Names(u32);

/// One of them.
pub(crate) struct Name {
    pub(crate) key: String,
    pub(crate) user: String,
}

impl Names {
    pub(crate) fn next(&mut self) -> Name {
        self.0 += 1;
        Name { key: format!("k{:07}", self.0), user: format!("u{:07}", self.0) }
    }
}

impl Case {
    /// Its bytes, with names of their own.
    pub(crate) fn bytes(&self, names: &mut Names) -> Vec<u8> {
        let Name { key, user } = names.next();
        let body = format!(r#"{{"user":"{user}","lines":[{{"sku":"s","qty":1}}]}}"#);
        let mut bytes = unescaped(&self.text);
        for (word, value) in [
            ("@body", body.clone()),
            ("@user", user),
            ("@key", key),
            ("@hex", format!("{:x}", body.len())),
        ] {
            bytes = replaced(&bytes, word.as_bytes(), value.as_bytes());
        }
        let bytes = repeated(bytes);
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let length = head.map_or(0, |at| bytes.len() - at - 4).to_string();
        replaced(&bytes, b"@length", length.as_bytes())
    }
}

fn replaced(bytes: &[u8], word: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(word.len()).position(|here| here == word) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + word.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next().expect("something behind a backslash") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'x' => {
                    let digits = [bytes.next(), bytes.next()].map(|digit| {
                        char::from(digit.expect("two digits")).to_digit(16).expect("hexadecimal")
                    });
                    u8::try_from(digits[0] * 16 + digits[1]).expect("two digits are a byte")
                }
                other => panic!("no escape: {:?} in {text}", char::from(other)),
            },
            plain => plain,
        });
    }
    out
}

/// `<<text*n>>` written out.
fn repeated(bytes: Vec<u8>) -> Vec<u8> {
    let find = |rest: &[u8], word: &[u8]| rest.windows(2).position(|two| two == word);
    let mut out = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(from) = find(rest, b"<<") {
        let Some(end) = find(&rest[from..], b">>").map(|end| from + end) else { break };
        let inner = &rest[from + 2..end];
        let star = inner.iter().rposition(|byte| *byte == b'*').expect("a number of times");
        let times = std::str::from_utf8(&inner[star + 1..]).ok().and_then(|text| text.parse().ok());
        out.extend_from_slice(&rest[..from]);
        out.extend(inner[..star].repeat(times.expect("a number of times")));
        rest = &rest[end + 2..];
    }
    out.extend_from_slice(rest);
    out
}

/// All cases of all files, in the order of their names.
pub(crate) fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/corpus");
    let files = fs::read_dir(folder).expect("the corpus is there");
    let mut files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).expect("a file of the corpus is text");
    let file = path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut frames: Vec<(&str, &str)> = Vec::new();
    let mut frame = "$";
    let mut cases = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let place = || format!("{file}:{}: {line}", at + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix("frame ") {
            frames.push(rest.split_once(' ').unwrap_or_else(|| panic!("no frame: {}", place())));
        } else if let Some(name) = line.strip_prefix("in ") {
            let found = frames.iter().rev().find(|(known, _)| *known == name);
            frame = found.unwrap_or_else(|| panic!("no such frame: {}", place())).1;
        } else {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            let [status, code, after, ref text @ ..] = words[..] else {
                panic!("no case: {}", place())
            };
            let text = text.first().copied().unwrap_or_default();
            let expected = |status: &str| {
                let code = (code != "-").then(|| code.to_owned());
                let status = (status != "none").then(|| status.parse().expect("a status"));
                status.map(|status| Expected { status, code })
            };
            let (alone, followed) = status.split_once('/').unwrap_or((status, status));
            cases.push(Case {
                file: file.clone(),
                line: at + 1,
                text: frame.replace('$', text),
                alone: expected(alone),
                followed: expected(followed),
                after: match after {
                    "open" => After::Open,
                    "closes" => After::Closes,
                    _ => panic!("open or closes: {}", place()),
                },
            });
        }
    }
    cases
}

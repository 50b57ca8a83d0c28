//! Answers as a client reads them, strictly: anything that is none panics. Next: `http`.

use doorbuster::http::doors;
use serde_json::Value;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// It says that it is the last one.
    pub(crate) closes: bool,
    /// It says what was answered before.
    pub(crate) replayed: bool,
    /// The sequence that it shows, if it is one object that shows one.
    pub(crate) sequence: Option<u64>,
}

/// All answers; `is_head` says which were asked without their bodies.
pub(crate) fn read(mut rest: &[u8], is_head: impl Fn(usize) -> bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").expect("a head ends");
        let head = str::from_utf8(&rest[..end]).expect("a head is text");
        rest = &rest[end + 4..];
        let (status, head) = head.split_once("\r\n").unwrap_or((head, ""));
        let (version, status) = status.split_once(' ').expect("a status line");
        let status: u16 = status[..3].parse().expect("a status");
        if status == 100 {
            continue;
        }
        let header = |wanted: &str| {
            let named =
                |line: &'_ str| line.split_once(": ").is_some_and(|(name, _)| name == wanted);
            let mut lines = head.split("\r\n").filter(|line| named(line));
            let value = lines.next().and_then(|line| line.split_once(": ")).map(|(_, value)| value);
            assert!(lines.next().is_none(), "{wanted} stands twice: {head}");
            value
        };
        let bodied = !is_head(answers.len()) && status != 204;
        let length = header("content-length").map(|length| length.parse().expect("a length"));
        let (body, behind) = match (length, header("transfer-encoding")) {
            _ if !bodied => (Vec::new(), rest),
            (Some(length), None) => {
                let (body, behind) = rest.split_at_checked(length).expect("a whole body");
                (body.to_vec(), behind)
            }
            (None, Some("chunked")) => chunked(rest),
            // A stream for a client that knows no chunks ends with its connection.
            (None, None) if version == "HTTP/1.0" => (rest.to_vec(), [].as_slice()),
            other => panic!("a body is framed in one way, not {other:?}: {head}"),
        };
        rest = behind;
        let kind = header("content-type");
        let stated = header("connection");
        let closes = match version {
            "HTTP/1.0" => stated != Some("keep-alive"),
            _ => stated == Some("close"),
        };
        let sequence = if body.is_empty() { None } else { check_body(status, kind, &body) };
        let replayed = header("idempotent-replayed").is_some();
        assert!(status != 500, "a fault of the server: {}", String::from_utf8_lossy(&body));
        answers.push(Answer { status, closes, replayed, sequence });
    }
    answers
}

fn chunked(mut rest: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = str::from_utf8(&rest[..end]).expect("a size is text");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let (data, behind) = rest[end + 2..].split_at_checked(size).expect("a whole chunk");
        body.extend_from_slice(data);
        rest = behind.strip_prefix(b"\r\n").expect("a chunk's end");
        if size == 0 {
            return (body, rest);
        }
    }
}

/// A body is what it says it is; a problem is one of those that there are, in their one shape.
fn check_body(status: u16, kind: Option<&str>, body: &[u8]) -> Option<u64> {
    let json = |text: &[u8]| -> Value {
        let read = serde_json::from_slice(text);
        read.unwrap_or_else(|bad| panic!("{bad}: {}", String::from_utf8_lossy(text)))
    };
    match kind {
        Some("application/problem+json") => {
            let problem = json(body);
            check_problem(status, &problem);
            problem["seq"].as_u64()
        }
        Some("application/json") => {
            assert!((200..300).contains(&status), "{status} is told as a problem");
            json(body)["seq"].as_u64()
        }
        Some("application/x-ndjson") => {
            for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let line = json(line);
                let status = line["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                let status = status.expect("each line has a status");
                if status >= 400 {
                    check_problem(status, &line["body"]);
                }
            }
            None
        }
        _ => None,
    }
}

fn check_problem(status: u16, problem: &Value) {
    let code = problem["code"].as_str().expect("a problem has a code");
    assert!(doors::codes().any(|known| known == (code, status)), "{status} {code} is none of ours");
    assert_eq!(problem["status"].as_u64(), Some(u64::from(status)));
    assert_eq!(problem["type"].as_str(), Some(&*format!("urn:doorbuster:problem:{code}")));
    assert!(problem["retryable"].is_boolean() && problem["title"].is_string());
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

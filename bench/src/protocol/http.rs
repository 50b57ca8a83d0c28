//! Orders over HTTP/1.1, as Doorbuster's contract has them.

use super::order::{Order, Verdict};
use serde_json::Value;
use std::io::Write as _;
use std::time::Duration;

pub(super) fn order(bytes: &mut Vec<u8>, order: &Order<'_>) {
    let Order { sku, user, key } = order;
    let body = format!(r#"{{"user":"{user}","lines":[{{"sku":"{sku}","qty":1}}]}}"#);
    write!(
        bytes,
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("memory takes all bytes");
}

pub(super) fn put_sku(sku: &str, stock: u64) -> Vec<u8> {
    let body = format!(r#"{{"stock":{stock},"per_user_limit":1}}"#);
    format!(
        "PUT /v1/skus/{sku} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Head and body are there.
pub(crate) fn whole(answer: &[u8]) -> bool {
    let Some(body) = body(answer) else { return false };
    let head = &answer[..answer.len() - body.len()];
    let text = std::str::from_utf8(head).unwrap_or("");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    length.is_some_and(|length: usize| body.len() >= length)
}

pub(super) fn verdict(answer: &[u8]) -> Verdict<'_> {
    match body(answer) {
        Some(body) if answer.starts_with(b"HTTP/1.1 201 ") => Verdict::Accepted(body),
        Some(_) if answer.starts_with(b"HTTP/1.1 409 ") => Verdict::Refused,
        _ => Verdict::Other,
    }
}

/// Of a 429 or 503 that says so.
pub(super) fn retry_after(answer: &[u8]) -> Option<Duration> {
    let body = body(answer)?;
    if !answer.starts_with(b"HTTP/1.1 503 ") && !answer.starts_with(b"HTTP/1.1 429 ") {
        return None;
    }
    let problem: Value = serde_json::from_slice(body).ok()?;
    let after_ms = problem["retry_after_ms"].as_u64()?;
    (problem["retryable"] == true).then(|| Duration::from_millis(after_ms))
}

fn body(answer: &[u8]) -> Option<&[u8]> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(&answer[head + 4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_when_to_come_again_or_that_it_is_final() {
        let problem = |status: &str, more: &str| {
            let body = format!("{{\"code\":\"overloaded\"{more}}}");
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}", body.len());
            retry_after(format!("{head}\r\n\r\n{body}").as_bytes())
        };
        let again = ",\"retryable\":true,\"retry_after_ms\":1250";
        let after = Some(Duration::from_millis(1250));
        assert_eq!([problem("503", again), problem("429", again)], [after; 2]);
        assert_eq!(problem("409", again), None);
        assert_eq!(problem("503", ",\"retryable\":false,\"retry_after_ms\":1"), None);
        assert_eq!(problem("503", ",\"retryable\":true"), None);
        assert_eq!(retry_after(b"HTTP/1.1 503 x\r\n\r\nnot JSON"), None);
    }
}

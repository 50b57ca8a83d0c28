//! The type that a body is said to have.
//!
//! Owns that text is UTF-8 and nothing is encoded. Never looks into a body. Next: `headers`.

use super::headers::{Name, RequestHeaders};
use crate::http::response::problem::{Code, Problem, Refused};
use hyper::Method;

/// `application/json`, with `charset=utf-8` or without; unencoded. A PATCH may say that it is a
/// merge patch (RFC 7396), which it is.
pub(in crate::http) fn check_media_type(
    method: &Method,
    head: &RequestHeaders<'_>,
) -> Result<(), Refused> {
    let is_patch = || method == Method::PATCH && has_type(head, b"application/merge-patch+json");
    if has_type(head, b"application/json") || is_patch() {
        return Ok(());
    }
    let detail = match *method {
        Method::PATCH => {
            "a body must be application/json or application/merge-patch+json in UTF-8, without \
             content encoding"
        }
        _ => "a body must be application/json in UTF-8, without content encoding",
    };
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// The body is of this type, as UTF-8, unencoded.
pub(in crate::http) fn has_type(head: &RequestHeaders<'_>, essence: &[u8]) -> bool {
    let value = head.bytes(Name::ContentType).unwrap_or_default();
    let encoding = head.bytes(Name::ContentEncoding).unwrap_or(b"identity");
    let plain = encoding.eq_ignore_ascii_case(b"identity");
    plain && !head.is_repeated(Name::ContentType) && is_of_type(value, essence)
}

fn is_of_type(value: &[u8], essence: &[u8]) -> bool {
    // What nearly everybody sends.
    if value == essence {
        return true;
    }
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    parts.next().unwrap_or_default().eq_ignore_ascii_case(essence)
        && parts.all(|part| {
            part.is_empty()
                || part.eq_ignore_ascii_case(b"charset=utf-8")
                || part.eq_ignore_ascii_case(b"charset=\"utf-8\"")
        })
}

//! What HTTP asks of a request, where hyper does not, or not strictly.
//!
//! Owns the first check of all: framing, lengths, expectations, the target and its host. Never
//! looks at what the request is about. Next: `service`.

use super::body;
use super::headers::{Name, RequestHeaders};
use crate::http::connection::framing::Fault;
use crate::http::connection::limits::HttpLimits;
use crate::http::response::problem::{Code, Problem, Refused};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Uri, Version};

/// Framing and limits that hyper does not check, or not strictly. What leaves the bytes after it
/// in doubt closes.
pub(in crate::http) fn check_http(
    limits: &HttpLimits,
    parts: &Parts,
    head: &RequestHeaders<'_>,
    body: &Incoming,
    fault: Option<Fault>,
) -> Result<(), Refused> {
    let uri = &parts.uri;
    let uri_too_long = || Problem::new(Code::UriTooLong, "the request target is too long");
    match fault {
        Some(Fault::LongLine) => return Err(uri_too_long().closing()),
        Some(fault) => return Err(Problem::bad_framing(fault.says())),
        None => {}
    }
    if head.is_repeated(Name::TransferEncoding)
        || head.bytes(Name::TransferEncoding).is_some_and(|te| !te.eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Problem::bad_framing("the only transfer encoding taken is chunked"));
    }
    check_target(&parts.method, uri, head, parts.version)?;
    body::check_length(limits, uri, head, body.size_hint().lower())?;
    if uri.path().len() + uri.query().map_or(0, |query| query.len() + 1) > limits.uri_bytes_max {
        return Err(uri_too_long());
    }
    if head.is_repeated(Name::Expect)
        || head.bytes(Name::Expect).is_some_and(|e| !e.eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(Problem::malformed("the only expectation met is 100-continue"));
    }
    let bodied = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
    if !bodied && !body.is_end_stream() {
        // Others do not read such a body, and take it for the next request.
        return Err(Problem::bad_framing("this method takes no body"));
    }
    Ok(())
}

/// One host, and the same in target and header (RFC 9112, 3.2).
fn check_target(
    method: &Method,
    uri: &Uri,
    head: &RequestHeaders<'_>,
    version: Version,
) -> Result<(), Refused> {
    let host = head.bytes(Name::Host);
    if head.is_repeated(Name::Host) || (host.is_none() && version == Version::HTTP_11) {
        return Err(Problem::bad_framing("exactly one Host header is needed"));
    }
    if !host.is_none_or(is_host) {
        return Err(Problem::bad_framing("the Host header names no host"));
    }
    let absolute = match uri.authority() {
        None => true,
        Some(authority) => {
            // The scheme is that of the front, which may end TLS before us.
            matches!(uri.scheme_str(), Some("http" | "https"))
                && host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes()))
        }
    };
    if !absolute || *method == Method::CONNECT {
        return Err(Problem::bad_framing("the request target is none of this server's"));
    }
    Ok(())
}

/// A name or an address, with a port or without; empty where there is none. What else the grammar
/// of hosts would allow nobody has, and proxies read it in different ways.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let (address, port) = rest.split_at(end);
            let hex = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
            if address.is_empty() || !address.iter().all(hex) {
                return false;
            }
            (&[][..], &port[1..])
        }
        None => host.split_at(host.iter().position(|byte| *byte == b':').unwrap_or(host.len())),
    };
    let named =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let digits = port.strip_prefix(b":").unwrap_or(port);
    let ported = port.is_empty() || port.len() > digits.len();
    name.iter().all(named) && ported && digits.iter().all(u8::is_ascii_digit)
}

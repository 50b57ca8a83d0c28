//! Browsers: which pages may ask, and under which names the server may be asked for.
//!
//! Owns `Origin`, `Sec-Fetch-Site` and `Host` as far as they protect a user whose browser is made
//! to ask by a page of another site (API 1 and 6), and the headers by which pages of named origins
//! may read the answers (CORS, of the Fetch standard). Never asks for a token: these checks are
//! beside it. Next: `service`.

use crate::http::request::headers::{Name, RequestHeaders};
use crate::http::response::problem::{Code, Problem, Refused};
use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use std::net::IpAddr;

/// What a page of a named origin may send; every method that some place has.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// And with which headers: all that mean something here, and what libraries for traces send with
/// theirs.
const HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, \
                       Last-Event-ID, Request-Timeout-Ms, Server-Timing, traceparent, tracestate, \
                       baggage";
/// What it may read of an answer beside the body.
const EXPOSED: &str = "ETag, Location, Retry-After, Idempotent-Replayed, RateLimit, \
                       RateLimit-Policy, Server-Timing, traceparent";
/// A browser asks again whether it may after so many seconds.
const MAX_AGE_S: &str = "600";

/// What an operator says of browsers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sites {
    /// Origins whose pages may ask, as browsers write them.
    pub origins: Vec<String>,
    /// Names, beside those of loopback, that a server without tokens may be asked for; in lower
    /// case, without ports and brackets.
    pub hosts: Vec<String>,
    /// Without tokens, other names are refused.
    pub checks_hosts: bool,
}

/// Where a request comes from, as far as the browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Page<'h> {
    /// Nothing is said: no browser, or a page of ours that only reads.
    Unsaid,
    /// A page of this server's own origin.
    Own,
    /// A page of an origin that the operator named.
    Named(&'h HeaderValue),
    /// Any other.
    Foreign,
}

/// What an answer says to the browser that brought its question.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Cross {
    /// Whose page may read it.
    origin: Option<HeaderValue>,
    /// Whether the request is a preflight.
    preflight: bool,
    /// To another page it would read otherwise.
    varies: bool,
}

impl Sites {
    /// Where a request comes from.
    pub(in crate::http) fn page<'h>(&self, head: &RequestHeaders<'h>) -> Page<'h> {
        let Some(origin) = head.value(Name::Origin) else { return Page::Unsaid };
        let host = head.bytes(Name::Host).unwrap_or_default();
        if head.is_repeated(Name::Origin) {
            return Page::Foreign;
        }
        if self.origins.iter().any(|named| named.as_bytes() == origin.as_bytes()) {
            return Page::Named(origin);
        }
        if is_own_origin(origin.as_bytes(), host) { Page::Own } else { Page::Foreign }
    }

    /// What its answer says to the browser.
    pub(in crate::http) fn cross(
        &self,
        page: Page<'_>,
        parts: &Parts,
        head: &RequestHeaders<'_>,
    ) -> Cross {
        let Page::Named(origin) = page else {
            return Cross { varies: !self.origins.is_empty(), ..Cross::default() };
        };
        let preflight = asks_leave(parts, head);
        Cross { origin: Some(origin.clone()), preflight, varies: true }
    }

    /// Refuses what a page may have made a browser ask, where no token would stop it: one under a
    /// name that its author may have pointed here, and one of another site.
    pub(in crate::http) fn guard(
        &self,
        page: Page<'_>,
        parts: &Parts,
        head: &RequestHeaders<'_>,
    ) -> Result<(), Refused> {
        if self.checks_hosts && !self.is_known_host(asked_host(parts, head)) {
            return Err(Problem::new(
                Code::Forbidden,
                "without tokens only a Host of loopback, or one of http.hosts, is served",
            ));
        }
        let crosses = head.bytes(Name::SecFetchSite) == Some(b"cross-site");
        if crosses && !matches!(page, Page::Named(_)) {
            return Err(Problem::new(
                Code::Forbidden,
                "without tokens requests from pages of other sites are not taken",
            ));
        }
        Ok(())
    }

    /// None is known: no browser leaves the host out.
    fn is_known_host(&self, host: Option<&[u8]>) -> bool {
        let Some(name) = host.map(bare_host) else { return true };
        let Ok(name) = str::from_utf8(name) else { return false };
        let address = name.parse::<IpAddr>().ok();
        let loopback = address.is_some_and(|address| address.to_canonical().is_loopback());
        let named = |known: &String| {
            known.eq_ignore_ascii_case(name)
                || address.is_some() && known.parse::<IpAddr>().ok() == address
        };
        loopback || name.eq_ignore_ascii_case("localhost") || self.hosts.iter().any(named)
    }
}

impl Page<'_> {
    /// A page from elsewhere must not act through a user's browser.
    pub(in crate::http) fn check(self) -> Result<(), Refused> {
        match self {
            Self::Foreign => Err(Problem::new(
                Code::Forbidden,
                "requests from pages of other origins are not taken",
            )),
            Self::Unsaid | Self::Own | Self::Named(_) => Ok(()),
        }
    }

    /// The browser asks, for a page of a named origin, whether the page may ask.
    pub(in crate::http) fn is_preflight(self, parts: &Parts, head: &RequestHeaders<'_>) -> bool {
        matches!(self, Self::Named(_)) && asks_leave(parts, head)
    }
}

impl Cross {
    /// Writes it among the headers of an answer.
    pub(in crate::http) fn tell(self, headers: &mut HeaderMap) {
        if self.varies {
            headers.insert(header::VARY, const { HeaderValue::from_static("Origin") });
        }
        let Some(origin) = self.origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.preflight {
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
        } else {
            let exposed = const { HeaderValue::from_static(EXPOSED) };
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

fn asks_leave(parts: &Parts, head: &RequestHeaders<'_>) -> bool {
    parts.method == Method::OPTIONS && head.value(Name::AccessControlRequestMethod).is_some()
}

/// The host that a request is for; the header and the target name the same one.
fn asked_host<'r>(parts: &'r Parts, head: &RequestHeaders<'r>) -> Option<&'r [u8]> {
    let of_target = || parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    head.bytes(Name::Host).or_else(of_target)
}

/// A host without its port, and without the brackets of an address.
fn bare_host(host: &[u8]) -> &[u8] {
    let end = |byte: u8| host.iter().position(|other| *other == byte);
    match host.strip_prefix(b"[") {
        Some(rest) => rest.split(|byte| *byte == b']').next().unwrap_or_default(),
        None => host.get(..end(b':').unwrap_or(host.len())).unwrap_or_default(),
    }
}

fn is_own_origin(origin: &[u8], host: &[u8]) -> bool {
    [(b"http://".as_slice(), b":80".as_slice()), (b"https://", b":443")].into_iter().any(
        |(scheme, port)| {
            let bare = |authority: &[u8]| -> Vec<u8> {
                authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase()
            };
            let own = origin.strip_prefix(scheme);
            own.is_some_and(|authority| !host.is_empty() && bare(authority) == bare(host))
        },
    )
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;

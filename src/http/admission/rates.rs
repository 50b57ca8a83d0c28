//! How buckets stand, as headers: `RateLimit-Policy` and `RateLimit`.
//!
//! Owns their text (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4: structured lists of
//! policies, `q` requests in `w` seconds, of which `r` are left and all again in `t` seconds).
//! Never decides anything. Next: `control`.

use super::rate_limit::{Level, Quota};
use hyper::header::HeaderValue;
use std::fmt::Write;

/// The policies that apply to one request; empty where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Rates {
    policies: String,
    levels: String,
}

impl Rates {
    pub(super) fn tell(&mut self, name: &str, quota: Quota, level: Level) {
        for text in [&mut self.policies, &mut self.levels] {
            if !text.is_empty() {
                text.push_str(", ");
            }
        }
        let Quota { requests, window_s } = quota;
        let full_in_s = level.full_in_ns.div_ceil(1_000_000_000);
        // Writing to a string does not fail.
        let _ = write!(self.policies, "\"{name}\";q={requests};w={window_s}");
        let _ = write!(self.levels, "\"{name}\";r={};t={full_in_s}", level.left);
    }

    /// The values of `RateLimit-Policy` and `RateLimit`, if a bucket applies.
    pub(in crate::http) fn headers(self) -> Option<(HeaderValue, HeaderValue)> {
        if self.policies.is_empty() {
            return None;
        }
        HeaderValue::try_from(self.policies).ok().zip(HeaderValue::try_from(self.levels).ok())
    }
}

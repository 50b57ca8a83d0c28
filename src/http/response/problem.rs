//! Every no in one shape: RFC 9457 problems (API 1, "Answers").
//!
//! Owns the codes with their status and title, and what may be retried when. Never renders: that is
//! `json_writer`. Next: `answers` for the writer's refusals, `json_writer` for the text.

use crate::domain::model::answer::ShortLine;
use crate::domain::model::ids::{Sequence, Stamp};
use crate::metrics::Outcome;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::RangeInclusive;

/// A problem on its way out; boxed, because most requests have none.
pub(in crate::http) type Refused = Box<Problem>;

macro_rules! codes {
    ($($name:ident $status:literal $code:literal $title:literal,)*) => {
        /// What is wrong, as a word that programs may compare.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::http) enum Code { $($name,)* }

        /// The outcomes that requests may have, as they are counted: the successes first.
        pub(in crate::http) const OUTCOMES: &[Outcome] = &[
            Outcome { status: 200, code: "" },
            Outcome { status: 201, code: "" },
            Outcome { status: 204, code: "" },
            $(Outcome { status: $status, code: $code },)*
        ];

        impl Code {
            pub(in crate::http) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(in crate::http) const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            pub(in crate::http) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            pub(in crate::http) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    Malformed 400 "malformed" "The request is malformed",
    UnknownField 400 "unknown_field" "The request names something unknown",
    IdempotencyKeyMissing 400 "idempotency_key_missing" "An idempotency key is required",
    Unauthenticated 401 "unauthenticated" "A token is needed",
    Forbidden 403 "forbidden" "This is not allowed",
    UnknownSku 404 "unknown_sku" "There is no such SKU",
    UnknownOrder 404 "unknown_order" "There is no such order",
    UnknownDraw 404 "unknown_draw" "There is no such draw",
    UnknownRequest 404 "unknown_request" "Nothing was accepted under this key",
    NotFound 404 "not_found" "There is nothing here",
    MethodNotAllowed 405 "method_not_allowed" "The method is not allowed here",
    Timeout 408 "timeout" "The body came too slowly",
    SoldOut 409 "sold_out" "Not enough units are available",
    UserLimit 409 "user_limit" "The user may not have more",
    EntryLimit 409 "entry_limit" "The user has no entries left",
    HoldLimit 409 "hold_limit" "The user has too many open holds",
    NotOpen 409 "not_open" "The sale is not open yet",
    Paused 409 "paused" "The sale is paused",
    DrawOnly 409 "draw_only" "The SKU can only be won",
    InvalidTransition 409 "invalid_transition" "The order's status does not allow this",
    StockBelowCommitted 409 "stock_below_committed" "More units are held or sold than that",
    InUse 409 "in_use" "It is in use",
    ReplicationOff 409 "replication_off" "Nothing is replicated",
    NotInSync 409 "not_in_sync" "No such copy could take over",
    Closed 410 "closed" "The sale is closed",
    Compacted 410 "compacted" "These events are no longer kept",
    Diverged 410 "diverged" "This journal has another history",
    HoldExpired 410 "hold_expired" "The hold has expired",
    VersionMismatch 412 "version_mismatch" "The version is another one",
    TooLarge 413 "too_large" "The body is too large",
    UriTooLong 414 "uri_too_long" "The request target is too long",
    UnsupportedMediaType 415 "unsupported_media_type" "The media type is not supported",
    Invalid 422 "invalid" "A value is not valid",
    IdempotencyKeyReused 422 "idempotency_key_reused" "The key was used for another request",
    IfMatchRequired 428 "if_match_required" "If-Match is required",
    RateLimited 429 "rate_limited" "Too many requests came",
    Internal 500 "internal" "The server failed",
    Overloaded 503 "overloaded" "The server is overloaded",
    Draining 503 "draining" "The server is stopping",
    ReadOnly 503 "read_only" "The server only reads",
    NoSpace 503 "no_space" "The journal has no room",
    Capacity 503 "capacity" "A table is full",
    Recovering 503 "recovering" "The server is starting",
    NotWriter 503 "not_writer" "Another node writes",
    Standby 503 "standby" "The node follows another",
    NoArbiter 503 "no_arbiter" "The arbiter does not answer",
    Unreplicated 503 "unreplicated" "The copies are behind or missing",
    OutcomeUnknown 503 "outcome_unknown" "The outcome is unknown",
    DeadlineExceeded 504 "deadline_exceeded" "The deadline passed before the request was decided",
}

impl Code {
    /// The same request may succeed later without a correction.
    const fn retryable(self) -> bool {
        matches!(self, Self::NotOpen | Self::Timeout | Self::DeadlineExceeded)
            || self.status() == 503
    }

    /// How long to stay away, in milliseconds, where the code alone says it.
    const fn pause_ms(self) -> Option<RangeInclusive<u64>> {
        match self {
            Self::Overloaded | Self::OutcomeUnknown | Self::Unreplicated => Some(1_000..=2_000),
            Self::Draining | Self::Recovering | Self::NoArbiter => Some(1_000..=5_000),
            // The writer is another one already, or soon.
            Self::NotWriter | Self::Standby => Some(1_000..=1_000),
            Self::ReadOnly | Self::NoSpace | Self::Capacity => Some(5_000..=15_000),
            _ => None,
        }
    }
}

/// Somewhere in the range, so that clients that were refused together do not come back together.
pub(in crate::http) fn jitter(range: RangeInclusive<u64>) -> u64 {
    let roll = DICE.with(|dice| {
        // xorshift64: from George Marsaglia, "Xorshift RNGs"; enough to spread retries.
        let mut x = dice.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        dice.set(x);
        x
    });
    let (start, end) = range.into_inner();
    start + roll % (end.saturating_sub(start) + 1)
}
/// One value that is out of range, as `errors` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Fault {
    /// Which member, like `lines[1].qty`.
    pub(in crate::http) field: Cow<'static, str>,
    /// What it should be.
    pub(in crate::http) reason: Cow<'static, str>,
}

/// A member beyond the common ones.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) enum Member {
    Text(Cow<'static, str>),
    MaybeText(Option<Cow<'static, str>>),
    Number(u64),
    MaybeNumber(Option<u64>),
    Instant(Stamp),
    Faults(Vec<Fault>),
    Lines(SmallVec<[Box<ShortLine>; 1]>),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) struct Problem {
    pub(in crate::http) code: Code,
    pub(in crate::http) detail: Cow<'static, str>,
    pub(in crate::http) retryable: bool,
    pub(in crate::http) retry_after_ms: Option<u64>,
    pub(in crate::http) members: SmallVec<[(&'static str, Member); 2]>,
    /// The state it was decided at; none if it was refused before.
    pub(in crate::http) sequence: Option<Sequence>,
    /// The methods there are, for a 405.
    pub(in crate::http) allow: Option<&'static str>,
    /// The bytes after this request cannot be trusted or are not wanted.
    pub(in crate::http) closes: bool,
}

impl Problem {
    pub(in crate::http) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Refused {
        Box::new(Self {
            code,
            detail: detail.into(),
            retryable: code.retryable(),
            retry_after_ms: code.pause_ms().map(jitter),
            members: SmallVec::new(),
            sequence: None,
            allow: None,
            closes: false,
        })
    }

    pub(in crate::http) fn malformed(detail: impl Into<Cow<'static, str>>) -> Refused {
        Self::new(Code::Malformed, detail)
    }

    /// A place of the feed, or of a list, that this journal did not give out.
    pub(in crate::http) fn diverged() -> Refused {
        Self::new(Code::Diverged, "this journal never had that place")
    }

    /// Bad framing: what follows on the connection may be anything.
    pub(in crate::http) fn bad_framing(detail: &'static str) -> Refused {
        Self::malformed(detail).closing()
    }

    pub(in crate::http) fn with(
        mut self: Box<Self>,
        name: &'static str,
        member: Member,
    ) -> Refused {
        self.members.push((name, member));
        self
    }

    pub(in crate::http) fn closing(mut self: Box<Self>) -> Refused {
        self.closes = true;
        self
    }

    pub(in crate::http) fn retry_in(mut self: Box<Self>, after_ms: u64) -> Refused {
        self.retryable = true;
        self.retry_after_ms = Some(after_ms);
        self
    }
}

thread_local! {
    static DICE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish() | 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_range_and_spreads() {
        let rolls: Vec<u64> = (0..1000).map(|_| jitter(2_000..=10_000)).collect();
        assert!(rolls.iter().all(|roll| (2_000..=10_000).contains(roll)));
        assert!(rolls.iter().any(|roll| *roll < 4_000) && rolls.iter().any(|roll| *roll > 8_000));
        assert_eq!(jitter(7..=7), 7);
    }

    #[test]
    fn what_was_refused_for_want_of_room_or_time_may_be_retried() {
        for (code, retryable) in [
            (Code::Overloaded, true),
            (Code::OutcomeUnknown, true),
            (Code::DeadlineExceeded, true),
            (Code::NotOpen, true),
            (Code::Paused, false),
            (Code::SoldOut, false),
            (Code::Invalid, false),
            (Code::Internal, false),
            (Code::NotWriter, true),
            (Code::Unreplicated, true),
            (Code::NotInSync, false),
        ] {
            assert_eq!(Problem::new(code, "").retryable, retryable, "{code:?}");
        }
    }
}

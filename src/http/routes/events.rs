//! `GET /v1/events` (API 5): from where, how many, in which form.
//!
//! Owns which forms `Accept` may choose from. Next: `handlers::events`, `request::accept`.

use super::input::Input;
use crate::domain::model::lives::Place;
use crate::http::request::accept::{Offer, choose};
use crate::http::request::fields::Faults;
use crate::http::request::headers::{Name, RequestHeaders};
use crate::http::request::target::parameters;
use crate::http::response::problem::{Problem, Refused};
use crate::shared::feed::{Form, Position};
use std::borrow::Cow;

/// Events of a page at most.
const LIMIT_MAX: usize = 1_000;
/// Events of a page where nothing is said.
const LIMIT_DEFAULT: usize = 100;

/// What is wanted of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Follow {
    pub(in crate::http) after: Position,
    pub(in crate::http) form: Form,
    /// Of a page.
    pub(in crate::http) limit: usize,
}

pub(super) fn follow(input: &Input<'_>) -> Result<Follow, Refused> {
    let [after, limit] = parameters(input.query, ["after", "limit"])?;
    let form = form(input.head);
    let last = input.head.one(Name::LastEventId)?;
    // An empty one is that of a reader that has seen no event yet.
    let last = last.filter(|last| !last.is_empty()).map(String::from_utf8_lossy);
    let mut faults = Faults::default();
    let (field, after) = match last {
        Some(last) => ("Last-Event-ID", last),
        None => ("after", after.unwrap_or(Cow::Borrowed("0"))),
    };
    let place = input.lives.place(&after).unwrap_or_else(|| {
        faults.add(field, "must be an event's id, a next_after or a seq");
        Place::Bare(0)
    });
    if form != Form::List && limit.is_some() {
        faults.add("limit", "must be absent where events are followed");
    }
    let limit = limit.map_or(LIMIT_DEFAULT, |limit| {
        let plain = limit.bytes().all(|byte| byte.is_ascii_digit());
        let number = limit.parse().ok().filter(|n| plain && (1..=LIMIT_MAX).contains(n));
        number.unwrap_or_else(|| {
            faults.add("limit", format!("must be 1..={LIMIT_MAX}"));
            LIMIT_DEFAULT
        })
    });
    faults.end()?;
    let after = match place {
        Place::At(id) => Position { epoch: Some(id.epoch), sequence: id.sequence },
        Place::Bare(sequence) => Position { epoch: None, sequence },
        Place::Diverged => return Err(Problem::diverged()),
    };
    Ok(Follow { after, form, limit })
}

/// The form that `Accept` likes best; JSON where it names none of them.
fn form(head: &RequestHeaders<'_>) -> Form {
    const FORMS: [Form; 3] = [Form::List, Form::Lines, Form::ServerEvents];
    const fn plain(essence: &'static str) -> Offer {
        Offer { essence, version: None }
    }
    const OFFERS: [Offer; 3] =
        [plain("application/json"), plain("application/x-ndjson"), plain("text/event-stream")];
    FORMS[choose(head.bytes(Name::Accept).unwrap_or_default(), &OFFERS)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::Parsed;
    use crate::http::testing::{headers, lives, wanted};

    #[test]
    fn accept_chooses_the_form_it_likes_best() {
        for (accept, form) in [
            ("", Form::List),
            ("*/*", Form::List),
            ("text/html", Form::List),
            ("application/x-ndjson", Form::Lines),
            ("Text/Event-Stream", Form::ServerEvents),
            ("text/event-stream;q=0.5, application/x-ndjson;q=0.9", Form::Lines),
            ("application/json;q=0.1, text/event-stream", Form::ServerEvents),
            ("text/event-stream;q=0", Form::List),
            ("text/event-stream, */*;q=0.1", Form::ServerEvents),
            ("application/json, text/event-stream", Form::List),
        ] {
            let headers = headers(&format!("Accept: {accept}"));
            assert_eq!(super::form(&RequestHeaders::of(&headers)), form, "{accept}");
        }
    }

    #[test]
    fn a_place_a_limit_and_the_last_event_are_read() {
        let follow = |text: &str| match wanted(text).map_err(|refused| refused.code.as_str()) {
            Ok(Parsed::Follow(follow)) => {
                format!("{} {}", follow.after.text(&lives()), follow.limit)
            }
            Ok(other) => panic!("{text}: {other:?}"),
            Err(code) => code.to_owned(),
        };
        for (text, expected) in [
            ("GET /v1/events", "0 100"),
            ("GET /v1/events?after=3-17&limit=1000", "3-17 1000"),
            ("GET /v1/events?after=17", "17 100"),
            ("Last-Event-ID: 3-18\nGET /v1/events?after=17", "3-18 100"),
            ("Last-Event-ID: x\nGET /v1/events?after=17", "invalid"),
            ("GET /v1/events?after=x", "invalid"),
            ("GET /v1/events?limit=0", "invalid"),
            ("GET /v1/events?limit=1001", "invalid"),
            ("Accept: text/event-stream\nGET /v1/events?limit=5", "invalid"),
            ("GET /v1/events?from=1", "unknown_field"),
            ("GET /v1/events?after=7k3v9q2m-20", "7k3v9q2m-20 100"),
            ("GET /v1/events?after=7K3V9Q2M-20", "invalid"),
            // A life that this journal never had, what another start made, an epoch with a life.
            ("GET /v1/events?after=7k3v9q2n-20", "diverged"),
            ("GET /v1/events?after=7k3v9q2m-19", "diverged"),
            ("GET /v1/events?after=4-20", "diverged"),
            ("Last-Event-ID: 3-20\nGET /v1/events", "diverged"),
        ] {
            assert_eq!(follow(text), expected, "{text}");
        }
    }
}

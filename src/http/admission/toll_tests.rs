//! Tolls by a clock that is passed in: what is charged once, twice, or not at all.

use super::*;
use crate::http::admission::{Cells, Rules};
use crate::shared::reloadable::Reloadable;
use std::sync::Arc;

const SECOND_NS: u64 = 1_000_000_000;
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// Ten requests in ten seconds of each address.
fn shared() -> (SharedAdmission, AdmissionControl) {
    let per_address = Some(Quota { requests: 10, window_s: 10 });
    let rules = Arc::new(Reloadable::new(Rules { per_address, ..Rules::default() }));
    let shared = SharedAdmission::new(rules, Cells::default());
    let admission = AdmissionControl::new(&shared, 0);
    (shared, admission)
}

fn ask(
    shared: &SharedAdmission,
    admission: &AdmissionControl,
    share: Option<Share>,
) -> (Toll, bool) {
    let (toll, passed) = admission.toll(shared, (CLIENT, share), || SECOND_NS);
    (toll.expect("there is a quota"), passed.is_ok())
}

/// How many requests of the address's own share are left.
fn left(shared: &SharedAdmission, admission: &AdmissionControl) -> usize {
    let asked = std::iter::repeat_with(|| ask(shared, admission, Some(Share::Own)));
    asked.take_while(|(_, passed)| *passed).count()
}

/// One that passed and was then refused by this.
fn refused_by(code: Code) -> (SharedAdmission, AdmissionControl) {
    let (shared, admission) = shared();
    let (mut toll, passed) = ask(&shared, &admission, Some(Share::Own));
    assert!(passed);
    admission.settle(&shared, &mut toll, &Problem::new(code, "so"), || SECOND_NS);
    (shared, admission)
}

/// What fails authentication or shape is charged twice and what finds no room not at all.
#[test]
fn bad_requests_are_charged_twice_and_those_without_room_never() {
    for (code, expected) in [
        (Code::Overloaded, 10),
        (Code::Draining, 10),
        (Code::ReadOnly, 10),
        (Code::Recovering, 10),
        (Code::NotFound, 9),
        (Code::MethodNotAllowed, 9),
        (Code::Forbidden, 9),
        (Code::RateLimited, 9),
        (Code::Unauthenticated, 8),
        (Code::Malformed, 8),
        (Code::UnknownField, 8),
        (Code::IdempotencyKeyMissing, 8),
        (Code::UnsupportedMediaType, 8),
        (Code::TooLarge, 8),
        (Code::UriTooLong, 8),
        (Code::Timeout, 8),
        (Code::Invalid, 8),
    ] {
        let (shared, admission) = refused_by(code);
        assert_eq!(left(&shared, &admission), expected, "{}", code.as_str());
    }
}

#[test]
fn what_is_free_is_charged_only_where_it_fails() {
    let (shared, admission) = shared();
    assert_eq!(left(&shared, &admission), 10);
    let (mut toll, passed) = ask(&shared, &admission, None);
    assert!(passed, "a probe passes whatever others did");
    admission.settle(&shared, &mut toll, &Problem::new(Code::NotFound, "so"), || SECOND_NS);
    let told = |toll: &Toll| {
        let mut rates = Rates::default();
        toll.tell(&mut rates);
        rates.headers().map(|(_, level)| level.to_str().expect("text").to_owned())
    };
    assert_eq!(told(&toll), None);
    admission.settle(&shared, &mut toll, &Problem::malformed("so"), || SECOND_NS);
    assert_eq!(told(&toll).as_deref(), Some("\"address\";r=0;t=12"));
}

#[test]
fn a_debt_ends_where_the_share_of_what_is_urgent_ends() {
    let (shared, admission) = shared();
    for _ in 0..100 {
        let (mut toll, _) = ask(&shared, &admission, Some(Share::Own));
        admission.settle(&shared, &mut toll, &Problem::malformed("so"), || SECOND_NS);
    }
    assert!(!ask(&shared, &admission, Some(Share::Twice)).1);
    let at = |seconds: u64, share| {
        let (_, passed) = admission.toll(&shared, (CLIENT, Some(share)), || seconds * SECOND_NS);
        passed.is_ok()
    };
    assert!(at(2, Share::Twice), "there is one again a second later");
    assert!(!at(11, Share::Own) && at(13, Share::Own));
}

#[test]
fn without_a_quota_nobody_owes_anything() {
    let shared =
        SharedAdmission::new(Arc::new(Reloadable::new(Rules::default())), Cells::default());
    let admission = AdmissionControl::new(&shared, 0);
    let (toll, passed) = admission.toll(&shared, (CLIENT, Some(Share::Own)), || unreachable!());
    assert!(toll.is_none() && passed.is_ok());
}

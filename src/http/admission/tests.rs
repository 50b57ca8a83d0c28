//! Admission as a whole, by a clock that is passed in.

use super::*;
use crate::http::admission::{Networks, REASONS};
use crate::http::testing::headers;

const SECOND_NS: u64 = 1_000_000_000;

fn shared(rules: Rules) -> (SharedAdmission, AdmissionControl) {
    let shared = SharedAdmission::new(Arc::new(Reloadable::new(rules)), Cells::default());
    let admission = AdmissionControl::new(&shared, 0);
    (shared, admission)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn quota(requests: u32, window_s: u32) -> Option<Quota> {
    Some(Quota { requests, window_s })
}

fn requester<'r>(principal: &'r str, user: Option<&'r UserId>) -> Requester<'r> {
    Requester { principal, user, rank: Rank::Ordinary }
}

/// Why the requester is refused, if so, and the two headers.
fn charged(
    shared: &SharedAdmission,
    admission: &AdmissionControl,
    requester: Requester<'_>,
    now_ns: u64,
) -> (Option<Reason>, String) {
    let (charged, rates) = admission.charge(shared, requester, || now_ns);
    let text = rates.headers().map(|(policy, level)| {
        format!("{} | {}", policy.to_str().unwrap(), level.to_str().unwrap())
    });
    (charged.err().map(|(reason, _)| reason), text.unwrap_or_default())
}

#[test]
fn without_limits_nobody_is_charged_and_no_header_told() {
    let (shared, admission) = shared(Rules::default());
    let user = UserId::parse("u").unwrap();
    for _ in 0..1000 {
        let found = charged(&shared, &admission, requester("shop", Some(&user)), 0);
        assert_eq!(found, (None, String::new()));
    }
}

#[test]
fn each_bucket_is_asked_in_its_order_and_all_are_told() {
    let rules = Rules { per_principal: quota(4, 4), per_user: quota(2, 60), ..Rules::default() };
    let (shared, admission) = shared(rules);
    let [anna, bert, carl] = ["anna", "bert", "carl"].map(|user| UserId::parse(user).unwrap());
    let (refused, told) = charged(&shared, &admission, requester("shop", Some(&anna)), SECOND_NS);
    assert_eq!(refused, None);
    assert_eq!(
        told,
        "\"principal\";q=4;w=4, \"user\";q=2;w=60 | \"principal\";r=3;t=1, \"user\";r=1;t=30"
    );
    charged(&shared, &admission, requester("shop", Some(&anna)), SECOND_NS);
    // The user has none left; what the principal was charged comes back.
    let (refused, told) = charged(&shared, &admission, requester("shop", Some(&anna)), SECOND_NS);
    assert_eq!(refused, Some(Reason::UserRate));
    assert_eq!(told, "\"user\";q=2;w=60 | \"user\";r=0;t=60");
    for user in [&bert, &carl] {
        assert_eq!(charged(&shared, &admission, requester("shop", Some(user)), SECOND_NS).0, None);
    }
    let (refused, told) = charged(&shared, &admission, requester("shop", None), SECOND_NS);
    assert_eq!(
        (refused, told.as_str()),
        (Some(Reason::PrincipalRate), { "\"principal\";q=4;w=4 | \"principal\";r=0;t=4" })
    );
    assert_eq!(charged(&shared, &admission, requester("other", None), SECOND_NS).0, None);
}

#[test]
fn a_table_takes_its_memory_when_there_is_a_quota_for_it() {
    let rules = Arc::new(Reloadable::new(Rules { per_user: quota(1, 60), ..Rules::default() }));
    let shared = SharedAdmission::new(rules.clone(), Cells { users: 1_024, addresses: 2_048 });
    let admission = AdmissionControl::new(&shared, 0);
    let there =
        || [&shared.principals, &shared.users, &shared.senders].map(|of| of.get().is_some());
    assert_eq!(there(), [false, true, false]);
    rules.replace(Rules { per_address: quota(1, 60), ..Rules::default() });
    admission.toll(&shared, (ip("192.0.2.1"), Some(Share::Own)), || 0).1.unwrap();
    assert_eq!(there(), [false, true, true]);
}

#[test]
fn a_refusal_says_when_to_come_again_a_little_apart() {
    let (shared, admission) = shared(Rules { per_principal: quota(1, 10), ..Rules::default() });
    let asking = requester("shop", None);
    admission.charge(&shared, asking, || 0).0.unwrap();
    let pauses: Vec<u64> = (0..200)
        .map(|_| {
            let (_, refused) = admission.charge(&shared, asking, || 4 * SECOND_NS).0.unwrap_err();
            assert!(refused.retryable && refused.code == Code::RateLimited);
            refused.retry_after_ms.unwrap()
        })
        .collect();
    assert!(pauses.iter().all(|pause| (6_000..=7_500).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}

#[test]
fn new_rules_hold_from_the_next_request_on() {
    let rules = Arc::new(Reloadable::new(Rules { per_user: quota(1, 60), ..Rules::default() }));
    let shared = SharedAdmission::new(rules.clone(), Cells::default());
    let admission = AdmissionControl::new(&shared, 0);
    let user = UserId::parse("u").unwrap();
    let ask = || charged(&shared, &admission, requester("shop", Some(&user)), 0).0;
    assert_eq!([ask(), ask()], [None, Some(Reason::UserRate)]);
    rules.replace(Rules { per_user: quota(60, 60), ..Rules::default() });
    // What was paid counts on, at the new rate: a minute ahead is all of it.
    assert_eq!(ask(), Some(Reason::UserRate));
    rules.replace(Rules::default());
    assert_eq!(ask(), None);
}

#[test]
fn a_peer_is_taken_by_its_address_and_by_how_many_it_has() {
    let one = |text: &str| Networks::read("list", text).unwrap();
    let rules = Rules {
        addresses: Addresses {
            deny: one("192.0.2.66"),
            trusted_proxies: one("10.0.0.1"),
            ..Addresses::default()
        },
        connections_per_address: PerAddress::Most(2),
        ..Rules::default()
    };
    let (shared, admission) = shared(rules);
    let accept = |peer| admission.accept(&shared, ip(peer), 100).map(|permit| permit.map(Box::new));
    assert_eq!(accept("192.0.2.66").err(), Some(Reason::PeerAddress));
    let seats = [accept("192.0.2.1").unwrap(), accept("192.0.2.1").unwrap()];
    assert_eq!(accept("192.0.2.1").err(), Some(Reason::ConnectionsOfAddress));
    assert!(accept("192.0.2.2").unwrap().is_some());
    for _ in 0..5 {
        assert!(accept("10.0.0.1").unwrap().is_none(), "a proxy is not counted");
    }
    drop(seats);
    assert!(accept("192.0.2.1").unwrap().is_some());
    assert!(admission.client((ip("192.0.2.9"), None), &headers("")).is_ok());
}

/// An address has a quarter of the places unless it is of this machine.
#[test]
fn an_address_of_another_machine_has_a_quarter_of_the_places() {
    for (of, sender, all, expected) in [
        (PerAddress::AsMany, "192.0.2.1", 20_000, None),
        (PerAddress::Quarter, "192.0.2.1", 20_000, Some(5_000)),
        (PerAddress::Quarter, "2001:db8::1", 7, Some(1)),
        (PerAddress::Quarter, "192.0.2.1", 1, Some(1)),
        (PerAddress::Quarter, "127.0.0.9", 20_000, None),
        (PerAddress::Quarter, "::1", 20_000, None),
        (PerAddress::Most(3), "::1", 20_000, Some(3)),
    ] {
        assert_eq!(of.most(ip(sender), all), expected, "{of:?} {sender}");
    }
}

#[test]
fn every_reason_has_its_word() {
    assert_eq!(REASONS[Reason::PeerAddress as usize], "peer_address");
    assert_eq!(REASONS[Reason::RingFull as usize], "ring_full");
    assert_eq!(REASONS[Reason::ProxyHeader as usize], "proxy_header");
    assert_eq!(REASONS[Reason::IdleReplaced as usize], "idle_replaced");
    assert_eq!(REASONS.len(), Reason::IdleReplaced as usize + 1);
}

//! Requests about draws as text, and what they come to.

use super::*;
use crate::domain::model::command::Precondition;
use crate::http::response::problem::Fault;
use crate::http::response::problem::Member;
use crate::http::testing::{question, wanted};

#[track_caller]
fn put(text: &str) -> PutDraw {
    match question(text).request.command {
        Command::PutDraw(put) => *put,
        other => panic!("{text}: {other:?}"),
    }
}

/// The code, and for `invalid` the fields.
#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let refused = wanted(text).expect_err(text);
    let mut found = refused.code.as_str().to_owned();
    for (_, member) in &refused.members {
        if let Member::Faults(faults) = member {
            faults.iter().for_each(|Fault { field, .. }| found = format!("{found} {field}"));
        }
    }
    assert_eq!(found, expected, "{text}: {}", refused.detail);
}

#[test]
fn a_draw_has_defaults_for_all_but_its_prizes() {
    let made = put(r#"PUT /v1/draws/D {"prizes":[{"sku":"A","weight":1}]}"#);
    let prize = Prize { sku: SkuId::parse("A").unwrap(), weight: 1 };
    let odds = Odds::new(vec![prize], 0).unwrap();
    assert_eq!(made.terms, Terms { odds, hold_ms: None, sell: false });
    let admission = Admission { entries_per_user: 1, opens_at: None, closes_at: None };
    assert_eq!((made.admission, made.precondition), (admission, Precondition::None));
    assert_eq!(made.draw.as_str(), "D");
}

#[test]
fn a_draw_says_everything_the_contract_names() {
    let made = put("If-Match: \"7\"\nPUT /v1/draws/D {\"prizes\":[{\"sku\":\"A\",\"weight\":0},\
         {\"weight\":99,\"sku\":\"B\"}],\"blank_weight\":900,\"entries_per_user\":0,\
         \"opens_at\":\"1970-01-01T00:00:01Z\",\"closes_at\":\"1970-01-01T00:00:02Z\",\
         \"hold_ms\":60000,\"confirm\":false}");
    let weights: Vec<u64> = made.terms.odds.prizes().iter().map(|prize| prize.weight).collect();
    assert_eq!((weights, made.terms.odds.blank_weight()), (vec![0, 99], 900));
    assert_eq!((made.terms.hold_ms, made.terms.sell), (Some(60_000), false));
    let (opens_at, closes_at) = (Some(1_000), Some(2_000));
    assert_eq!(made.admission, Admission { entries_per_user: 0, opens_at, closes_at });
    assert_eq!(made.precondition, Precondition::Version(Some(7)));
    assert!(
        put(r#"PUT /v1/draws/D {"prizes":[{"sku":"A","weight":1}],"confirm":true}"#).terms.sell
    );
}

#[test]
fn every_put_brings_a_seed_of_its_own() {
    let text = r#"PUT /v1/draws/D {"prizes":[{"sku":"A","weight":1}]}"#;
    let (one, other) = (put(text).seed, put(text).seed);
    assert_ne!(one, other);
    assert_ne!(one.0, [0; 32]);
}

#[test]
fn odds_out_of_range_are_told_where_they_stand() {
    let check = |members: &str, expected| {
        check_refused(&format!("PUT /v1/draws/D {{{members}}}"), expected);
    };
    check(r#""blank_weight":1"#, "malformed");
    check(r#""prizes":[]"#, "invalid prizes");
    check(r#""prizes":[],"blank_weight":1"#, "invalid prizes");
    let many = vec![r#"{"sku":"A","weight":1}"#; 101].join(",");
    check(&format!("\"prizes\":[{many}]"), "invalid prizes");
    check(
        r#""prizes":[{"sku":"A","weight":1000000001},{"sku":"A","weight":-1}]"#,
        "invalid prizes[0].weight prizes[1].weight prizes[1].sku",
    );
    check(r#""prizes":[{"sku":"A","weight":0}]"#, "invalid prizes");
    check(r#""prizes":[{"sku":"A","weight":1}],"blank_weight":1000000001"#, "invalid blank_weight");
    check(r#""prizes":[{"sku":"A","weight":1}],"hold_ms":1,"confirm":true"#, "invalid hold_ms");
    check(
        r#""prizes":[{"sku":"A","weight":1}],"opens_at":"2027-01-15T08:00:00Z","closes_at":"2027-01-15T08:00:00Z""#,
        "invalid opens_at",
    );
    for malformed in [
        r#""prizes":{}"#,
        r#""prizes":[1]"#,
        r#""prizes":[{"sku":"A"}]"#,
        r#""prizes":[{"weight":1}]"#,
        r#""prizes":[{"sku":"a b","weight":1}]"#,
        r#""prizes":[{"sku":"A","weight":1.0}]"#,
        r#""prizes":[{"sku":"A","weight":1}],"confirm":1"#,
    ] {
        check(malformed, "malformed");
    }
    check(r#""prizes":[{"sku":"A","weight":1}],"seed":"00""#, "unknown_field");
    check(r#""prizes":[{"sku":"A","weight":1,"stock":2}]"#, "unknown_field");
}

#[test]
fn an_entry_names_a_user_and_needs_a_key() {
    let entered = question("Idempotency-Key: k\nPOST /v1/draws/D/entries {\"user\":\"u\"}").request;
    let enter = |client_seed: Option<&str>| {
        Command::EnterDraw(EnterDraw {
            draw: DrawId::parse("D").unwrap(),
            user: UserId::parse("u").unwrap(),
            client_seed: client_seed.map(Into::into),
        })
    };
    assert_eq!(entered.command, enter(None));
    assert!(entered.key.is_some());
    for seed in ["", "x y~", &"s".repeat(64)] {
        let text = format!("{{\"user\":\"u\",\"client_seed\":\"{seed}\"}}");
        let text = format!("Idempotency-Key: k\nPOST /v1/draws/D/entries {text}");
        assert_eq!(question(&text).request.command, enter(Some(seed)));
    }
    check_refused(r#"POST /v1/draws/D/entries {"user":"u"}"#, "idempotency_key_missing");
    let keyed = |rest: &str| format!("Idempotency-Key: k\nPOST /v1/draws/{rest}");
    check_refused(&keyed("D/entries"), "malformed");
    check_refused(&keyed("D/entries {}"), "malformed");
    check_refused(&keyed("a%20b/entries {\"user\":\"u\"}"), "malformed");
    check_refused(&keyed("D/entries {\"user\":\"u\",\"qty\":1}"), "unknown_field");
    check_refused(
        &keyed("D/entries {\"user\":\"u\",\"client_seed\":\"ä\"}"),
        "invalid client_seed",
    );
    let long = format!("D/entries {{\"user\":\"u\",\"client_seed\":\"{}\"}}", "s".repeat(65));
    check_refused(&keyed(&long), "invalid client_seed");
}

#[test]
fn entries_are_listed_after_a_number() {
    let check = |query: &str, user: Option<&str>, after, limit| {
        let text = format!("GET /v1/draws/D/entries{query}");
        let user = user.map(|user| UserId::parse(user).unwrap());
        let draw = DrawId::parse("D").unwrap();
        let expected = Query::Entries { draw, user, after, limit };
        assert_eq!(question(&text).request.command, Command::Read(Box::new(expected)), "{text}");
    };
    check("", None, 0, 100);
    check("?after=7&limit=2&user=u%7C1", Some("u|1"), 7, 2);
    check("?after=4294967295", None, u32::MAX, 100);
    for (query, code) in [
        ("after=-1", "invalid after"),
        ("after=x", "invalid after"),
        ("after=", "invalid after"),
        ("after=4294967296", "invalid after"),
        ("limit=0", "invalid limit"),
        ("user=a%20b", "malformed"),
        ("cursor=1", "unknown_field"),
    ] {
        check_refused(&format!("GET /v1/draws/D/entries?{query}"), code);
    }
}

#[test]
fn closing_takes_no_members_and_deleting_may_name_a_version() {
    let closed = question("POST /v1/draws/D/close").request;
    assert_eq!(closed.command, Command::CloseDraw(DrawId::parse("D").unwrap()));
    assert!(question("Idempotency-Key: k\nPOST /v1/draws/D/close {}").request.key.is_some());
    check_refused("POST /v1/draws/D/close {\"seed\":1}", "unknown_field");
    for (header, precondition) in
        [("", Precondition::None), ("If-Match: \"7\"\n", Precondition::Version(Some(7)))]
    {
        let deleted = question(&format!("{header}DELETE /v1/draws/D")).request.command;
        let draw = DrawId::parse("D").unwrap();
        assert_eq!(deleted, Command::DeleteDraw(Box::new(DeleteDraw { draw, precondition })));
    }
}

#[test]
fn the_methods_of_draws_are_told() {
    for (text, allow) in [
        ("PATCH /v1/draws/D", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("DELETE /v1/draws/D/entries", "GET, HEAD, POST, OPTIONS"),
        ("GET /v1/draws/D/close", "POST, OPTIONS"),
    ] {
        let refused = wanted(text).expect_err(text);
        assert_eq!((refused.code, refused.allow), (Code::MethodNotAllowed, Some(allow)), "{text}");
    }
    for text in ["GET /v1/draws", "GET /v1/draws/", "GET /v1/draws/D/entries/1"] {
        assert_eq!(wanted(text).expect_err(text).code, Code::NotFound, "{text}");
    }
}

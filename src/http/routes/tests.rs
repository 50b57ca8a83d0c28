//! Requests as text, and what they come to. `KEY` lines stand for the header that orders need.

use super::*;
use crate::domain::model::command::Query;
use crate::domain::model::command::{Action, AdjustSku, Adjustment, CreateOrder, DeleteSku, Patch};
use crate::domain::model::command::{
    PatchSku, Precondition, PutSku, Refund, SkuChanges, SkuSettings, Take,
};
use crate::domain::model::ids::{GroupId, LineRequest, LineRequests, OrderId, SkuId, UserId};
use crate::domain::model::order::{Status, Verb};
use crate::http::request::fingerprint::key_hash;
use crate::http::response::problem::{Code, Fault, Member};
use crate::http::testing::{HASH_KEY, question, wanted};
use std::borrow::Cow;

#[path = "read_tests.rs"]
mod reads;

const ORDER: &str = r#"{"user":"u1","lines":[{"sku":"A","qty":2}]}"#;

fn keyed(text: &str) -> String {
    format!("Idempotency-Key: k\n{text}")
}

#[track_caller]
fn check(text: &str, expected: Command) {
    assert_eq!(question(text).request.command, expected, "{text}");
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

fn sku(text: &str) -> SkuId {
    SkuId::parse(text).unwrap()
}

fn lines(lines: &[(&str, u32)]) -> LineRequests {
    lines.iter().map(|(id, quantity)| LineRequest { sku: sku(id), quantity: *quantity }).collect()
}

fn order(take: Take) -> CreateOrder {
    let user = UserId::parse("u1").unwrap();
    CreateOrder { user, lines: lines(&[("A", 2)]), reference: None, take }
}

#[test]
fn paths_name_places_and_other_paths_name_nothing() {
    let id = Cow::Borrowed("x");
    for (path, place) in [
        ("/livez", Route::Live),
        ("/v1/status", Route::Status),
        ("/v1/orders", Route::Orders),
        ("/v1/%6frders", Route::Orders),
        ("/v1/orders/x", Route::Order(id.clone())),
        ("/v1/orders/x/refund", Route::Act(id.clone(), Verb::Refund)),
        ("/v1/skus/x/adjust", Route::Adjust(id.clone())),
        ("/v1/skus/orders", Route::Sku(Cow::Borrowed("orders"))),
        ("/v1/users/x/orders", Route::UserOrders(id.clone())),
        ("/", Route::Root),
        ("/openapi.json", Route::Contract),
        ("/v1/requests/a%2Fb", Route::Remembered(Cow::Borrowed("a/b"))),
    ] {
        assert_eq!(Route::find(path).unwrap(), place, "{path}");
    }
    for path in [
        "//",
        "/v1",
        "/v1/",
        "/v1/orders/",
        "/v1/orders/x/",
        "/v1/orders/x/confirm/",
        "//v1/orders",
        "/v1//orders",
        "/v1/orders/x/adjust",
        "/v1/skus/x/confirm",
        "/v1/users/x",
        "/v1/users",
        "/v1/requests",
        "/V1/orders",
        "/v1%2Forders",
        "/v2/orders",
        "/livez/",
        "/openapi.json/",
    ] {
        assert_eq!(Route::find(path).unwrap_err().code, Code::NotFound, "{path}");
    }
}

#[test]
fn a_method_that_is_not_there_is_told_which_are() {
    for (text, allow) in [
        ("PUT /v1/orders", "GET, HEAD, POST, OPTIONS"),
        ("POST /v1/skus/A", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("GET /v1/orders/1-1/confirm", "POST, OPTIONS"),
        ("get /v1/orders", "GET, HEAD, POST, OPTIONS"),
        ("TRACE /livez", "GET, HEAD, OPTIONS"),
    ] {
        let refused = wanted(text).expect_err(text);
        assert_eq!((refused.code, refused.allow), (Code::MethodNotAllowed, Some(allow)), "{text}");
    }
    match wanted("OPTIONS /v1/skus/A") {
        Ok(Parsed::Reply(reply)) => {
            assert_eq!(reply.status, 204);
            assert_eq!(reply.allow, Some("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_held_or_sold_at_once() {
    let check = |body: &str, expected: CreateOrder| {
        check(&keyed(&format!("POST /v1/orders {body}")), Command::CreateOrder(expected));
    };
    check(ORDER, order(Take::Hold(None)));
    check(
        r#"{"user":"u1","lines":[{"sku":"A","qty":2}],"hold_ms":2592000000,"confirm":false}"#,
        order(Take::Hold(Some(2_592_000_000))),
    );
    check(r#"{"user":"u1","lines":[{"sku":"A","qty":2}],"confirm":true}"#, order(Take::Sell));
    check(
        r#"{"reference":"shop 17","user":"a+b|c=d~e","lines":[{"qty":1,"sku":"A"},{"sku":"B","qty":1000000}],"hold_ms":null,"confirm":null}"#,
        CreateOrder {
            user: UserId::parse("a+b|c=d~e").unwrap(),
            lines: lines(&[("A", 1), ("B", 1_000_000)]),
            reference: Some("shop 17".into()),
            take: Take::Hold(None),
        },
    );
}

#[test]
fn the_shape_of_an_order_is_checked() {
    let check = |body: &str, expected: &str| {
        check_refused(&keyed(&format!("POST /v1/orders {body}")), expected);
    };
    let with = |member: &str| ORDER.replacen('{', &format!("{{{member},"), 1);
    let line = |line: &str| format!(r#"{{"user":"u1","lines":[{{"sku":"A","qty":1}},{line}]}}"#);
    check("", "malformed");
    check("{}", "malformed");
    check(r#"{"user":"u1"}"#, "malformed");
    check(r#"{"user":null,"lines":[{"sku":"A","qty":2}]}"#, "malformed");
    check(r#"{"user":1,"lines":[{"sku":"A","qty":2}]}"#, "malformed");
    check(r#"{"user":"a b","lines":[{"sku":"A","qty":2}]}"#, "malformed");
    check(r#"{"user":"u1","lines":{"sku":"A","qty":2}}"#, "malformed");
    check(&with("\"record\":1"), "unknown_field");
    check(&with("\"record\":null"), "unknown_field");
    check(&with("\"User\":\"u1\""), "unknown_field");
    check(&with("\"confirm\":1"), "malformed");
    check(&with("\"hold_ms\":\"1\""), "malformed");
    check(&with("\"hold_ms\":1.0"), "malformed");
    check(&with("\"hold_ms\":18446744073709551616"), "invalid hold_ms");
    check(&with("\"reference\":7"), "malformed");
    check(&line("7"), "malformed");
    check(&line(r#"{"sku":"B"}"#), "malformed");
    check(&line(r#"{"qty":1}"#), "malformed");
    check(&line(r#"{"sku":"a/b","qty":1}"#), "malformed");
    check(&line(r#"{"sku":"B","qty":1,"price":1}"#), "unknown_field");
    for quantity in ["1.0", "1e3", "\"1\"", "true", "18446744073709551616.0", "[]"] {
        check(&line(&format!(r#"{{"sku":"B","qty":{quantity}}}"#)), "malformed");
    }
    for quantity in
        ["0", "-1", "1000001", "18446744073709551615", "18446744073709551616", &"9".repeat(400)]
    {
        check(&line(&format!(r#"{{"sku":"B","qty":{quantity}}}"#)), "invalid lines[1].qty");
    }
    check(&line(r#"{"sku":"A","qty":1}"#), "invalid lines[1].sku");
    check(r#"{"user":"u1","lines":[]}"#, "invalid lines");
    check(&with("\"hold_ms\":0"), "invalid hold_ms");
    check(&with("\"hold_ms\":2592000001"), "invalid hold_ms");
    check(&with("\"hold_ms\":1,\"confirm\":true"), "invalid hold_ms");
    check(&with("\"reference\":\"\""), "invalid reference");
    check(&with("\"reference\":\"ä\""), "invalid reference");
    check(&with(&format!("\"reference\":\"{}\"", "r".repeat(129))), "invalid reference");
}

#[test]
fn all_faults_are_told_together_and_a_wrong_type_goes_first() {
    let text = keyed(
        r#"POST /v1/orders {"user":"u1","lines":[{"sku":"A","qty":0},{"sku":"A","qty":0}],"hold_ms":0,"reference":""}"#,
    );
    let fields = "lines[0].qty lines[1].qty lines[1].sku hold_ms reference";
    check_refused(&text, &format!("invalid {fields}"));
    check_refused(&text.replace("\"reference\":\"\"", "\"reference\":1"), "malformed");
}

#[test]
fn too_many_lines_make_one_fault() {
    let crowd = |count: usize, quantity: u32| {
        let lines: Vec<String> =
            (0..count).map(|at| format!(r#"{{"sku":"S{at}","qty":{quantity}}}"#)).collect();
        keyed(&format!(r#"POST /v1/orders {{"user":"u1","lines":[{}]}}"#, lines.join(",")))
    };
    assert!(wanted(&crowd(16, 1)).is_ok());
    check_refused(&crowd(17, 1), "invalid lines");
    check_refused(&crowd(2000, 0), "invalid lines");
}

#[test]
fn bodies_need_a_media_type_of_json() {
    let check = |content_type: &str, good: bool| {
        let text = keyed(&format!("Content-Type: {content_type}\nPOST /v1/orders {ORDER}"));
        match wanted(&text) {
            Ok(_) => assert!(good, "{content_type}"),
            Err(refused) => {
                assert_eq!(
                    (refused.code, good),
                    (Code::UnsupportedMediaType, false),
                    "{content_type}"
                );
            }
        }
    };
    check("application/json", true);
    check("Application/JSON;charset=UTF-8", true);
    check("application/json ; charset=\"utf-8\" ;", true);
    check("application/json; charset=latin1", false);
    check("application/json; profile=x", false);
    check("application/problem+json", false);
    check("text/plain", false);
    check("application/x-ndjson", false);
    check("", false);
    check("application/json\nContent-Type: application/json", false);
    check("application/json\nContent-Encoding: gzip", false);
    check("application/json\nContent-Encoding: Identity", true);
    let plain = |text: &str| keyed(&format!("Content-Type: text/plain\n{text}"));
    for text in
        ["POST /v1/orders?x=1 {}", "POST /v1/orders/1-1/ship?x=1 {}", "PUT /v1/skus/a%20b x"]
    {
        check_refused(&plain(text), "unsupported_media_type");
    }
}

#[test]
fn keys_are_required_allowed_or_ignored() {
    check_refused(&format!("POST /v1/orders {ORDER}"), "idempotency_key_missing");
    check_refused(r#"POST /v1/skus/A/adjust {"delta":1,"reason":"r"}"#, "idempotency_key_missing");
    let part = r#"POST /v1/orders/1-1/refund {"lines":[{"sku":"A","qty":1}]}"#;
    check_refused(part, "idempotency_key_missing");
    check_refused(
        &format!("Idempotency-Key: k\nIdempotency-Key: k\nPOST /v1/orders {ORDER}"),
        "malformed",
    );
    for text in ["POST /v1/orders/1-1/refund", "POST /v1/orders/1-1/confirm {}"] {
        assert_eq!(question(text).request.key, None, "{text}");
        assert!(question(&keyed(text)).request.key.is_some(), "{text}");
    }
    for text in [
        "PUT /v1/skus/A {\"stock\":1}",
        "PATCH /v1/skus/A {}",
        "DELETE /v1/skus/A",
        "GET /v1/skus/A",
    ] {
        let bad = format!("Idempotency-Key: k\nIdempotency-Key: k\n{text}");
        assert_eq!(question(&bad).request.key, None, "{text}");
    }
}

#[test]
fn actions_take_their_members_or_nothing() {
    let id = OrderId { epoch: 3, sequence: 17 };
    let check = |text: &str, action: Action| {
        check(&keyed(&format!("POST /v1/orders/3-17/{text}")), Command::ActOnOrder(id, action));
    };
    let refund = |lines, restock| Action::Refund(Refund { lines, restock });
    check("confirm", Action::Confirm { reacquire: false });
    check("confirm {}", Action::Confirm { reacquire: false });
    check(r#"confirm {"if_expired":null}"#, Action::Confirm { reacquire: false });
    check(r#"confirm {"if_expired":"reacquire"}"#, Action::Confirm { reacquire: true });
    check("cancel", Action::Cancel);
    check("ship {}", Action::Ship);
    check("complete null", Action::Complete);
    check(r#"extend {"hold_ms":1}"#, Action::Extend(1));
    check("refund  null ", refund(lines(&[]), true));
    check(r#"refund {"restock":false}"#, refund(lines(&[]), false));
    check(r#"refund {"lines":[{"sku":"B","qty":3}]}"#, refund(lines(&[("B", 3)]), true));
}

/// The shape of actions is checked before the order is looked for.
#[test]
fn the_shape_of_actions_is_checked_before_their_order() {
    for order in ["3-17", "nonsense"] {
        let check = |text: &str, expected: &str| {
            check_refused(&keyed(&format!("POST /v1/orders/{order}/{text}")), expected);
        };
        check(r#"confirm {"if_expired":"wait"}"#, "invalid if_expired");
        check(r#"confirm {"if_expired":true}"#, "malformed");
        check(r#"confirm {"force":true}"#, "unknown_field");
        check(r#"cancel {"reason":"r"}"#, "unknown_field");
        check("cancel []", "malformed");
        check("extend", "malformed");
        check("extend {}", "malformed");
        check(r#"extend {"hold_ms":0}"#, "invalid hold_ms");
        check(r#"refund {"lines":[]}"#, "invalid lines");
        check(r#"refund {"restock":"yes"}"#, "malformed");
        check("confirm?x=1 {}", "unknown_field");
    }
    check_refused("Idempotency-Key: \nPOST /v1/orders/nonsense/confirm", "malformed");
    check_refused("Request-Timeout-Ms: 0\nPOST /v1/orders/nonsense/confirm", "malformed");
    check_refused("If-Match: x\nPOST /v1/orders/nonsense/confirm", "malformed");
}

#[test]
fn an_id_that_is_none_of_ours_stands_for_no_order() {
    let none = OrderId { epoch: 0, sequence: 0 };
    // Lost ones: a life that was never drawn, an epoch that has a life, what another start made.
    let lost = ["7k3v9q2n-20", "4-20", "7k3v9q2m-19", "3-20"];
    let shapeless = ["nonsense", "03-17", "3-17-1", "%20", "*", "0-0", "1-0", "7K3V9Q2M-20"];
    for order in lost.into_iter().chain(shapeless) {
        let confirm = Command::ActOnOrder(none, Action::Confirm { reacquire: false });
        check(&format!("POST /v1/orders/{order}/confirm"), confirm);
        check(&format!("GET /v1/orders/{order}"), Command::Read(Box::new(Query::Order(none))));
    }
}

#[test]
fn a_put_names_a_whole_sku() {
    let put = |text: &str, stock, settings, precondition| {
        let put = PutSku { sku: sku("A"), stock, settings, precondition };
        check(text, Command::PutSku(Box::new(put)));
    };
    put(r#"PUT /v1/skus/A {"stock":0}"#, 0, SkuSettings::default(), Precondition::None);
    put(
        r#"PUT /v1/skus/A {"stock":1,"hold_ms":null,"paused":null,"limit_group":null}"#,
        1,
        SkuSettings::default(),
        Precondition::None,
    );
    put(
        "If-Match: \"9\"\nPUT /v1/skus/A {\"stock\":1000000000000,\"per_user_limit\":1,\
         \"limit_group\":\"runner\",\"opens_at\":\"1970-01-01T01:00:00.001+01:00\",\
         \"closes_at\":\"1970-01-01T00:00:00.002Z\",\"hold_ms\":300000,\"paused\":true,\"direct\":true}",
        1_000_000_000_000,
        SkuSettings {
            per_user_limit: 1,
            limit_group: Some(GroupId::parse("runner").unwrap()),
            opens_at: Some(1),
            closes_at: Some(2),
            hold_ms: Some(300_000),
            paused: true,
            direct: true,
        },
        Precondition::Version(Some(9)),
    );
}

#[test]
fn the_shape_of_a_sku_is_checked() {
    let check = |body: &str, expected: &str| {
        check_refused(&format!("PUT /v1/skus/A {body}"), expected);
    };
    check("{}", "malformed");
    check(r#"{"stock":null}"#, "malformed");
    check(r#"{"stock":"1"}"#, "malformed");
    check(r#"{"stock":1,"total":1}"#, "unknown_field");
    check(r#"{"stock":1,"opens_at":1}"#, "malformed");
    check(r#"{"stock":1,"opens_at":"tomorrow"}"#, "malformed");
    check(r#"{"stock":1,"limit_group":"a b"}"#, "malformed");
    check(r#"{"stock":1,"paused":0}"#, "malformed");
    check(r#"{"stock":1000000000001}"#, "invalid stock");
    check(r#"{"stock":-1}"#, "invalid stock");
    check(r#"{"stock":1,"per_user_limit":9007199254740992}"#, "invalid per_user_limit");
    check(r#"{"stock":1,"opens_at":"1969-01-01T00:00:00Z"}"#, "invalid opens_at");
    check(r#"{"stock":1,"closes_at":"9999-12-31T23:59:59-00:01"}"#, "invalid closes_at");
    let never = r#"PUT /v1/skus/A {"stock":1,"closes_at":"9999-12-31T23:59:59Z"}"#;
    assert!(wanted(never).is_ok());
    let same = r#""opens_at":"2027-01-01T00:00:00Z","closes_at":"2027-01-01T01:00:00+01:00""#;
    check(&format!(r#"{{"stock":1,{same}}}"#), "invalid opens_at");
    check_refused(&format!(r"PATCH /v1/skus/A {{{same}}}"), "invalid opens_at");
    check_refused("PUT /v1/skus/A", "malformed");
    check_refused("PATCH /v1/skus/A", "malformed");
    check_refused("PATCH /v1/skus/A {\"stock\":1}", "unknown_field");
    check_refused("PUT /v1/skus/a%2Fb {\"stock\":1}", "malformed");
    check_refused("GET /v1/skus/..", "malformed");
    check_refused("If-None-Match: 1\nPUT /v1/skus/A {\"stock\":1}", "malformed");
    check_refused("If-Match: 1\nDELETE /v1/skus/A", "malformed");
}

#[test]
fn a_patch_keeps_resets_or_sets() {
    let patch = |text: &str, changes, precondition| {
        let patch = PatchSku { sku: sku("A"), changes, precondition };
        check(text, Command::PatchSku(Box::new(patch)));
    };
    let text = "Content-Type: application/merge-patch+json\nPATCH /v1/skus/A {}";
    patch(text, SkuChanges::default(), Precondition::None);
    patch(
        "If-Match: *\nPATCH /v1/skus/A {\"per_user_limit\":null,\"opens_at\":null,\"hold_ms\":5,\"paused\":true}",
        SkuChanges {
            per_user_limit: Patch::Reset,
            opens_at: Patch::Reset,
            hold_ms: Patch::Set(Some(5)),
            paused: Patch::Set(true),
            ..SkuChanges::default()
        },
        Precondition::Exists,
    );
}

#[test]
fn an_adjustment_is_by_or_to_a_number_with_a_reason() {
    let adjust = |text: &str, adjustment, precondition| {
        let reason = "r".to_owned();
        let adjust = AdjustSku { sku: sku("A"), adjustment, reason, precondition };
        check(&keyed(text), Command::AdjustSku(Box::new(adjust)));
    };
    let by = "POST /v1/skus/A/adjust {\"delta\":-5,\"reason\":\"r\"}";
    adjust(by, Adjustment::Delta(-5), Precondition::None);
    let to = "If-Match: \"7\"\nPOST /v1/skus/A/adjust {\"stock\":0,\"reason\":\"r\"}";
    adjust(to, Adjustment::Stock(0), Precondition::Version(Some(7)));
    let check = |body: &str, expected: &str| {
        check_refused(&keyed(&format!("POST /v1/skus/A/adjust {body}")), expected);
    };
    check(r#"{"reason":"r"}"#, "malformed");
    check(r#"{"delta":1}"#, "malformed");
    check(r#"{"delta":1.5,"reason":"r"}"#, "malformed");
    check(r#"{"delta":0,"reason":"r"}"#, "invalid delta");
    check(r#"{"delta":-1000000000001,"reason":"r"}"#, "invalid delta");
    check(r#"{"delta":-9223372036854775808,"reason":"r"}"#, "invalid delta");
    check(r#"{"delta":-9223372036854775809,"reason":"r"}"#, "invalid delta");
    check(r#"{"delta":18446744073709551616,"reason":"r"}"#, "invalid delta");
    check(r#"{"delta":1,"stock":1,"reason":""}"#, "invalid reason stock");
    check(&format!(r#"{{"delta":1,"reason":"{}"}}"#, "ä".repeat(201)), "invalid reason");
    assert!(
        wanted(&keyed(&format!(
            r#"POST /v1/skus/A/adjust {{"delta":1,"reason":"{}"}}"#,
            "ä".repeat(200)
        )))
        .is_ok()
    );
}

#[test]
fn a_key_in_a_path_follows_the_rules_of_the_header() {
    let principal = crate::domain::model::ids::PrincipalName::local();
    let asked = |path: &str| question(&format!("GET {path}")).request.command;
    let remembered = |key: &[u8]| {
        Command::Read(Box::new(Query::Remembered(key_hash(&HASH_KEY, &principal, key))))
    };
    assert_eq!(asked("/v1/requests/k"), remembered(b"k"));
    assert_eq!(asked("/v1/requests/%22k%22"), remembered(b"k"));
    assert_eq!(asked("/v1/requests/a%20b%2Fc"), remembered(b"a b/c"));
    check_refused("GET /v1/requests/%C3%A4", "malformed");
    check_refused("GET /v1/requests/%22", "malformed");
}

#[test]
fn deadline_and_trace_go_with_the_request() {
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let asked = question(&format!("{trace}\nRequest-Timeout-Ms: 50\nGET /v1/skus/A"));
    assert_eq!(asked.deadline_ms, Some(1050));
    assert_eq!(asked.request.traceparent.map(|trace| trace.flags), Some(1));
    check_refused("Request-Timeout-Ms: 0\nGET /v1/skus/A", "malformed");
}

//! Reads as text, and what they ask for: paths, queries and the cursors of lists.

use super::*;
use crate::domain::model::command::OrderPlace;
use crate::domain::model::ids::PrincipalName;
use crate::http::request::sealed_cursor::{Whose, seal};
use crate::http::testing::lives;

#[test]
fn reads_ask_for_what_their_path_and_query_name() {
    let check = |text: &str, query: Query| check(text, Command::Read(Box::new(query)));
    let order = OrderId { epoch: 3, sequence: 17 };
    let user = || UserId::parse("u+1").unwrap();
    check("GET /v1/status", Query::Status);
    check("GET /v1/skus/A", Query::Sku(sku("A")));
    check("HEAD /v1/skus/A", Query::Sku(sku("A")));
    check("GET /v1/skus", Query::Skus { after: None, limit: 100 });
    check("GET /v1/skus?limit=1&cursor=A", Query::Skus { after: Some(sku("A")), limit: 1 });
    check("GET /v1/orders/3-17", Query::Order(order));
    let all = Query::Orders { status: None, sku: None, after: None, limit: 100 };
    check("GET /v1/orders", all);
    let newest = OrderId { epoch: 4, sequence: 20 };
    check("GET /v1/orders/7k3v9q2m-20", Query::Order(newest));
    let behind = Query::Orders { status: None, sku: None, after: Some(newest), limit: 100 };
    check("GET /v1/orders?cursor=7k3v9q2m-20", behind);
    let some = Query::Orders {
        status: Some(Status::Held),
        sku: Some(sku("A")),
        after: Some(order),
        limit: 7,
    };
    check("GET /v1/orders?status=held&sku=A&limit=7&cursor=3-17", some);
    let own = |sealed| {
        let after = Some(OrderPlace { order, sealed });
        Query::UserOrders { user: user(), after, limit: 100 }
    };
    check("GET /v1/users/u+1/orders?cursor=3-17", own(false));
    let whose = Whose { principal: PrincipalName::local(), user: user() };
    let sealed = seal(&HASH_KEY, &whose, &lives(), (order, 17));
    check(&format!("GET /v1/users/u+1/orders?cursor={}", sealed.as_str()), own(true));
    for list in ["/v1/users/u+2/orders", "/v1/orders"] {
        check_refused(&format!("GET {list}?cursor={}", sealed.as_str()), "invalid cursor");
    }
    let delete = DeleteSku { sku: sku("A"), precondition: Precondition::Exists };
    super::check("If-Match: *\nDELETE /v1/skus/A", Command::DeleteSku(Box::new(delete)));
}

#[test]
fn a_cursor_that_this_journal_never_gave_out_has_diverged() {
    for cursor in ["7k3v9q2n-20", "4-20", "7k3v9q2m-19", "3-20"] {
        check_refused(&format!("GET /v1/orders?cursor={cursor}"), "diverged");
        check_refused(&format!("GET /v1/users/u/orders?cursor={cursor}"), "diverged");
        // What is wrong with the rest of it comes first.
        check_refused(&format!("GET /v1/orders?cursor={cursor}&limit=0"), "invalid limit");
    }
}

#[test]
fn bad_queries_are_refused() {
    check_refused("GET /v1/orders?status=Held&limit=0&cursor=x", "invalid status limit cursor");
    check_refused("GET /v1/skus?cursor=a%20b", "invalid cursor");
    check_refused("GET /v1/users/u/orders?limit=101", "invalid limit");
    check_refused("GET /v1/users/a%20b/orders", "malformed");
    check_refused("GET /v1/orders?sku=a%20b", "malformed");
    check_refused("GET /v1/orders?user=u1", "unknown_field");
    check_refused("GET /v1/skus/A?x", "unknown_field");
    check_refused("GET /livez?x", "unknown_field");
    check_refused("OPTIONS /v1/orders?limit=1", "unknown_field");
    let refused = wanted("GET /v1/skus?colour=red").unwrap_err();
    assert_eq!(refused.members[0], ("field", Member::Text("colour".into())));
    assert_eq!(refused.detail, "the query parameter colour is unknown");
}

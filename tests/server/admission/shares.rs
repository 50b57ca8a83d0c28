//! One principal among several at full tables: what it may fill, and what the others still get,
//! from the first row on, across a restart and a change of the tokens file (API 1).
//!
//! Next: the scenarios in `tests/rules/capacity.rs`.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::{Entry, TokensFile};
use doorbuster_test_support::wait;
use serde_json::json;

const EAST: Entry<'static> = ("east", "buy", "east-token", "");
const WEST: Entry<'static> = ("west", "buy", "west-token", "");
const ADMIN: Entry<'static> = ("ops", "admin", "ops-token", "");

/// Rows of each table that is filled, and of these the reserve of each of three principals.
const CAP: usize = 200;
const RESERVE: usize = CAP / 20;

fn serve(tokens: &TokensFile) -> Server {
    let launch =
        ["KEYS", "ORDERS", "USERS", "USES"].iter().fold(tokens.launch(TARGET), |launch, table| {
            launch.variable(&format!("CAPS_{table}"), &CAP.to_string())
        });
    launch.start()
}

fn client(server: &Server, (_, _, token, _): Entry<'_>) -> Client {
    server.connect().with_token(token)
}

/// Orders of new users, each under a key of its own, until one is refused; how many were taken.
fn fill(client: &mut Client, name: &str, most: usize) -> usize {
    let order = |number| {
        let user = format!("{name}-{number}");
        client.ask(&Ask::order(&user, &user, "s", 1))
    };
    let refused = (0..most).map(order).take_while(|answer| {
        if answer.status != 201 {
            answer.problem(503, "capacity");
        }
        answer.status == 201
    });
    refused.count()
}

#[test]
fn a_principal_that_comes_late_still_has_its_reserve() {
    let data = TARGET.directory();
    let tokens = TokensFile::beside(data.path(), &[EAST, WEST, ADMIN]);
    let server = serve(&tokens);
    client(&server, ADMIN).put_sku("s", &json!({"stock": 100_000}));
    // All that is common, and its own; the last tenth of the keys serves what exists.
    let common = CAP - CAP / 10 - 2 * RESERVE;
    assert_eq!(fill(&mut client(&server, EAST), "e", CAP), common);
    assert_eq!(fill(&mut client(&server, WEST), "w", RESERVE / 2), RESERVE / 2);
    server.kill();
    let server = serve(&tokens);
    assert_eq!(fill(&mut client(&server, EAST), "more", CAP), 0);
    assert_eq!(fill(&mut client(&server, WEST), "late", CAP), RESERVE - RESERVE / 2);
    // A principal that is no longer configured has no reserve: what it did not use is common.
    tokens.hold(&[EAST, WEST]);
    server.reload("took the tokens");
    let east = &mut client(&server, EAST);
    wait::until("the writer knows the principals", || (fill(east, "one", 1) == 1).then_some(()));
    assert_eq!(fill(east, "again", CAP), RESERVE - 1);
}

#[test]
fn one_order_does_not_fill_the_table_of_keys() {
    let data = TARGET.directory();
    let tokens = TokensFile::beside(data.path(), &[EAST, WEST, ADMIN]);
    let server = serve(&tokens);
    client(&server, ADMIN).put_sku("s", &json!({"stock": 10}));
    let east = &mut client(&server, EAST);
    let id =
        east.ask(&Ask::order("first", "u", "s", 1)).expect(201)["id"].as_str().map(str::to_owned);
    let cancel = Ask::act(&id.expect("an order has an id"), "cancel");
    for number in 1..64 {
        east.ask(&cancel.clone().key(&format!("c{number}"))).expect(200);
    }
    east.ask(&cancel.clone().key("one more")).problem(503, "capacity");
    assert!(east.ask(&cancel.clone().key("c63")).is_replayed());
    east.ask(&cancel).expect(200);
    assert_eq!(fill(&mut client(&server, WEST), "w", 5), 5);
}

//! `order` and `sku`.

use crate::run::ctl;
use crate::story::{tell, tell_to_the_end};
use crate::writer::{LIFE_OF_2, START};
use doorbuster::domain::model::command::{Action, Command};
use doorbuster::domain::model::ids::OrderId;
use serde_json::{Value, json};

fn history(order: &Value) -> Vec<&str> {
    let events = order["history"].as_array().unwrap().iter();
    events.map(|row| row["event"].as_str().unwrap().split(' ').next().unwrap()).collect()
}

/// An order is shown as the contract shows it with all that happened.
#[test]
fn an_order_is_shown_with_all_that_happened() {
    let story = tell();
    let data = story.writer.path();
    let order = ctl(data, &format!("order {} --json", story.id(story.sold)), 0).object();
    assert_eq!(order["status"], "completed");
    assert_eq!(order["lines"], json!([{ "sku": "A", "qty": 2, "refunded_qty": 1 }]));
    assert_eq!((&order["user"], &order["principal"]), (&"ann".into(), &"shop".into()));
    assert_eq!(order["created_at"], "2027-01-15T08:00:00.001Z");
    let expected = [
        "order_created",
        "order_confirmed",
        "answer_repeated",
        "order_shipped",
        "order_completed",
        "order_refunded",
    ];
    assert_eq!(history(&order), expected);
    let order = ctl(data, &format!("--json order {}", story.id(story.retaken)), 0).object();
    assert_eq!(history(&order), ["order_created", "order_expired", "order_reacquired"]);
    let order = ctl(data, &format!("--json order {}", story.id(story.graced)), 0).object();
    assert_eq!(history(&order), ["order_created", "holds_graced"]);
    assert_eq!(
        (&order["status"], &order["expires_at"]),
        (&"held".into(), &"2027-01-15T08:01:30.000Z".into())
    );
    let text = ctl(data, &format!("order {}", story.id(story.sold)), 0).out;
    assert!(
        text.contains("order_refunded order=1-5 lines=") && text.contains("completed"),
        "{text}"
    );
}

#[test]
fn an_order_is_shown_as_it_was() {
    let story = tell();
    let at = format!("order {} --json --until {}", story.id(story.sold), story.sold.sequence);
    let order = ctl(story.writer.path(), &at, 0).object();
    assert_eq!((&order["status"], history(&order)), (&"held".into(), vec!["order_created"]));
    let before = format!("order {} --until {}", story.id(story.sold), story.sold.sequence - 1);
    let told = ctl(story.writer.path(), &before, 1).err;
    assert!(told.contains("there is no order 1-5 at sequence 4"), "{told}");
}

#[test]
fn an_order_is_named_by_the_life_that_made_it() {
    let mut story = tell();
    let order = OrderId { epoch: 2, sequence: story.writer.state.sequence };
    let id = format!("{LIFE_OF_2}-{}", order.sequence);
    story.writer.turn(START + 32_000, |writer| {
        writer.ask("shop", None, Command::ActOnOrder(order, Action::Ship));
    });
    let data = story.writer.path();
    let shown = ctl(data, &format!("order {id} --json"), 0).object();
    assert_eq!((&shown["id"], &shown["user"]), (&id.as_str().into(), &"gus".into()));
    assert_eq!(history(&shown), ["order_created", "order_shipped"]);
    let dump = ctl(data, "journal dump", 0).out;
    assert!(dump.contains(&format!("started epoch=2 life={LIFE_OF_2}")), "{dump}");
    assert!(dump.contains(&format!("order_shipped order={id}")), "{dump}");
    assert!(dump.contains("order_confirmed order=1-5"), "{dump}");
    // An epoch that has a life, a life that was never drawn, and what another start made.
    let lost = [format!("2-{}", order.sequence), format!("zzzzzzzz-{}", order.sequence)];
    for lost in lost.into_iter().chain([format!("{LIFE_OF_2}-5")]) {
        let told = ctl(data, &format!("order {lost}"), 1).err;
        assert!(told.contains(&format!("no start of this journal gave {lost} out")), "{told}");
    }
    let early = ctl(data, &format!("order {id} --until 6"), 1).err;
    assert!(early.contains("up to sequence 6 no start of this journal gave"), "{early}");
}

#[test]
fn an_order_that_left_still_has_its_history() {
    let story = tell_to_the_end();
    let order =
        ctl(story.writer.path(), &format!("order {} --json", story.id(story.sold)), 0).object();
    assert_eq!(order["status"], "not kept any more");
    assert_eq!(history(&order).last(), Some(&"orders_archived"));
}

#[test]
fn a_sku_is_shown_with_counts_and_settings() {
    let story = tell();
    let data = story.writer.path();
    let shown = ctl(data, "sku A --json", 0).object();
    let count = |name: &str| shown[name].as_u64().unwrap();
    assert_eq!(count("available") + count("held") + count("sold"), count("total"));
    assert_eq!(count("total"), 9 - 1 + 7);
    assert_eq!((&shown["hold_ms"], &shown["paused"]), (&9_000.into(), &false.into()));
    assert_eq!(shown["refused"], json!({ "user_limit": 1 }));
    assert!(ctl(data, "sku A", 0).out.contains("per_user_limit  3"));
    let before = ctl(data, "sku B --json --until 4", 0).object();
    assert_eq!((&before["total"], &before["version"]), (&4.into(), &4.into()));
    assert!(ctl(data, "sku B", 1).err.contains("there is no SKU B"));
    let missing = ctl(data, "--json sku ä", 1).object();
    assert_eq!(missing["damage"], false);
    ctl(data, "order nonsense", 1);
}

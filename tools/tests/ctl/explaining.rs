//! `explain`: one buyer's story, with refusals that were kept and with those that were only
//! counted.

use crate::run::{bytes_of, ctl};
use crate::story::{order, put, settings, tell};
use crate::writer::{START, Writer};
use doorbuster::domain::model::answer::Refusal;
use doorbuster::domain::model::command::{Action, Command, Take};
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::ids::{OrderId, PrincipalName};
use doorbuster::domain::model::kept::NotKept;
use doorbuster::http::key_hash;
use serde_json::{Value, json};

const HOLD: Take = Take::Hold(None);

/// The hash of a key of the shop's.
fn hash(key: &str) -> Option<u128> {
    let shop = PrincipalName::parse("shop").expect("a name");
    Some(key_hash(&crate::writer::HASH_KEY, &shop, key.as_bytes()))
}

fn buy(writer: &mut Writer, user: &str, sku: &str, take: Take) -> OrderId {
    writer.ask("shop", hash(&format!("{user}-{sku}")), order(user, sku, 1, take));
    OrderId { epoch: writer.state.epoch, sequence: writer.state.sequence }
}

/// Ann sells out A with Bob, Cid is refused; then Bob's unit comes back and Dan gets it.
fn sold_out(keeps: bool) -> (Writer, OrderId, OrderId) {
    let mut writer = Writer::create(settings());
    writer.keeps_refusals = keeps;
    writer.turn(START + 1, |writer| writer.ask("boss", None, put("A", 2, 0)));
    let (mut bob, mut dan) = (None, None);
    writer.turn(START + 10, |writer| {
        buy(writer, "ann", "A", Take::Sell);
        bob = Some(buy(writer, "bob", "A", HOLD));
    });
    writer.turn(START + 20, |writer| {
        buy(writer, "cid", "A", HOLD);
        writer.ask("shop", None, order("cid", "none", 1, HOLD));
    });
    let bob = bob.expect("a turn was taken");
    writer.turn(START + 30, |writer| {
        writer.ask("shop", None, Command::ActOnOrder(bob, Action::Cancel));
        dan = Some(buy(writer, "dan", "A", HOLD));
    });
    (writer, bob, dan.expect("a turn was taken"))
}

#[test]
fn a_refusal_tells_who_held_the_units_and_who_got_them_later() {
    let (writer, bob, dan) = sold_out(true);
    let (bob_id, dan_id) = (writer.id(bob), writer.id(dan));
    let data = writer.path();
    let before = bytes_of(data);
    let told = ctl(data, "explain --user cid --json", 0).object();
    assert_eq!(bytes_of(data), before);
    let story = told["story"].as_array().expect("a story");
    assert_eq!(story.len(), 2, "{told}");
    let refused = &story[0];
    assert_eq!((&refused["what"], &refused["code"]), (&json!("refused"), &json!("sold_out")));
    assert_eq!(refused["at"], "2027-01-15T08:00:00.020Z");
    assert_eq!(refused["seq"].as_u64(), Some(bob.sequence));
    let lines = json!([{"sku": "A", "requested": 1, "available": 0, "held": 1}]);
    assert_eq!((&refused["lines"], &refused["principal"]), (&lines, &json!("shop")));
    let then = &refused["stock_then"][0];
    let units = ["total", "available", "held", "sold"].map(|name| then[name].as_u64());
    assert_eq!(units, [Some(2), Some(0), Some(1), Some(1)]);
    assert_eq!(then["held_by"][0]["order"], json!(bob_id));
    assert_eq!(then["held_by"][0]["user"], "bob");
    assert_eq!(story[1]["code"], "unknown_sku");
    let after = &told["afterwards"][0];
    assert_eq!((&after["units_back"], &after["units_gone"]), (&json!(1), &json!(1)));
    let moved: Vec<_> = after["moves"].as_array().expect("moves").iter().collect();
    let order = |at: usize| moved[at]["order"].as_str().map(str::to_owned);
    assert_eq!((order(0), order(1)), (Some(bob_id.clone()), Some(dan_id.clone())));
    assert_eq!(moved[1]["user"], "dan");
    assert_eq!((&told["refusals_kept"], &told["not_known"]), (&json!(2), &json!([])));
    let text = ctl(data, "explain --user cid", 0).out;
    for part in [
        "2027-01-15T08:00:00.020Z",
        "refused: sold_out",
        "A then: 0 available, 1 held, 1 sold of 2",
        &format!("1 unit held by order {bob_id} of user bob until 2027-01-15T08:00:10.010Z"),
        &format!("1 unit came back from order {bob_id} of user bob (order_cancelled)"),
        &format!("1 unit went to order {dan_id} of user dan (order_created)"),
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_story_is_told_of_one_sku_and_of_one_key() {
    let (mut writer, ..) = sold_out(true);
    writer.turn(START + 40, |writer| {
        writer.ask("boss", None, put("B", 9, 1));
        buy(writer, "cid", "B", HOLD);
        writer.ask("shop", hash("again"), order("cid", "B", 1, HOLD));
    });
    let codes = |arguments: &str| -> Vec<Value> {
        let told = ctl(writer.path(), &format!("explain --user cid --json {arguments}"), 0);
        let story = told.object()["story"].as_array().expect("a story").clone();
        story.into_iter().map(|entry| entry.get("code").unwrap_or(&entry["what"]).clone()).collect()
    };
    assert_eq!(codes(""), ["sold_out", "unknown_sku", "order_created", "user_limit"]);
    assert_eq!(codes("--sku A"), ["sold_out"]);
    assert_eq!(codes("--sku B"), ["order_created", "user_limit"]);
    assert_eq!(codes("--key cid-A"), ["sold_out"]);
    assert_eq!(codes("--key cid-B"), ["order_created"]);
    assert_eq!(codes("--key again"), ["user_limit"]);
    let silent = ctl(writer.path(), "explain --user cid --key other", 1).err;
    assert!(silent.contains("tells nothing of user cid under that key"), "{silent}");
    ctl(writer.path(), "explain --user cid/dan", 2);
    ctl(&writer.path().join("nowhere"), "explain --user cid", 3);
}

#[test]
fn a_winner_hears_of_every_step_of_the_order() {
    let story = tell();
    let told = ctl(story.writer.path(), "explain --user ann --json", 0).object();
    let steps = told["story"].as_array().expect("a story").iter();
    let steps: Vec<&str> = steps.map(|entry| entry["what"].as_str().expect("a word")).collect();
    let expected = [
        "order_created",
        "order_confirmed",
        "answer_repeated",
        "order_shipped",
        "order_completed",
        "order_refunded",
    ];
    assert_eq!(steps, expected);
    assert_eq!(told["orders_now"][0]["status"], "completed");
    // Held over a restart, by somebody whose journal begins with a snapshot.
    let told = ctl(story.writer.path(), "explain --user fay --json", 0).object();
    let steps = told["story"].as_array().expect("a story").iter();
    let steps: Vec<&str> = steps.map(|entry| entry["what"].as_str().expect("a word")).collect();
    assert_eq!(steps, ["order_created", "holds_graced"]);
}

#[test]
fn that_refusals_were_only_counted_is_said_plainly() {
    let (mut writer, ..) = sold_out(false);
    let silent = ctl(writer.path(), "explain --user cid", 1).err;
    for part in ["tells nothing of user cid", "1 refusals, of all users, were only counted"] {
        assert!(silent.contains(part), "{part} is not in {silent}");
    }
    writer.turn(START + 40, |writer| {
        writer.ask("boss", None, put("B", 9, 0));
        buy(writer, "cid", "B", HOLD);
    });
    let told = ctl(writer.path(), "explain --user cid --json", 0).object();
    assert_eq!(told["refusals_only_counted"], 1);
    assert_eq!(told["story"].as_array().map(Vec::len), Some(1));
    let text = ctl(writer.path(), "explain --user cid", 0).out;
    assert!(text.contains("note: 1 refusals, of all users, were only counted"), "{text}");
    assert!(text.contains("journal.refusals = full"), "{text}");
    let of_b = ctl(writer.path(), "explain --user cid --sku B --json", 0).object();
    assert_eq!(of_b["not_known"], json!([]), "no refusal of it was counted");
}

#[test]
fn refusals_that_were_not_kept_are_told_with_where_they_were() {
    let (mut writer, ..) = sold_out(true);
    writer.turn(START + 40, |writer| {
        let event = Event::RefusalsNotKept(NotKept { count: 17, since: 5 });
        writer.append(None, event);
    });
    let (data, sequence) = (writer.path(), writer.state.sequence);
    let text = ctl(data, "explain --user cid", 0).out;
    let told = format!("17 refusals between sequence 5 and {sequence} were not kept");
    assert!(text.contains(&told), "{text}");
    let told = ctl(data, "explain --user cid --json", 0).object();
    let between = json!([{"from_seq": 5, "to_seq": sequence, "count": 17}]);
    assert_eq!((&told["refusals_not_kept"], &told["not_kept_between"]), (&json!(17), &between));
}

#[test]
fn kept_refusals_are_dumped_and_decided_again() {
    let (mut writer, ..) = sold_out(true);
    let dumped = ctl(writer.path(), "journal dump --json", 0).objects();
    let kept = dumped.iter().find(|object| object["event"] == "refusals_kept").expect("kept");
    let one = &kept["members"]["refusals"][0];
    assert_eq!((&one["code"], &one["asked"]["user"]), (&json!("sold_out"), &json!("cid")));
    let found = ctl(writer.path(), "replay --recheck --json", 0).object();
    assert_eq!((&found["refusals_rechecked"], &found["different"]), (&json!(2), &json!(0)));
    // One that the rules would not give.
    let mut forged = writer.last_kept.clone().expect("one was kept");
    let Refusal::SoldOut(lines) = &mut forged.refusal else { panic!("{forged:?}") };
    lines[0].held += 1;
    writer.turn(START + 40, |writer| {
        let seen = writer.state.sequence;
        let forged =
            doorbuster::domain::model::kept::KeptRefusal { seen, at: START + 40, ..forged };
        writer.append(None, Event::RefusalsKept(vec![forged.clone()]));
        let at_edge = doorbuster::domain::model::kept::KeptRefusal { at_edge: true, ..forged };
        writer.append(None, Event::RefusalsKept(vec![at_edge]));
    });
    let found = ctl(writer.path(), "replay --recheck --json", 1).object();
    assert_eq!(found["different"], 2, "{found}");
}

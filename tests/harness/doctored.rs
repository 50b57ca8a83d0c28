//! A judge that finds nothing proves nothing: true histories of the real binary are made false, one
//! thing at a time, and each must be found by the rule that it breaks.
//!
//! Owns the lies. Next: the crate `doorbuster-witness`.

use crate::TARGET;
use crate::judge::judge;
use crate::notes::Note;
use crate::round::{Kind, Round};
use crate::understand::{Meaning, header, meaning};
use doorbuster::domain::model::event::{Event, Record};
use doorbuster::domain::model::ids::OrderId;
use doorbuster_test_support::random::Random;
use doorbuster_witness::Entry;
use serde_json::json;

/// What was noted and what was journaled.
#[derive(Clone)]
struct History {
    notes: Vec<Note>,
    entries: Vec<Entry>,
}

type Lie = fn(&mut History);

/// What is done to a history, and the rule that it breaks then.
const LIES: [(Lie, &str); 9] = [
    (lose_the_tail, "what was answered is in the journal"),
    (forget_who_asked, "nothing happens that nobody asked for"),
    (change_an_order, "an answer tells what the journal tells"),
    (change_a_refusal, "an answer tells what the journal tells"),
    (answer_twice, "an answer belongs to one request"),
    (answer_from_the_past, "what was heard before comes before"),
    (lose_a_record, "sequences follow each other"),
    (turn_back_the_clock, "stamps never go back"),
    (expire_too_early, "what happens by itself is due"),
];

/// What a server might do for a hostile client, and the rule that it would break.
const FAVOURS: [(Lie, &str); 5] = [
    (accept_nonsense, "what is accepted means something"),
    (accept_what_the_role_forbids, "what is accepted means something"),
    (invent_an_acceptance, "what was answered is in the journal"),
    (read_another_number, "nothing happens that nobody asked for"),
    (do_what_was_cut, "nothing happens that nobody asked for"),
];

#[test]
fn each_lie_is_found_by_the_rule_that_it_breaks() {
    check_found(Kind::Plain, &LIES);
}

/// Each favour to a hostile client is found by the rule that it breaks.
#[test]
fn each_favour_to_a_hostile_client_is_found_by_its_rule() {
    check_found(Kind::Hostile, &FAVOURS);
}

fn check_found(kind: Kind, lies: &[(Lie, &str)]) {
    let mut round = Round::new(Random::new(TARGET.random().next()), kind, None);
    round.run(4);
    let (notes, entries) = round.evidence();
    let told = judge(&notes, entries.clone()).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(told.answers > 0, "{told:?}");
    let mut history = History { notes, entries };
    history.notes.iter_mut().for_each(forget_deletion);
    for (lie, rule) in lies {
        let mut history = history.clone();
        lie(&mut history);
        let found = judge(&history.notes, history.entries).expect_err(rule);
        assert_eq!(found.rule, *rule, "{found}");
    }
}

/// As if its answer had been lost. It does not tell its sequence, which the judge takes from the
/// record: where that is gone it comes before everything, and is found by that rule first.
fn forget_deletion(note: &mut Note) {
    if note.ask.method == "DELETE" {
        note.heard = None;
    }
}

/// Heard, the first to be, with this status.
fn is_first(note: &Note, status: u16) -> bool {
    note.heard.as_ref().is_some_and(|(_, said)| said.status == status && !said.replayed)
}

fn is_new_order(note: &Note) -> bool {
    (note.ask.method, &*note.ask.path) == ("POST", "/v1/orders") && is_first(note, 201)
}

fn last_order(notes: &mut [Note]) -> &mut Note {
    notes.iter_mut().rfind(|note| is_new_order(note)).expect("somebody bought")
}

fn sequence(note: &Note) -> u64 {
    let heard = note.heard.as_ref().map(|(_, said)| &said.body["seq"]);
    heard.and_then(|sequence| sequence.as_u64()).expect("it was answered")
}

fn last_moment(notes: &[Note]) -> u64 {
    let heard = notes.iter().filter_map(|note| Some(note.heard.as_ref()?.0));
    heard.chain(notes.iter().map(|note| note.sent)).max().expect("somebody asked")
}

/// The journal ends before an order that was answered.
fn lose_the_tail(History { notes, entries }: &mut History) {
    let sequence = sequence(last_order(notes));
    entries.retain(|entry| entry.sequence < sequence);
}

/// Nobody sent what the journal has.
fn forget_who_asked(History { notes, .. }: &mut History) {
    let ask = last_order(notes).ask.clone();
    let key = header(&ask, "Idempotency-Key").expect("an order has a key");
    notes.retain(|note| header(&note.ask, "Idempotency-Key") != Some(key));
}

/// A buyer was told another order.
fn change_an_order(History { notes, .. }: &mut History) {
    let (_, said) = last_order(notes).heard.as_mut().expect("it was answered");
    said.body["id"] = "1-999999".into();
}

/// A buyer was told of a unit more than there was.
fn change_a_refusal(History { notes, .. }: &mut History) {
    let is_sold_out = |note: &&mut Note| {
        note.heard.as_ref().is_some_and(|(_, said)| said.body["code"] == "sold_out")
    };
    let note = notes.iter_mut().rfind(is_sold_out).expect("something was sold out");
    let (_, said) = note.heard.as_mut().expect("it was answered");
    let line = &mut said.body["lines"][0];
    line["held"] = json!(line["held"].as_u64().expect("a count") + 1_000);
    said.body["retryable"] = true.into();
    // One line: others would have to be hopeful as well.
    said.body["lines"].as_array_mut().expect("lines").truncate(1);
}

/// Two were told that the order is new. Both asked at once, so that it need not be the past.
fn answer_twice(History { notes, .. }: &mut History) {
    let mut twin = last_order(notes).clone();
    twin.heard.as_mut().expect("it was answered").0 = last_moment(notes) + 1;
    notes.push(twin);
}

/// Somebody was shown a state that was long past.
fn answer_from_the_past(History { notes, .. }: &mut History) {
    let last = last_moment(notes);
    let is_read = |note: &&mut Note| note.ask.method == "GET" && is_first(note, 200);
    let note = notes.iter_mut().find(is_read).expect("somebody looked");
    note.sent = last + 1;
    note.heard.as_mut().expect("it was answered").0 = last + 2;
}

fn lose_a_record(History { entries, .. }: &mut History) {
    entries.remove(entries.len() / 2);
}

fn turn_back_the_clock(History { entries, .. }: &mut History) {
    let middle = entries.len() / 2;
    entries[middle].stamp = 1;
}

/// A hold ended that was just made.
fn expire_too_early(History { entries, .. }: &mut History) {
    let long_hold = |pair: &[Entry]| match &pair[0].record.event {
        Event::OrderCreated(created) => {
            pair[0].epoch == pair[1].epoch && created.expires_at > Some(pair[1].stamp)
        }
        _ => false,
    };
    let at = entries.windows(2).position(long_hold).expect("something is held");
    let order = OrderId { epoch: entries[at].epoch, sequence: entries[at].sequence };
    entries[at + 1].record = Record { origin: None, event: Event::OrderExpired(order) };
}

/// A body with a number that is none of the contract's was taken.
fn accept_nonsense(History { notes, .. }: &mut History) {
    let ask = &mut last_order(notes).ask;
    let body = ask.body.as_mut().expect("an order has a body");
    *body = body.replace("\"qty\":", "\"qty\":-0,\"qty\":");
}

/// One that may only buy was let do what runs the shop.
fn accept_what_the_role_forbids(History { notes, .. }: &mut History) {
    let is_change = |note: &&mut Note| note.ask.method == "PUT" && is_first(note, 201);
    notes.iter_mut().find(is_change).expect("something was put on sale").who = "east";
}

/// A client was told of an order that was never made.
fn invent_an_acceptance(History { notes, entries }: &mut History) {
    let mut invented = last_order(notes).clone();
    let (at, behind) = (last_moment(notes) + 1, entries.len() as u64 + 1);
    let is_key = |(name, _): &&mut (String, String)| name == "Idempotency-Key";
    invented.ask.headers.iter_mut().find(is_key).expect("an order has a key").1 = "invented".into();
    let (heard_at, said) = invented.heard.as_mut().expect("it was answered");
    *heard_at = at;
    said.body["seq"] = behind.into();
    said.body["changed_seq"] = behind.into();
    notes.push(invented);
}

/// The key of a request, alone or in a batch.
fn key(note: &Note) -> Option<String> {
    match meaning(&note.ask) {
        Meaning::Asks(asked) => asked.key,
        _ => None,
    }
}

/// What was asked is not what was done.
fn read_another_number(History { notes, .. }: &mut History) {
    let of_order = key(last_order(notes));
    for note in notes.iter_mut().filter(|note| key(note) == of_order) {
        note.heard = None;
        if let Some(body) = &mut note.ask.body {
            *body = body.replace("\"qty\":", "\"qty\":1");
        }
    }
}

/// Of a request that was cut there is no note.
fn do_what_was_cut(History { notes, .. }: &mut History) {
    let of_order = key(last_order(notes));
    notes.retain(|note| key(note) != of_order);
}

//! A judge that finds nothing proves nothing: true histories of the real binary are made false, one
//! thing at a time, and each must be found by the rule that it breaks.
//!
//! Owns the lies. Next: the crate `doorbuster-witness`.

use crate::judge::judge;
use crate::noise::Noise;
use crate::notes::Note;
use crate::round::Round;
use crate::understand::header;
use doorbuster::domain::event::{Event, Record};
use doorbuster::domain::ids::OrderId;
use doorbuster_sim::Random;
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

#[test]
fn each_lie_is_found_by_the_rule_that_it_breaks() {
    let mut round = Round::new(Random::new(Noise::announced().next()), None);
    round.run(2);
    let (notes, entries) = round.evidence();
    let told = judge(&notes, entries.clone()).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(told.answers > 0, "{told:?}");
    let mut history = History { notes, entries };
    history.notes.iter_mut().for_each(forget_deletion);
    for (lie, rule) in LIES {
        let mut history = history.clone();
        lie(&mut history);
        let found = judge(&history.notes, history.entries).expect_err(rule);
        assert_eq!(found.rule, rule, "{found}");
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

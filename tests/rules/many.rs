//! States with thousands of rows, which `harness` would check too long: the last principal that
//! there is room for, and a snapshot whose taker fails at any piece of it. Next: `capacity`,
//! `stored`.

use crate::draw_words;
use crate::harness::{BASE, settings};
use crate::wording::{Words, adjust_sku, create_order, principal, put_sku, request, sku_id};
use doorbuster::codec::encode_state;
use doorbuster::domain::model::answer::{Answer, Refusal};
use doorbuster::domain::model::command::Reach;
use doorbuster::domain::model::event::{Event, Origin, Record, Started};
use doorbuster::domain::model::ids::ID_BYTES_MAX;
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::state::principals::PRINCIPALS_MAX;
use doorbuster::domain::state::tables::State;

/// Decides and applies, and looks at nothing else.
struct Shop {
    state: State,
}

impl Shop {
    fn open() -> Self {
        let mut shop = Self { state: State::new(1) };
        let (hash_key, lost_from, life) = ([7; 16], None, None);
        let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from, life };
        shop.apply(None, Event::Started(started));
        shop.apply(None, Event::SettingsChanged(Box::new(settings())));
        shop
    }

    fn apply(&mut self, origin: Option<Origin>, event: Event) {
        apply(&mut self.state, &Record { origin, event }, BASE);
    }

    /// What is refused, if anything; otherwise it is done.
    fn ask(&mut self, text: &str, key: Option<&str>) -> Option<Refusal> {
        let mut words = Words::of(text);
        let principal = principal(&mut words);
        let command = match words.next() {
            "put" => put_sku(sku_id(words.next()), &mut words, None),
            "adjust" => adjust_sku(sku_id(words.next()), &mut words, None),
            "order" => create_order(&mut words),
            verb => draw_words::command(verb, &self.state, &mut words).expect("a verb of draws"),
        };
        words.end();
        let request = request(principal, key, command);
        match decide(&self.state, &request, BASE) {
            Decision::Change(event) => {
                let (principal, reach_all) =
                    (request.principal.name, request.principal.reach == Reach::All);
                let origin = Origin { principal, reach_all, key: request.key, traceparent: None };
                self.apply(Some(origin), event);
                None
            }
            Decision::Answer(answered) => match answered.answer {
                Answer::Refused(refusal) => Some(refusal),
                other => panic!("{text}: {other:?}"),
            },
            Decision::First(event) => panic!("{text}: {event:?} comes first"),
        }
    }
}

#[test]
fn one_principal_more_than_there_is_room_for_can_own_nothing() {
    let mut shop = Shop::open();
    assert_eq!(shop.ask("put A stock=9000", None), None);
    for number in 0..PRINCIPALS_MAX {
        let refused = shop.ask(&format!("order u A*1 sell by=shop-{number}"), None);
        assert_eq!(refused, None, "principal {number}");
    }
    let full = Some(Refusal::Capacity("principals"));
    assert_eq!(shop.ask("order u A*1 sell by=late", None), full);
    assert_eq!(shop.ask("adjust A +1 by=late", Some("k")), full);
    // What leaves nothing of its own in a table needs no room, and who is there has some.
    assert_eq!(shop.ask("adjust A +1 by=late", None), None);
    assert_eq!(shop.ask("order u A*1 sell by=shop-7", Some("k")), None);
    assert_eq!(shop.state.principals.len(), PRINCIPALS_MAX);
}

/// An id of full length, so that few rows fill a piece.
fn long(kind: char, number: usize) -> String {
    format!("{kind}{number:0width$}", width = ID_BYTES_MAX - 1)
}

/// So many rows of each kind that a piece of a snapshot ends within each.
fn every_table_filled() -> State {
    let mut shop = Shop::open();
    let mut ask = |text: &str, key: Option<&str>| assert_eq!(shop.ask(text, key), None, "{text}");
    for number in 0..1_000 {
        let id = |kind| long(kind, number);
        ask(&format!("put {} stock=9", id('s')), None);
        let order = format!("order {} {}*1 sell by={}", id('u'), id('s'), id('p'));
        ask(&order, Some(&id('k')));
        if number < 400 {
            ask(&format!("draw {} {}*1 blank=1000000", id('d'), id('s')), None);
        }
        ask(&format!("enter {} {} luck={}", long('d', 0), id('u'), id('l')), None);
    }
    shop.state
}

#[test]
fn whoever_takes_a_snapshot_ends_it_by_failing_at_any_piece() {
    let state = every_table_filled();
    let mut pieces = 0;
    let taken = encode_state(&state, &mut |_| -> Result<(), usize> {
        pieces += 1;
        Ok(())
    });
    assert_eq!(taken, Ok(()), "nobody fails");
    assert!(pieces > 8, "{pieces} pieces");
    for failing in 0..pieces {
        let mut seen = 0;
        let ended = encode_state(&state, &mut |_| {
            seen += 1;
            if seen > failing { Err(failing) } else { Ok(()) }
        });
        assert_eq!(ended, Err(failing));
        assert_eq!(seen, failing + 1, "nothing is handed on after an error");
    }
}

//! The words of scenarios about draws: a line into a request, an answer into words.
//!
//! ```text
//! draw    D A*1 B*99 blank=900 entries=2 opens=5 closes=9 hold=70 sell seed=7 if=current
//! enter   D u1 luck=x key=k
//! close   D
//! drop    D
//! look    D
//! entries D user=u1 after=3 limit=2
//! ```
//! `seed=7` is 32 bytes of 7; without it they are 1. Next: `wording`.

use crate::harness::BASE;
use crate::wording::{Words, number, precondition, sku_id, user_id};
use doorbuster::domain::model::answer::{DrawView, EntryView};
use doorbuster::domain::model::command::{Command, DeleteDraw, EnterDraw, PutDraw, Query};
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Reason, Seed, Terms};
use doorbuster::domain::model::ids::{DrawId, OrderId};
use doorbuster::domain::state::tables::State;

pub(crate) fn draw_id(text: &str) -> DrawId {
    DrawId::parse(text).expect("a draw's id")
}

/// A command on a draw, or a look at one.
pub(crate) fn command(verb: &str, state: &State, words: &mut Words<'_>) -> Option<Command> {
    if !["draw", "enter", "close", "drop", "look", "entries"].contains(&verb) {
        return None;
    }
    let draw = draw_id(words.next());
    let version = state.draws.find(&draw).map(|slot| state.draws[slot].version);
    Some(match verb {
        "draw" => put(draw, words, version),
        "enter" => Command::EnterDraw(EnterDraw {
            draw,
            user: user_id(words.next()),
            client_seed: words.named("luck").map(Into::into),
        }),
        "close" => Command::CloseDraw(draw),
        "drop" => {
            let precondition = precondition(words, version);
            Command::DeleteDraw(Box::new(DeleteDraw { draw, precondition }))
        }
        "look" => Command::Read(Box::new(Query::Draw(draw))),
        _ => Command::Read(Box::new(Query::Entries {
            draw,
            user: words.named("user").map(user_id),
            after: words.number("after").map_or(0, |after| after as u32),
            limit: words.number("limit").map_or(100, |limit| limit as usize),
        })),
    })
}

fn put(draw: DrawId, words: &mut Words<'_>, version: Option<u64>) -> Command {
    let blank_weight = words.number("blank").unwrap_or(0);
    let sell = words.flag("sell");
    let prizes = words.rest().map(|word| {
        let (sku, weight) = word.split_once('*').expect("a prize is SKU*weight");
        Prize { sku: sku_id(sku), weight: number(weight) }
    });
    let odds = Odds::new(prizes.collect(), blank_weight).expect("odds");
    Command::PutDraw(Box::new(PutDraw {
        draw,
        terms: Terms { odds, hold_ms: words.number("hold"), sell },
        admission: Admission {
            entries_per_user: words.number("entries").unwrap_or(1),
            opens_at: words.time("opens"),
            closes_at: words.time("closes"),
        },
        seed: Seed([words.number("seed").unwrap_or(1) as u8; 32]),
        precondition: precondition(words, version),
    }))
}

pub(crate) fn say_draw(draw: &DrawView, then: u64) -> String {
    let mut said = format!(
        "{} entries={} per_user={}",
        draw.draw.as_str(),
        draw.entries,
        draw.admission.entries_per_user
    );
    let mut say = |name: &str, value: Option<u64>| {
        said.extend(value.map(|value| format!(" {name}={value}")));
    };
    say("opens", draw.admission.opens_at.map(|at| at - BASE));
    say("closes", draw.admission.closes_at.map(|at| at - BASE));
    say("closed", draw.closed_at.map(|at| at - BASE));
    say("seed", draw.seed.map(|seed| u64::from(seed.0[0])));
    let version = if draw.version == then { "now" } else { "before" };
    format!("{said} version={version} now={}", draw.now - BASE)
}

/// `#2 u1 won A held until=…`, `#3 u1 lost A no_stock`, `#4 u2 lost blank`.
pub(crate) fn say_entry(entry: &EntryView, name: &dyn Fn(OrderId) -> String) -> String {
    let (number, user) = (entry.number, entry.user.as_str());
    let pick = entry.pick.as_ref().map(|sku| format!(" {}", sku.as_str())).unwrap_or_default();
    let luck = entry.client_seed.as_ref().map(|luck| format!(" luck={luck}")).unwrap_or_default();
    let mut said = format!("#{number} {user} {}{pick}{luck}", entry.reason.outcome());
    if entry.reason != Reason::Won {
        said += &format!(" {}", entry.reason.as_str());
    }
    if let Some(order) = &entry.order {
        said += &format!(" {} {}", name(order.order), order.status.as_str());
        said.extend(order.expires_at.map(|at| format!(" until={}", at - BASE)));
    }
    said
}

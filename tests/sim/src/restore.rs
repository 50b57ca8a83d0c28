//! "An old copy of the directory is put back": a copy of some moment, and later, while no server
//! runs, the run goes on from it.
//!
//! Owns what is lost by that, and the promise that is left: what a lost life gave out names nothing
//! any more, and nobody is given it again. An operator who puts a copy back gives up what came
//! behind it, so it is not counted against the server otherwise. Never knows how ids are made: they
//! are told apart by their text. Next: `history`, `fate`.

use crate::stored_copy::Copy;
use crate::world::{Death, Event, Held, World, violated};
use doorbuster::domain::model::answer::{Answer, Answered, Refusal};
use doorbuster::domain::model::command::Request;
use doorbuster::domain::model::ids::OrderId;
use doorbuster::domain::model::lives::{Lives, Place};
use doorbuster::ring::Outcome;
use doorbuster_witness::{named, rename};

/// What an id stands for that the server never gave out, as `http/routes` has it.
const NO_ORDER: OrderId = OrderId { epoch: 0, sequence: 0 };

/// How that is counted.
pub const PUT_BACK: &str = "restore: an old copy was put back";

impl World {
    pub(crate) fn plan_copy(&mut self) {
        if let Some(every_us) = self.plan.copies_every_us {
            let wait_us = self.copying.between(every_us / 4, every_us * 7 / 4);
            self.after(wait_us, Event::Copy);
        }
    }

    /// A copy is taken, or one that was taken is put back.
    pub(crate) fn copy(&mut self) -> Held {
        if self.closing {
            return Ok(());
        }
        self.plan_copy();
        if self.server.is_none() {
            return Ok(());
        }
        if self.copy.is_none() || self.copying.percent(40) {
            return self.take_copy();
        }
        // All that the lost life gave out is to be known.
        self.read_on()?;
        self.put_back_due = true;
        self.trace.tell("restore", format_args!("an operator puts a copy back"));
        if self.copying.percent(50) {
            // A stop that dies on the way is a death too.
            return self.stop().map(drop);
        }
        self.death = Some(Death::Kill);
        self.die();
        Ok(())
    }

    fn take_copy(&mut self) -> Held {
        self.read_on()?;
        self.tally.count("restore: a copy was taken");
        let (files, history) = (self.disk.copy(), self.history.at_its_end());
        self.trace.tell("copy", format_args!("{} records are durable", history.entries.len()));
        self.copy = Some(Copy { files, history });
        Ok(())
    }

    /// Before a start. What clients heard behind the copy is no longer true; what was on its way is
    /// not heard any more.
    pub(crate) fn put_back(&mut self) {
        if self.damage.is_some() || !std::mem::take(&mut self.put_back_due) {
            return;
        }
        let copy = self.copy.as_ref().expect("one was taken");
        self.disk.put_back(&copy.files);
        self.history.go_back_to(&copy.history);
        let from = self.history.entries.len() as u64 + 1;
        let at = self.next_moment();
        self.notes.rewind(at, from);
        self.taken_back.push((self.life, from));
        (self.power_lost, self.lost_from) = (false, None);
        self.restored = true;
        self.tally.count(PUT_BACK);
        self.trace.tell("restored", format_args!("clients heard nothing from {from} on"));
    }

    /// What of all that was ever given out this server must not know; and that it does not.
    pub(crate) fn settle_lives(&mut self) -> Held {
        if !std::mem::take(&mut self.restored) {
            return Ok(());
        }
        let state = self.server.as_ref().expect("it has just started").state();
        let (mut lost, mut kept) = (0, 0);
        for (text, is_kept) in self.history.given() {
            let place = state.lives.place(text);
            let order = state.lives.order(text).and_then(|id| state.orders.find(id));
            match is_kept {
                true if matches!(place, Some(Place::At(_))) => kept += 1,
                true => return violated("a place that is kept is known", text),
                false if place != Some(Place::Diverged) => {
                    return violated("a place of a lost life has diverged", text);
                }
                false if order.is_some() => {
                    return violated("an order of a lost life is unknown", text);
                }
                false => lost += 1,
            }
        }
        self.tally.add("restore: places that have diverged", lost);
        self.tally.add("restore: places that are kept", kept);
        self.trace.tell("lives", format_args!("{lost} places are lost, {kept} are kept"));
        Ok(())
    }

    fn server_lives(&self) -> Option<&Lives> {
        self.server.as_ref().map(|server| &server.state().lives)
    }

    /// A request as the server reads it: ids by their text.
    pub(crate) fn inward(&mut self, message: usize) -> Request {
        let mut request = (*self.messages[message].request).clone();
        if let Some(order) = named(&mut request.command) {
            let text = self.names.text(*order);
            *order = self.server_lives().and_then(|lives| lives.order(&text)).unwrap_or(NO_ORDER);
        }
        request
    }

    /// An answer as its client reads it: ids by their text. Whoever asks for what a lost life made
    /// is told that there is no such order.
    pub(crate) fn outward(&mut self, message: usize, outcome: Outcome) -> Held<Outcome> {
        let Outcome::Answered(mut answered) = outcome else { return Ok(outcome) };
        self.check_lost(message, &answered)?;
        let Some(server) = &self.server else { return Ok(Outcome::Answered(answered)) };
        let (lives, names) = (&server.state().lives, &mut self.names);
        rename(&mut answered.answer, |order| {
            names.read(lives.text(order).as_str()).expect("ids have two parts")
        });
        Ok(Outcome::Answered(answered))
    }

    fn check_lost(&mut self, message: usize, answered: &Answered) -> Held {
        let mut command = self.messages[message].request.command.clone();
        let Some(order) = named(&mut command) else { return Ok(()) };
        let text = self.names.text(*order);
        if !self.history.is_lost(&text) {
            return Ok(());
        }
        self.tally.count("restore: orders asked for that are lost");
        // A key that was used for something else goes before what there is.
        let told =
            matches!(answered.answer, Answer::Refused(Refusal::UnknownOrder | Refusal::KeyReused));
        match told {
            true => Ok(()),
            false => {
                violated("an order of a lost life is unknown", format!("{text}: {answered:?}"))
            }
        }
    }
}

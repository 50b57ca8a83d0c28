//! Clients speak to any node, keep their key, and go where the writer is.
//!
//! Owns whom each one asks next. Never looks into a node. Next: `faults`.

use super::clients::{Message, Reply};
use super::world::{Event, World};
use crate::world::{Held, violated};
use doorbuster::domain::model::answer::Answer;
use doorbuster::ring::Outcome;
use std::sync::Arc;

/// Attempts before a client turns to something else.
const ATTEMPTS_MAX: u32 = 20;
/// Attempts after which something must be wrong, once all is well.
const ATTEMPTS_AT_THE_END_MAX: u32 = 2_000;

impl World {
    /// How long a message is under way, in microseconds; none if it is lost.
    fn journey_us(&mut self) -> Option<u64> {
        if self.closing {
            return Some(self.random.between(50, 500));
        }
        if self.random.percent(self.plan.common.loss) {
            self.tally.count("network: message lost");
            return None;
        }
        Some(self.random.between(50, self.plan.common.delay_us_max))
    }

    pub(super) fn send(&mut self, client: usize) -> Held {
        if self.clients[client].waits_for.is_some() {
            return Ok(());
        }
        if self.clients[client].asked.is_none() {
            let now = crate::plan::START_MS + self.now_us / 1_000;
            let wish = match self.clients[client].wants.pop_front() {
                Some(wish) => wish,
                None if self.closing => return Ok(()),
                None if self.plan.common.plain => self.knowledge.next_plain(&mut self.random),
                None => self.knowledge.next(&mut self.random, self.plan.common.draws, now),
            };
            self.clients[client].asked = Some(wish);
            self.clients[client].attempts = 0;
        }
        let own = &mut self.clients[client];
        let request = own.asked.clone().expect("it was just set");
        own.attempts += 1;
        if own.attempts > ATTEMPTS_AT_THE_END_MAX {
            return violated("everybody is answered in the end", format!("{request:?}"));
        }
        let to = own.at;
        let at = self.next_moment();
        let attempt = self.notes.ask(Arc::clone(&request), at);
        let is_keyed = request.key.is_some();
        let message = self.messages.len();
        self.trace.tell("send", format_args!("{message} from {client} to {to}: {request:?}"));
        self.tally.count("client: attempts");
        self.messages.push(Message { client, attempt, request, to, is_heard: false });
        self.clients[client].waits_for = Some(message);
        if let Some(journey_us) = self.journey_us() {
            self.after(journey_us, Event::Arrive { message });
        }
        if is_keyed && self.random.percent(self.plan.common.twice) {
            // The network brings it once more.
            self.tally.count("network: message came twice");
            let later_us = self.random.between(100, 400_000);
            self.after(later_us, Event::Arrive { message });
        }
        let patience_us = self.random.between(20_000, 900_000);
        self.after(patience_us, Event::GiveUp { message });
        Ok(())
    }

    pub(super) fn place_of(&self, message: usize) -> usize {
        self.messages[message].to
    }

    pub(super) fn arrive(&mut self, message: usize) -> Held {
        let place = self.messages[message].to;
        let request = (*self.messages[message].request).clone();
        let is_hurried = !self.closing && self.random.once_in(40);
        let hurry_ms = self.random.below(20);
        self.machines[place].show_time(self.now_us);
        let now_ms = self.machines[place].now_ms(self.now_us);
        let Some(process) = &mut self.machines[place].process else {
            self.reply(message, Reply::Refused);
            return Ok(());
        };
        let Some(server) = &mut process.server else {
            let writer = process.writer;
            self.tally.count("client: not the writer");
            self.reply(message, Reply::NotWriter(writer));
            return Ok(());
        };
        let deadline_ms = is_hurried.then_some(now_ms + hurry_ms);
        let taken = server.ask((message, self.now_us), request, deadline_ms);
        let is_called = server.called();
        let said = taken.as_ref().map(|came| came.is_some());
        self.trace.tell("arrive", format_args!("{message}: answered by an IO thread {said:?}"));
        let came = taken.unwrap_or_else(|_| {
            self.tally.count("server: ring full");
            None
        });
        if is_called {
            let wait_us = self.random.between(2, 300);
            self.turn_after(place, wait_us);
        }
        if came.is_some() {
            self.tally.count("server: refused at the edge");
        }
        self.let_go(place, came.into_iter().collect())
    }

    pub(super) fn reply(&mut self, message: usize, reply: Reply) {
        self.trace.tell("answer", format_args!("{message}: {reply:?}"));
        let number = self.replies.len();
        self.replies.push(Some((message, reply)));
        if let Some(journey_us) = self.journey_us() {
            self.after(journey_us, Event::Hear { reply: number });
        }
    }

    pub(super) fn hear(&mut self, number: usize) {
        let (message, reply) = self.replies[number].take().expect("it is heard once");
        let client = self.messages[message].client;
        let is_awaited = self.clients[client].waits_for == Some(message);
        match reply {
            Reply::Outcome(Outcome::Answered(answered), stamp) => {
                if std::mem::replace(&mut self.messages[message].is_heard, true) {
                    return;
                }
                let at = self.next_moment();
                let request = Arc::clone(&self.messages[message].request);
                self.knowledge.hear(&request, &answered);
                self.tally.count("client: answers heard");
                if matches!(answered.answer, Answer::Refused(_)) {
                    self.tally.count("client: of these refusals");
                }
                if answered.replayed {
                    self.tally.count("client: of these replayed");
                }
                self.notes.hear(self.messages[message].attempt, at, answered, Some(stamp));
                if is_awaited {
                    self.clients[client].asked = None;
                }
            }
            Reply::Outcome(..) => self.tally.count("client: told to try again"),
            Reply::NotWriter(Some(writer)) if is_awaited => self.clients[client].at = writer,
            Reply::NotWriter(_) | Reply::Refused if is_awaited => self.turn_to_another(client),
            Reply::NotWriter(_) | Reply::Refused => {}
        }
        if is_awaited {
            self.clients[client].waits_for = None;
            let think_us = self.think_us();
            self.after(think_us, Event::Send { client });
        }
    }

    fn turn_to_another(&mut self, client: usize) {
        let nodes = self.machines.len();
        self.clients[client].at = (self.clients[client].at + 1) % nodes;
    }

    fn think_us(&mut self) -> u64 {
        if self.closing {
            return 20_000;
        }
        match self.random.once_in(25) {
            // Now and then a client has something else to do.
            true => self.random.between(1_000_000, 5_000_000),
            false => self.random.between(100, self.plan.common.think_us_max),
        }
    }

    pub(super) fn give_up(&mut self, message: usize) {
        let client = self.messages[message].client;
        if self.clients[client].waits_for != Some(message) {
            return;
        }
        self.clients[client].waits_for = None;
        self.tally.count("client: gave up waiting");
        if !self.closing && self.clients[client].attempts >= ATTEMPTS_MAX {
            self.clients[client].asked = None;
        }
        if self.random.percent(50) {
            self.turn_to_another(client);
        }
        let think_us = self.think_us();
        self.after(think_us, Event::Send { client });
    }
}

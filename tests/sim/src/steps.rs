//! What happens while a server lives: messages, turns, snapshots, and a look at it all.
//!
//! Owns no choice of what goes wrong: that is `fate`. Next: `fate`.

use crate::server::Came;
use crate::world::{Event, Held, Message, World, violated};
use doorbuster::domain::model::answer::Answer;
use doorbuster::domain::rules::sweep;
use doorbuster::ring::Outcome;
use doorbuster::shared::snapshots::Ask;
use doorbuster::writer::Next;
use std::sync::Arc;

/// Attempts before a client turns to something else.
const ATTEMPTS_MAX: u32 = 12;
/// Attempts after which something must be wrong, once all is well.
const ATTEMPTS_AT_THE_END_MAX: u32 = 400;
/// A turn begins at once when it is called, and answers all that it finds, in microseconds.
const WAIT_US_MAX: u64 = 10_000;
/// A hold runs out this late at most, in milliseconds, as the contract says.
const LATE_MS_MAX: u64 = 1_000;

impl World {
    pub(crate) fn step(&mut self, event: Event) -> Held {
        match event {
            Event::Send { client } => self.send(client),
            Event::Arrive { message } => self.arrive(message),
            Event::Hear { answer } => self.hear(answer),
            Event::GiveUp { message } => {
                self.give_up(message);
                Ok(())
            }
            Event::Turn { life, at_us } if self.lives(life) && self.turn_at == Some(at_us) => {
                self.turn_at = None;
                self.turn()
            }
            Event::Spare { life } if self.lives(life) => {
                let made = self.guard(|server| server.make_spare())?;
                self.trace.tell("spare", format_args!("{made:?}"));
                self.spare_later();
                Ok(())
            }
            Event::Snapshot { life } if self.lives(life) => {
                self.snapshot(Ask::Due)?;
                let wait_us = self.plan.snapshot_every_us;
                self.after(wait_us, Event::Snapshot { life });
                Ok(())
            }
            Event::Look { life } if self.lives(life) => {
                self.look()?;
                self.after(500_000, Event::Look { life });
                Ok(())
            }
            Event::Turn { .. }
            | Event::Spare { .. }
            | Event::Snapshot { .. }
            | Event::Look { .. } => Ok(()),
            Event::Fault => self.fault(),
            Event::Relief => {
                self.disk.medium().full = false;
                self.trace.tell("relief", format_args!("there is space again"));
                Ok(())
            }
            Event::Start => self.start(),
            Event::Copy => self.copy(),
            Event::Ship => self.ship(),
            Event::TakeOver => self.lose_the_machine(),
        }
    }

    fn lives(&self, life: u64) -> bool {
        self.server.is_some() && self.life == life
    }

    /// How long a message is under way, in microseconds; none if it is lost.
    fn journey_us(&mut self) -> Option<u64> {
        if self.closing {
            return Some(self.random.between(50, 500));
        }
        if self.random.percent(self.plan.loss) {
            self.tally.count("network: message lost");
            return None;
        }
        Some(self.random.between(50, self.plan.delay_us_max))
    }

    fn send(&mut self, client: usize) -> Held {
        if self.clients[client].waits_for.is_some() {
            return Ok(());
        }
        if self.clients[client].asked.is_none() {
            let wish = self.clients[client].wants.pop_front();
            let now = self.wall_ms();
            let wish = match wish {
                Some(wish) => wish,
                None if self.closing => return Ok(()),
                None if self.plan.plain => self.knowledge.next_plain(&mut self.random),
                None => self.knowledge.next(&mut self.random, self.plan.draws, now),
            };
            self.clients[client].asked = Some(wish);
            self.clients[client].attempts = 0;
        }
        let request = self.clients[client].asked.clone().expect("it was just set");
        self.clients[client].attempts += 1;
        if self.clients[client].attempts > ATTEMPTS_AT_THE_END_MAX {
            return violated("everybody is answered in the end", format!("{request:?}"));
        }
        let at = self.next_moment();
        let attempt = self.notes.ask(Arc::clone(&request), at);
        let keyed = request.key.is_some();
        let message = self.messages.len();
        self.trace.tell("send", format_args!("{message} from {client}: {request:?}"));
        self.tally.count("client: attempts");
        self.messages.push(Message { client, attempt, request, heard: false });
        self.clients[client].waits_for = Some(message);
        if let Some(journey_us) = self.journey_us() {
            self.after(journey_us, Event::Arrive { message });
        }
        if keyed && self.random.percent(self.plan.twice) {
            // Somebody on the way sent it again.
            self.tally.count("network: message came twice");
            let later_us = self.random.between(100, 400_000);
            self.after(later_us, Event::Arrive { message });
        }
        let patience_us = self.random.between(20_000, 600_000);
        self.after(patience_us, Event::GiveUp { message });
        Ok(())
    }

    fn arrive(&mut self, message: usize) -> Held {
        let request = self.inward(message);
        let elapsed_ms = self.elapsed_us() / 1000;
        let hurried = !self.closing && self.random.once_in(40);
        let deadline_ms = hurried.then(|| elapsed_ms + self.random.below(20));
        let Some(server) = &mut self.server else { return Ok(()) };
        let taken = server.ask((message, self.now_us), request, deadline_ms);
        let called = server.called();
        let said = taken.as_ref().map(|came| came.is_some());
        self.trace.tell("arrive", format_args!("{message}: answered by an IO thread {said:?}"));
        let came = match taken {
            Ok(came) => came,
            Err(_) => {
                self.tally.count("server: ring full");
                None
            }
        };
        if called {
            let wait_us = self.random.between(2, 300);
            self.turn_after(wait_us);
        }
        if came.is_some() {
            self.tally.count("server: refused at the edge");
        }
        self.let_go(came.into_iter().collect())
    }

    /// The next turn, unless an earlier one is due.
    pub(crate) fn turn_after(&mut self, wait_us: u64) {
        let at_us = self.now_us + wait_us;
        if self.turn_at.is_none_or(|known| at_us < known) {
            self.turn_at = Some(at_us);
            self.after(wait_us, Event::Turn { life: self.life, at_us });
        }
    }

    fn turn(&mut self) -> Held {
        self.tally.count("server: turns");
        let Some(turned) = self.guard(|server| server.turn())? else { return Ok(()) };
        let server = self.server.as_mut().expect("it lives");
        match turned {
            Ok(next) => {
                let came = server.came();
                let (synced, stamp) = (server.synced(), server.stamp());
                let called = server.called();
                self.trace.tell("turn", format_args!("{next:?} at {stamp}, synced {synced}"));
                self.let_go(came)?;
                match next {
                    Next::Turn => self.turn_after(1),
                    Next::Rest(_) if called => self.turn_after(1),
                    Next::Rest(Some(wait)) => {
                        self.turn_after(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX >> 8));
                    }
                    Next::Rest(None) | Next::Stop => {}
                }
                self.spare_later();
                self.snapshots_asked()
            }
            Err(error) => {
                // The process tells whoever waits, and ends.
                let came = server.sound_alarm();
                self.trace.tell("failed", format_args!("{error}"));
                self.let_go(came)?;
                self.tally.count("server: writer stopped in the middle");
                self.excuse("the journal can be appended to", &error.to_string())?;
                self.die();
                Ok(())
            }
        }
    }

    /// Answers leave the server.
    pub(crate) fn let_go(&mut self, came: Vec<Came>) -> Held {
        for Came { message, outcome, stamp, asked_us } in came {
            // What waits for a copy waits for as long as that takes.
            if self.now_us > asked_us + WAIT_US_MAX && self.replica.is_none() {
                let detail = format!("{message} was asked at {asked_us} us: {outcome:?}");
                return violated(
                    "a request calls the writer, and its answer whoever waits",
                    detail,
                );
            }
            if let Outcome::Answered(answered) = &outcome {
                let answerable = self.server.as_ref().map_or(0, |server| server.answerable());
                if answered.sequence > answerable {
                    let detail = format!("{answered:?}, answerable {answerable}");
                    return violated("an answer leaves when what it rests on is durable", detail);
                }
            }
            if outcome == Outcome::Internal {
                let request = &self.messages[message].request;
                return violated("deciding does not panic", format!("{request:?}"));
            }
            let outcome = self.outward(message, outcome)?;
            let answer = self.answers.len();
            self.trace.tell("answer", format_args!("{message}: {outcome:?}"));
            self.answers.push(Some((message, outcome, stamp, self.life)));
            if let Some(journey_us) = self.journey_us() {
                self.after(journey_us, Event::Hear { answer });
            }
        }
        Ok(())
    }

    fn hear(&mut self, answer: usize) -> Held {
        let (message, outcome, stamp, life) =
            self.answers[answer].take().expect("it is heard once");
        let client = self.messages[message].client;
        let waited = self.clients[client].waits_for == Some(message);
        if let Outcome::Answered(answered) = outcome {
            let gone = |(of, from): &(u64, u64)| life < *of && answered.sequence >= *from;
            if self.taken_back.iter().any(gone) {
                // It was under way when power took back what it tells.
                return Ok(());
            }
            if std::mem::replace(&mut self.messages[message].heard, true) {
                return Ok(());
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
            if waited {
                self.clients[client].asked = None;
            }
        } else {
            self.tally.count("client: told to try again");
        }
        if waited {
            self.clients[client].waits_for = None;
            let think_us = self.think_us();
            self.after(think_us, Event::Send { client });
        }
        Ok(())
    }

    fn think_us(&mut self) -> u64 {
        if self.closing {
            return 1_000;
        }
        match self.random.once_in(25) {
            // Now and then somebody has something else to do.
            true => self.random.between(1_000_000, 5_000_000),
            false => self.random.between(100, self.plan.think_us_max),
        }
    }

    fn give_up(&mut self, message: usize) {
        let client = self.messages[message].client;
        if self.clients[client].waits_for != Some(message) {
            return;
        }
        self.clients[client].waits_for = None;
        self.tally.count("client: gave up waiting");
        if !self.closing && self.clients[client].attempts >= ATTEMPTS_MAX {
            self.clients[client].asked = None;
        }
        let think_us = self.think_us();
        self.after(think_us, Event::Send { client });
    }

    fn spare_later(&mut self) {
        if self.random.once_in(3) {
            let wait_us = self.random.between(100, 30_000);
            self.after(wait_us, Event::Spare { life: self.life });
        }
    }

    /// What the writer asks of the snapshots.
    pub(crate) fn snapshots_asked(&mut self) -> Held {
        let asked = self.server.as_ref().and_then(|server| server.snapshot_asked());
        asked.map_or(Ok(()), |ask| self.snapshot(ask))
    }

    /// Takes a snapshot. What it may let go is read before.
    pub(crate) fn snapshot(&mut self, ask: Ask) -> Held {
        self.read_on()?;
        let snapshot_before = self.server.as_ref().and_then(|server| server.snapshots.sequence());
        let taken = self.guard(move |server| {
            let _ = server.snapshotter.heed(ask);
        })?;
        let Some(server) = self.server.as_ref().filter(|_| taken.is_some()) else { return Ok(()) };
        let (sequence, failure) = (server.snapshots.sequence(), server.snapshots.failure());
        let damage = server.snapshots.damage();
        self.trace.tell("image", format_args!("{sequence:?} {failure:?} {damage:?}"));
        if sequence != snapshot_before {
            self.tally.count("server: snapshots taken");
        }
        if let Some(failure) = failure {
            self.tally.count("server: snapshot failed");
            self.excuse("a snapshot can be taken", &failure)?;
        }
        damage.map_or(Ok(()), |damage| violated("history is not damaged", damage))
    }

    /// Holds run out in time.
    fn look(&mut self) -> Held {
        let elapsed_us = self.elapsed_us();
        let excused = self.disk.medium().full;
        let Some(server) = &self.server else { return Ok(()) };
        let Some(due) = sweep::next_expiry(server.state()) else { return Ok(()) };
        // Stamps run a sixteenth slower than the clock at least.
        let since_us = elapsed_us.saturating_sub(self.turned_at_us);
        let now = server.stamp() + since_us / 1000 * 15 / 16;
        if now > due + LATE_MS_MAX && !excused {
            let detail = format!("a hold was due at {due}, it is {now}, {:?}", self.turn_at);
            return violated("a hold runs out within a second", detail);
        }
        Ok(())
    }
}

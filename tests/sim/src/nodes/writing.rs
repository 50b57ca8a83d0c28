//! The node that writes: from the grant to its last turn.
//!
//! Owns its turns, what leaves it, and its feed. Never decides what is settled: the
//! node tells. Next: `truth`, which is told, and `clients`, who hear.

use super::world::{Event, World};
use crate::fate::guarded;
use crate::replica::EVENT_BYTES;
use crate::server::{Around, Came, Server};
use crate::world::{Held, violated};
use doorbuster::copies::node::Input;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::ring::Outcome;
use doorbuster::shared::feed::{FeedReply, Form};
use doorbuster::writer::Next;

impl World {
    fn server(&mut self, place: usize) -> Option<&mut Server> {
        self.machines[place].process.as_mut()?.server.as_mut()
    }

    /// A takeover is a start.
    pub(super) fn promote(&mut self, place: usize) -> Held {
        let (now_us, config) = (self.now_us, self.config.clone());
        let machine = &mut self.machines[place];
        machine.show_time(now_us);
        let (clock, data) = (machine.clock(), machine.data.clone());
        let process = machine.process.as_mut().expect("it lives");
        let Some(follower) = process.promoting.take() else { return Ok(()) };
        let (epoch, cursors) = (process.epoch, process.cursors.clone());
        let promoted = guarded(|| follower.promote(epoch, None, (&config.rules, &config), clock))?;
        let recovered = match promoted {
            None => {
                self.tally.count("takeover: died in the middle");
                return self.die(place);
            }
            Some(Err(error)) => return self.start_failed(place, &error),
            Some(Ok(recovered)) => recovered,
        };
        self.tally.count("takeover: begun");
        let (journal, started) = (recovered.journal.id(), recovered.replayed + 1);
        let settled = recovered.journal.watermark();
        let history = recovered.journal.history();
        let around = Around { clock, meters: &self.meters, cursors, timed: true, copied: None };
        let (server, found) = Server::begin(&data, &config, recovered, around);
        if found.lost_from.is_some() {
            return violated("nothing is lost where copies are waited for", format!("{place}"));
        }
        let process = self.machines[place].process.as_mut().expect("it lives");
        process.server = Some(server);
        process.told = Some((0, 0));
        *process.beside.lock() = None;
        let life = self.machines[place].life;
        self.trace.tell("writes", format_args!("{place}: epoch {epoch}, started {started}"));
        self.turn_after(place, 1);
        self.after(1_000, Event::Spare { place, life });
        self.after(20_000, Event::Feed { place, life });
        self.tell(place, Input::Began { journal, started, settled, history })?;
        self.tell_moved(place)
    }

    /// Tells what the own journal has: first what is stored, perhaps, then what is synced.
    pub(super) fn tell_moved(&mut self, place: usize) -> Held {
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        let Some(before) = process.told else { return Ok(()) };
        let (appended, synced) = (process.cursors.appended(), process.cursors.synced());
        if (appended, synced) == before {
            return Ok(());
        }
        process.told = Some((appended, synced));
        let life = self.machines[place].life;
        if self.random.percent(30) && before.1 < synced {
            self.tell(place, Input::JournalMoved { appended, synced: before.1 })?;
        }
        if self.lives(place, life) {
            self.tell(place, Input::JournalMoved { appended, synced })?;
        }
        Ok(())
    }

    /// The next turn, unless an earlier one is due.
    pub(super) fn turn_after(&mut self, place: usize, wait_us: u64) {
        let (at_us, life) = (self.now_us + wait_us, self.machines[place].life);
        let Some(process) = &mut self.machines[place].process else { return };
        if process.turn_at.is_none_or(|known| at_us < known) {
            process.turn_at = Some(at_us);
            self.after(wait_us, Event::Turn { place, life, at_us });
        }
    }

    pub(super) fn turn(&mut self, place: usize) -> Held {
        self.machines[place].show_time(self.now_us);
        let Some(server) = self.server(place) else { return Ok(()) };
        let turned = guarded(|| server.turn())?;
        self.tally.count("server: turns");
        let Some(turned) = turned else { return self.die_in_a_turn(place) };
        match turned {
            Err(error) => {
                self.trace.tell("failed", format_args!("{place}: {error}"));
                self.tally.count("server: writer stopped in the middle");
                self.excuse(place, "the journal can be appended to", &error.to_string())?;
                self.ship_unsynced(place)?;
                self.end(place)
            }
            Ok(next) => {
                let server = self.server(place).expect("it writes");
                let (stamp, called, waiting) = (server.stamp(), server.called(), server.waiting());
                let appended = server.appended();
                self.trace.tell(
                    "turn",
                    format_args!("{place}: {next:?} at {stamp}, {appended}, {waiting} wait"),
                );
                match next {
                    Next::Turn => self.turn_after(place, 1),
                    Next::Rest(_) if called => self.turn_after(place, 1),
                    Next::Rest(Some(wait)) => {
                        let wait_us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX >> 20);
                        let wait_us = self.machines[place].world_us(wait_us);
                        self.turn_after(place, wait_us);
                    }
                    Next::Rest(None) => {}
                    Next::Stop => return self.stopped(place),
                }
                let life = self.machines[place].life;
                self.answers_leave(place)?;
                if self.random.once_in(3) {
                    let wait_us = self.random.between(100, 30_000);
                    self.after(wait_us, Event::Spare { place, life });
                }
                // The node's thread wakes at once, or a little later.
                match self.random.percent(60) {
                    true => self.tell_moved(place)?,
                    false => {
                        let wait_us = self.random.between(1, 2_000);
                        self.after(wait_us, Event::Moved { place, life });
                    }
                }
                if !self.lives(place, life) {
                    return Ok(());
                }
                let asked = self.server(place).and_then(|server| server.snapshot_asked());
                asked.map_or(Ok(()), |ask| self.snapshot(place, ask))
            }
        }
    }

    /// The node's thread may have sent what the writer had not synced when both ended.
    fn die_in_a_turn(&mut self, place: usize) -> Held {
        self.ship_unsynced(place)?;
        self.die(place)
    }

    fn ship_unsynced(&mut self, place: usize) -> Held {
        let Some(process) = &self.machines[place].process else { return Ok(()) };
        let Some((appended, synced)) = process.told else { return Ok(()) };
        let stored = process.cursors.appended();
        if stored > appended && self.random.percent(50) {
            self.tally.count("wire: sent what was never synced here");
            self.tell(place, Input::JournalMoved { appended: stored, synced })?;
        }
        Ok(())
    }

    /// The writer has ended in order: another one may write.
    fn stopped(&mut self, place: usize) -> Held {
        self.answers_leave(place)?;
        self.tell_moved(place)?;
        if self.server(place).is_some_and(|server| server.waiting() > 0) {
            // Answers wait for copies.
            self.turn_after(place, 1_000);
            return Ok(());
        }
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        let Some(server) = process.server.take() else { return Ok(()) };
        match guarded(|| server.stop())? {
            None => return self.die(place),
            Some(Err(error)) => {
                self.excuse(place, "a stop can be in order", &error.to_string())?;
                return self.die(place);
            }
            Some(Ok((state, _))) => {
                let settled = state.sequence;
                self.trace.tell("stopped", format_args!("{place}: at {settled}"));
            }
        }
        self.tell_moved(place)?;
        self.tell(place, Input::HandOver { to: None })
    }

    /// What may leave by now, leaves. A writer that hands over settles on.
    pub(super) fn answers_leave(&mut self, place: usize) -> Held {
        self.machines[place].show_time(self.now_us);
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        if process.told.is_none() {
            return Ok(());
        }
        let came = process.server.as_mut().map(Server::came).unwrap_or_default();
        let settled = process.cursors.settled();
        self.settle(place, settled)?;
        self.let_go(place, came)
    }

    /// Answers leave a node.
    pub(super) fn let_go(&mut self, place: usize, came: Vec<Came>) -> Held {
        for Came { message, outcome, stamp, .. } in came {
            match &outcome {
                Outcome::Answered(answered) => {
                    self.check_writer(place)?;
                    let settled = self.truth.end.sequence;
                    if answered.sequence > settled {
                        let detail = format!("{answered:?} of node {place}, settled {settled}");
                        return violated("an answer leaves when it is settled", detail);
                    }
                }
                Outcome::Internal => {
                    let request = &self.messages[message].request;
                    return violated("deciding does not panic", format!("{request:?}"));
                }
                _ => {}
            }
            self.reply(message, super::clients::Reply::Outcome(outcome, stamp));
        }
        Ok(())
    }

    /// One process answers in an epoch.
    fn check_writer(&mut self, place: usize) -> Held {
        let life = self.machines[place].life;
        let Some(process) = &self.machines[place].process else { return Ok(()) };
        let epoch = process.epoch;
        let first = *self.answering.entry(epoch).or_insert((place, life));
        if first != (place, life) {
            let detail = format!("epoch {epoch}: {first:?} and {:?}", (place, life));
            return violated("one process answers in an epoch", detail);
        }
        Ok(())
    }

    /// A step of making the next segment.
    pub(super) fn spare(&mut self, place: usize) -> Held {
        let Some(server) = self.server(place) else { return Ok(()) };
        match guarded(|| server.make_spare())? {
            Some(_) => Ok(()),
            None => self.die(place),
        }
    }

    /// A follower of the feed reads on, where it is served.
    pub(super) fn feed(&mut self, place: usize) -> Held {
        let after = self.feed_after;
        let epoch = self.machines[place].process.as_ref().map(|process| process.epoch);
        let Some(server) = self.server(place) else { return Ok(()) };
        let answer = server.feed.ask(after, Form::List, Some(50));
        server.feed();
        let Some(reply) = answer.and_then(|mut answer| answer.try_recv().ok()) else {
            return Ok(());
        };
        match reply {
            FeedReply::Piece(piece) => {
                let last = self.truth.end.sequence;
                for event in piece.bytes.chunks_exact(EVENT_BYTES) {
                    let (sequence, check) = event.split_at(8);
                    let sequence: Sequence =
                        u64::from_le_bytes(sequence.try_into().expect("eight bytes"));
                    let check = u32::from_le_bytes(check.try_into().expect("four bytes"));
                    if sequence > last {
                        let detail = format!("{sequence} of node {place}, settled {last}");
                        return violated("the feed tells what is settled", detail);
                    }
                    if self.told.insert(sequence, check).is_some_and(|before| before != check) {
                        return violated("the feed tells an event once", sequence.to_string());
                    }
                    self.tally.count("feed: events told");
                }
                self.feed_after = piece.end;
                Ok(())
            }
            FeedReply::Compacted { oldest } => {
                self.feed_after = oldest;
                Ok(())
            }
            // What came of another epoch it cannot know, and no lease keeps it from saying so.
            FeedReply::Diverged if epoch < after.epoch => {
                self.tally.count("feed: a writer that was replaced knows no later place");
                Ok(())
            }
            other => violated("a follower of the feed reads on", format!("{other:?}")),
        }
    }
}

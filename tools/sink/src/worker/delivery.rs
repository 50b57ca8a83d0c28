//! Batches: out of the channel, to the target, once.
//!
//! Owns what happens to a batch whose outcome is not known (the target is asked where it stands), to
//! one with an event that can never succeed (halved until that event is alone), and to events
//! behind a dead letter (they follow it). Next: `replay`.

use super::standing::Phase;
use super::state::Worker;
use super::steps::{Ended, asked, within};
use crate::config::DeadAfter;
use crate::event::{Event, Position};
use crate::failure::Failure;
use crate::instant;
use crate::sink::{Batch, Sink};
use crate::source::{End, Item, Reading};
use doorbuster::shared::clock::{self, Clock};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// While there are dead letters, their file is looked at this often.
const LETTERS_EVERY_MS: u64 = 1_000;
const LETTERS_EVERY: Duration = Duration::from_millis(LETTERS_EVERY_MS);

/// What is read and not at the target yet.
#[derive(Debug, Default)]
struct Pending {
    events: VecDeque<Event>,
    end: Option<End>,
    /// How often the first of them was refused.
    refusals: u32,
    /// How many go at once.
    size: usize,
}

/// How a batch ended.
enum Delivered {
    Done,
    /// The target stands before what was read: it has to be read again.
    Back,
}

impl<S: Sink> Worker<S> {
    /// Takes events to the target, until the feed ends or has to be read from another place (none).
    pub(super) async fn follow(&mut self, reading: &mut Reading) -> Result<Option<End>, Ended> {
        let mut pending = Pending { size: self.batch, ..Pending::default() };
        let mut stop = self.shared.stop.clone();
        let (clock, mut look_ms) = (Clock::start(), 0);
        loop {
            if self.letters.count() > 0 && clock.elapsed_ms() >= look_ms {
                self.replay_what_was_asked().await?;
                look_ms = clock.elapsed_ms() + LETTERS_EVERY_MS;
            }
            while let (None, true) = (&pending.end, pending.events.len() < self.batch) {
                match reading.items.try_recv() {
                    Ok(item) => pending.take(item),
                    Err(_) => break,
                }
            }
            if *stop.borrow() {
                return Err(Ended::Shutdown);
            }
            if !pending.events.is_empty() {
                match self.deliver(&mut pending).await? {
                    Delivered::Done => continue,
                    Delivered::Back => return Ok(None),
                }
            }
            if let Some(end) = pending.end.take() {
                return Ok(Some(end));
            }
            tokio::select! {
                biased;
                () = asked(&mut stop) => return Err(Ended::Shutdown),
                changed = self.shared.config.changed() => {
                    if changed.is_ok() {
                        self.reload();
                        let at = self.reopen().await?;
                        self.stand_at(at);
                        return Ok(None);
                    }
                }
                () = tokio::time::sleep(LETTERS_EVERY), if self.letters.count() > 0 => {}
                item = reading.items.recv() => match item {
                    Some(item) => pending.take(item),
                    None => return Ok(None),
                },
            }
        }
    }

    /// Brings the first of what is pending to the target.
    async fn deliver(&mut self, pending: &mut Pending) -> Result<Delivered, Ended> {
        let count = pending.size.min(pending.events.len());
        let mut chunk: Vec<Event> = pending.events.drain(..count).collect();
        let to = chunk.last().map(Event::position).unwrap_or_default();
        if let Some(told) = self.foreign(&chunk) {
            return Err(Ended::Stopped(told));
        }
        let all = chunk.clone();
        self.hold_back(&mut chunk)?;
        loop {
            let batch = Batch { events: &chunk, from: &self.position, to: &to };
            let failure = match within(self.sink.apply(&batch, &self.shared.source)).await {
                Ok(()) => {
                    self.arrived(&chunk, to);
                    pending.grow(self.batch);
                    return Ok(Delivered::Done);
                }
                Err(failure) => failure,
            };
            let many = chunk.len() > 1;
            let is_refusal = matches!(failure, Failure::Refused(_));
            match failure {
                Failure::Refused(_) if many => {}
                Failure::Refused(why) => {
                    if self.refused(&why, &chunk, pending).await? {
                        chunk.clear();
                    }
                }
                failure => self.failed(failure).await?,
            }
            let at = self.reopen().await?;
            if at.seq < self.position.seq {
                tracing::warn!(sink = self.name, "the target went back to {}", at.id);
                self.stand_at(at);
                return Ok(Delivered::Back);
            }
            if at.seq > to.seq {
                let why = format!("the target stands at {} already", at.id);
                self.failed(Failure::Fenced(why)).await?;
            }
            chunk.retain(|event| event.seq() > at.seq);
            let (whole, from) = (at.seq == to.seq, at.seq);
            self.stand_at(at);
            if whole {
                self.succeeded();
                pending.grow(self.batch);
                return Ok(Delivered::Done);
            }
            if is_refusal && many {
                pending.halve(all.into_iter().filter(|event| event.seq() > from).collect());
                return Ok(Delivered::Done);
            }
        }
    }

    /// Another journal's events are not the ones that the target has the beginning of.
    fn foreign(&self, chunk: &[Event]) -> Option<String> {
        let own = &self.position.source;
        let other = chunk.iter().find(|event| !own.is_empty() && event.source != *own)?;
        Some(format!(
            "the events are of {}, and the target's of {own}: it is another server. Use another \
             database, stream or sink name for it",
            other.source
        ))
    }

    /// Takes those out that must not overtake a dead letter.
    fn hold_back(&mut self, chunk: &mut Vec<Event>) -> Result<(), Ended> {
        if self.letters.count() == 0 {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(chunk.len());
        for event in chunk.drain(..) {
            match self.letters.holding(&event) {
                Some(_) if self.letters.has(event.seq()) => {}
                Some(subject) => self.bury(&event, &format!("behind {subject}"))?,
                None => kept.push(event),
            }
        }
        *chunk = kept;
        Ok(())
    }

    /// A single event, or what of a batch has no event, was refused for good; says whether it
    /// went to the dead letters.
    async fn refused(
        &mut self,
        why: &str,
        chunk: &[Event],
        pending: &mut Pending,
    ) -> Result<bool, Ended> {
        let after = self.shared.config.borrow().dead.after;
        let (DeadAfter::Tries(tries), [event]) = (after, chunk) else {
            let about = chunk.first().map_or("", |event| event.id.as_str());
            let advice = "put that right, or set dead.after, and start again";
            return Err(Ended::Stopped(format!("event {about} was refused: {why}; {advice}")));
        };
        pending.refusals += 1;
        if pending.refusals < tries {
            self.wait(why, None).await?;
            return Ok(false);
        }
        pending.refusals = 0;
        tracing::error!(sink = self.name, event = event.id, "to the dead letters: {why}");
        self.bury(event, why)?;
        Ok(true)
    }

    pub(super) fn bury(&mut self, event: &Event, why: &str) -> Result<(), Ended> {
        let at = instant::text(i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX));
        let added = self.letters.add(event, why, at);
        self.count_letters();
        added.map_err(|cause| Ended::Stopped(format!("a dead letter cannot be kept: {cause}")))
    }

    fn arrived(&mut self, chunk: &[Event], to: Position) {
        self.succeeded();
        let standing = &self.standing;
        let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        standing.events.fetch_add(count, Ordering::Relaxed);
        standing.batches.fetch_add(1, Ordering::Relaxed);
        if let Some(ms) = chunk.last().and_then(|event| instant::parse(&event.time)) {
            standing.newest_ms.store(u64::try_from(ms).unwrap_or_default(), Ordering::Relaxed);
        }
        if standing.phase() != Phase::Following {
            standing.set(Phase::Following, "");
        }
        self.stand_at(to);
    }
}

impl Pending {
    fn take(&mut self, item: Item) {
        match item {
            Item::Event(event) => self.events.push_back(*event),
            Item::End(end) => self.end = Some(end),
        }
    }

    /// Half of a batch that was refused goes next.
    fn halve(&mut self, chunk: Vec<Event>) {
        self.size = (chunk.len() / 2).max(1);
        for event in chunk.into_iter().rev() {
            self.events.push_front(event);
        }
    }

    fn grow(&mut self, most: usize) {
        self.refusals = 0;
        self.size = (self.size * 2).min(most);
    }
}

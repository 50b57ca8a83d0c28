//! Dead letters that an operator wants sent again, or dropped.
//!
//! Owns their order: one after another, and a subject whose letter is refused again keeps those
//! behind it. Next: `dead`.

use super::state::Worker;
use super::steps::{Ended, within};
use crate::dead::{Fate, Letter};
use crate::event::Event;
use crate::failure::Failure;
use crate::sink::{Batch, Sink};
use std::collections::HashSet;
use std::io;

impl<S: Sink> Worker<S> {
    pub(super) async fn replay_what_was_asked(&mut self) -> Result<(), Ended> {
        self.letters.refresh().map_err(unreadable)?;
        let asked = self.letters.asked();
        if asked.is_empty() {
            return Ok(());
        }
        for request in asked {
            let letters = self.letters.chosen(&request);
            match request.fate {
                Fate::Drop => {
                    for letter in &letters {
                        self.letters.done(letter.event.seq()).map_err(unreadable)?;
                        tracing::warn!(sink = self.name, event = letter.event.id, "dropped");
                    }
                }
                Fate::Retry => self.send_again(letters).await?,
            }
        }
        self.letters.answered().map_err(unreadable)?;
        self.count_letters();
        Ok(())
    }

    async fn send_again(&mut self, letters: Vec<Letter>) -> Result<(), Ended> {
        let mut refused: HashSet<String> = HashSet::new();
        for Letter { event, .. } in letters {
            if event.subjects().iter().any(|subject| refused.contains(subject)) {
                continue;
            }
            match self.send(&event).await? {
                None => {
                    self.letters.done(event.seq()).map_err(unreadable)?;
                    tracing::info!(sink = self.name, event = event.id, "a dead letter arrived");
                }
                Some(why) => {
                    self.bury(&event, &why)?;
                    refused.extend(event.own_subjects());
                }
            }
            self.count_letters();
        }
        Ok(())
    }

    /// Sends one event without moving the position; why it was refused, if it was.
    async fn send(&mut self, event: &Event) -> Result<Option<String>, Ended> {
        loop {
            let events = std::slice::from_ref(event);
            let batch = Batch { events, from: &self.position, to: &self.position };
            match within(self.sink.apply(&batch, &self.shared.source)).await {
                Ok(()) => {
                    self.succeeded();
                    return Ok(None);
                }
                Err(Failure::Refused(why)) => {
                    let at = self.reopen().await?;
                    self.stand_at(at);
                    return Ok(Some(why));
                }
                Err(failure) => self.failed(failure).await?,
            }
            let at = self.reopen().await?;
            self.stand_at(at);
        }
    }
}

fn unreadable(cause: io::Error) -> Ended {
    Ended::Stopped(format!("dead letters cannot be read or written: {cause}"))
}

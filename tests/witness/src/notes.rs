//! What clients note: what each asked, when, and what it heard.
//!
//! Moments are any numbers that grow: a simulator counts its steps, a harness its nanoseconds.
//! Never judges. Next: `check`.

use crate::names::{named, rename};
use doorbuster::domain::model::answer::Answered;
use doorbuster::domain::model::command::Request;
use doorbuster::domain::model::ids::{OrderId, Sequence, Stamp};
use std::sync::Arc;

/// One request sent once. A retry is another attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What was asked.
    pub request: Arc<Request>,
    /// When it was sent.
    pub sent: u64,
    /// What was heard, if anything.
    pub heard: Option<Heard>,
}

/// What came back from an attempt.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When.
    pub at: u64,
    /// What.
    pub answered: Answered,
    /// The stamp it was decided at, if somebody knows.
    pub decided_at: Option<Stamp>,
    /// It was answered before it was durable, as the mode says, and then power was lost.
    pub void: bool,
}

/// All that clients asked and heard.
#[derive(Debug, Default)]
pub struct Notes {
    attempts: Vec<Attempt>,
    rewinds: Vec<(u64, Sequence)>,
}

impl Notes {
    /// Notes that something is sent; gives the number of the attempt.
    pub fn ask(&mut self, request: Arc<Request>, at: u64) -> usize {
        self.attempts.push(Attempt { request, sent: at, heard: None });
        self.attempts.len() - 1
    }

    /// Notes what an attempt heard.
    ///
    /// # Panics
    /// If it heard before: an attempt is answered once.
    pub fn hear(&mut self, attempt: usize, at: u64, answered: Answered, decided_at: Option<Stamp>) {
        let heard = Heard { at, answered, decided_at, void: false };
        let before = self.attempts[attempt].heard.replace(heard);
        assert!(before.is_none(), "an attempt is answered once");
    }

    /// Power was lost in a mode that answers before it syncs: what was heard of this sequence or
    /// later is no longer true, as that mode says.
    pub fn rewind(&mut self, at: u64, sequence: Sequence) {
        self.rewinds.push((at, sequence));
        for heard in self.attempts.iter_mut().filter_map(|attempt| attempt.heard.as_mut()) {
            heard.void |= heard.answered.sequence >= sequence;
        }
    }

    /// Gives all orders, in what was asked and in what was heard, other ids.
    pub fn rename(&mut self, mut to: impl FnMut(OrderId) -> OrderId) {
        for attempt in &mut self.attempts {
            if let Some(order) = named(&mut Arc::make_mut(&mut attempt.request).command) {
                *order = to(*order);
            }
            if let Some(heard) = &mut attempt.heard {
                rename(&mut heard.answered.answer, &mut to);
            }
        }
    }

    /// All attempts, in the order they were sent.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// When a history was cut, and from which sequence on.
    pub fn rewinds(&self) -> &[(u64, Sequence)] {
        &self.rewinds
    }
}

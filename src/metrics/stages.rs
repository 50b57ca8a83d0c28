//! Where the time of a request goes: eight histograms to an IO thread.
//!
//! Owns the stages and how they follow from the moments of one request. Each begins where the one
//! before ends, so that they add up to the whole, except that the lines of a batch go side by side.
//! Never reads a clock. Next: `exposition`.

use super::histogram::{Copied, Recorded};

/// A part of a request's time. Of a batch each line has those of the writer and of the copies to
/// itself, and the batch has the others: from its head to its first line in the ring, from its last
/// line durable, here and on the copies, to that line's answer, and from its head to the last of its
/// answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// From the head that was read to the request in the ring: checks, body, JSON.
    Parse,
    /// In the ring, until the writer takes it; those before it in its turn included.
    Ring,
    /// Decide, apply and encode.
    Decide,
    /// Until the turn's frame is stored; the requests after it in its turn included.
    Append,
    /// Until it is durable in the configured mode: with `group`, the data sync.
    Durable,
    /// Until the copies have it, and the IO thread hears so; nothing where there are none.
    Repl,
    /// Until the response is handed to the connection: wake, rendering.
    Answer,
    /// All of them.
    Whole,
}

impl Stage {
    /// Every stage, in the order of time, the whole last.
    pub const ALL: [Self; 8] = [
        Self::Parse,
        Self::Ring,
        Self::Decide,
        Self::Append,
        Self::Durable,
        Self::Repl,
        Self::Answer,
        Self::Whole,
    ];

    /// Its name in reports, metrics and `Server-Timing`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Ring => "ring",
            Self::Decide => "decide",
            Self::Append => "append",
            Self::Durable => "durable",
            Self::Repl => "repl",
            Self::Answer => "answer",
            Self::Whole => "whole",
        }
    }

    /// The stage of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// When what happened to a request, in nanoseconds since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moments {
    /// Its head was read.
    pub read: u64,
    /// The request was put into the ring.
    pub published: u64,
    /// The writer took it.
    pub taken: u64,
    pub decided: u64,
    /// Its turn was stored.
    pub stored: u64,
    /// Its turn was durable.
    pub durable: u64,
    /// Its turn was on the copies; as `durable` where there are none.
    pub copied: u64,
    /// Its response was handed on.
    pub answered: u64,
}

impl Moments {
    /// Of a request that was refused without the writer: all its time went into looking at it.
    #[must_use]
    pub fn without_writer(read: u64, answered: u64) -> Self {
        let [published, taken, decided, stored, durable, copied] = [answered; 6];
        Self { read, published, taken, decided, stored, durable, copied, answered }
    }

    /// How long each stage took, in nanoseconds.
    #[must_use]
    pub fn durations(&self) -> [u64; Stage::ALL.len()] {
        let moments = [
            self.read,
            self.published,
            self.taken,
            self.decided,
            self.stored,
            self.durable,
            self.copied,
            self.answered,
        ];
        let mut durations = [0; Stage::ALL.len()];
        for (duration, pair) in durations.iter_mut().zip(moments.windows(2)) {
            // Cores may differ by some nanoseconds about what time it is.
            *duration = pair[1].saturating_sub(pair[0]);
        }
        durations[Stage::Whole as usize] = self.answered.saturating_sub(self.read);
        durations
    }
}

/// The histograms of one thread, in nanoseconds.
#[derive(Debug, Default)]
pub struct Stages([Recorded; Stage::ALL.len()]);

impl Stages {
    /// Counts one request.
    pub fn record(&self, durations: &[u64; Stage::ALL.len()]) {
        for (recorded, duration) in self.0.iter().zip(durations) {
            recorded.record(*duration);
        }
    }

    /// Counts what a line of a batch has to itself: its wait for the writer, and the writer's part.
    pub fn record_line(&self, durations: &[u64; Stage::ALL.len()]) {
        for stage in [Stage::Ring, Stage::Decide, Stage::Append, Stage::Durable, Stage::Repl] {
            self.0[stage as usize].record(durations[stage as usize]);
        }
    }

    /// Counts what the lines of a batch have in common. Lines overlap, so that what they had to
    /// themselves does not add up to the whole.
    pub fn record_batch(&self, durations: &[u64; Stage::ALL.len()], whole_ns: u64) {
        for stage in [Stage::Parse, Stage::Answer] {
            self.0[stage as usize].record(durations[stage as usize]);
        }
        self.0[Stage::Whole as usize].record(whole_ns);
    }

    pub(super) fn add_to(&self, stage: Stage, copy: &mut Copied) {
        self.0[stage as usize].add_to(copy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_add_up_to_the_whole() {
        let moments = Moments {
            read: 10,
            published: 30,
            taken: 60,
            decided: 100,
            stored: 150,
            durable: 210,
            copied: 280,
            answered: 360,
        };
        let durations = moments.durations();
        assert_eq!(durations, [20, 30, 40, 50, 60, 70, 80, 350]);
        assert_eq!(durations[..7].iter().sum::<u64>(), durations[Stage::Whole as usize]);
    }

    #[test]
    fn a_stage_is_found_by_its_name() {
        for stage in Stage::ALL {
            assert_eq!(Stage::of_name(stage.as_str()), Some(stage));
        }
        assert_eq!(Stage::of_name("Parse"), None);
    }
}

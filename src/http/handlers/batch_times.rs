//! Where the time of a batch goes.
//!
//! Owns what of it is whose. Each line waits, is decided, stored and synced by itself, so it counts
//! in these stages as a request of its own would. Before the first of them is in the ring, behind
//! the last, and as a whole there is only the batch, which counts once. Recorded by the IO thread
//! that serves the batch. Never counts what lines come to: that is `request_metrics`. Next:
//! `metrics::stages`.

use super::submit::Submit;
use crate::http::operations::request_metrics::{RequestRecord, copied, moment};
use crate::http::worker::Worker;
use crate::metrics::Moments;
use crate::ring::StageTimes;

/// The moments of one batch, as far as it is.
#[derive(Debug)]
pub(in crate::http) struct BatchTimes {
    /// The batch's own; when it was in the ring is the first line's moment, when it was durable and
    /// answered the last line's that was answered until now.
    moments: Moments,
    /// A line was answered by the writer.
    heard: bool,
    /// One was since the clock was last looked at.
    is_late: bool,
}

impl BatchTimes {
    /// Of a batch whose head was read.
    pub(in crate::http) fn of(record: &RequestRecord) -> Self {
        let moments = Moments { read: record.read_ns(), ..Moments::default() };
        Self { moments, heard: false, is_late: false }
    }

    /// A line went into the ring.
    pub(in crate::http) fn asked(&mut self, published_ns: u64) {
        if self.moments.published == 0 {
            self.moments.published = published_ns;
        }
    }

    /// The writer's answer to a line came, which went into the ring then.
    pub(in crate::http) fn arrived<A: Submit>(
        &mut self,
        worker: &Worker<A>,
        published_ns: u64,
        times: StageTimes,
    ) {
        let StageTimes { taken_ns, decided_ns, stored_ns, durable_ns, .. } = times;
        // A writer that stopped in the middle has no times, nor has one that is not timed.
        if decided_ns == 0 {
            return;
        }
        let line = Moments {
            published: published_ns,
            taken: taken_ns,
            decided: decided_ns,
            stored: stored_ns,
            durable: durable_ns,
            copied: copied(&worker.front, durable_ns),
            ..Moments::default()
        };
        worker.meter().stages.record_line(&line.durations());
        (self.moments.durable, self.moments.copied) = (durable_ns, line.copied);
        self.heard = true;
        self.is_late = true;
    }

    /// Answers that came were rendered; one look at the clock for all that came together.
    pub(in crate::http) fn told<A: Submit>(&mut self, worker: &Worker<A>) {
        if std::mem::take(&mut self.is_late) {
            self.moments.answered = moment(&worker.front);
        }
    }

    /// Every line is answered. Where the writer answered none, nothing is told of the batch either.
    pub(in crate::http) fn end<A: Submit>(&self, worker: &Worker<A>) {
        if self.heard {
            let whole_ns = moment(&worker.front).saturating_sub(self.moments.read);
            worker.meter().stages.record_batch(&self.moments.durations(), whole_ns);
        }
    }
}

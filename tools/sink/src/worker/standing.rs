//! How each sink stands: what `/metrics` and `/readyz` show, and what alerts tell.
//!
//! Owns the numbers, one writer each, and their text. Never counts anything itself. Next: `listen`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a sink does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting = 0,
    Rebuilding = 1,
    Following = 2,
    Failing = 3,
    Stopped = 4,
}

/// How one sink stands.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) name: String,
    kind: &'static str,
    phase: AtomicU8,
    pub(crate) position: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) dead: AtomicU64,
    pub(crate) rebuilds: AtomicU64,
    /// Times that events were gone before a target without lists had them.
    pub(crate) gaps: AtomicU64,
    /// When the newest event of the target happened, in milliseconds since 1970.
    pub(crate) newest_ms: AtomicU64,
    why: Mutex<String>,
}

impl Standing {
    pub(crate) fn new(name: &str, kind: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            kind,
            phase: AtomicU8::new(0),
            position: AtomicU64::new(0),
            events: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            rebuilds: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            newest_ms: AtomicU64::new(0),
            why: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, phase: Phase, why: &str) {
        why.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Rebuilding,
            2 => Phase::Following,
            3 => Phase::Failing,
            _ => Phase::Stopped,
        }
    }

    /// Whether it does its work, and what is wrong where it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match self.phase() {
            Phase::Following => None,
            Phase::Starting => Some("starts".to_owned()),
            Phase::Rebuilding => Some("fills its tables".to_owned()),
            Phase::Failing => Some(format!("fails: {why}")),
            Phase::Stopped => Some(format!("stopped: {why}")),
        }
    }
}

type Read = fn(&Standing) -> u64;

fn load(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

const COUNTERS: [(&str, &str, &str, Read); 10] = [
    ("events_total", "counter", "Events that the target has.", |s| load(&s.events)),
    ("batches_total", "counter", "Batches that they came in.", |s| load(&s.batches)),
    ("failures_total", "counter", "Tries that failed.", |s| load(&s.failures)),
    ("rebuilds_total", "counter", "Times that tables were filled from lists.", |s| {
        load(&s.rebuilds)
    }),
    ("gaps_total", "counter", "Times that events were gone before the target had them.", |s| {
        load(&s.gaps)
    }),
    ("dead_letters", "gauge", "Events that wait for an operator.", |s| load(&s.dead)),
    ("position", "gauge", "Sequence of the newest event that the target has.", |s| {
        load(&s.position)
    }),
    ("newest_event_seconds", "gauge", "When that happened, in seconds since 1970.", |s| {
        load(&s.newest_ms) / 1000
    }),
    ("failing", "gauge", "1 while it fails again and again.", |s| {
        u64::from(s.phase() == Phase::Failing)
    }),
    ("stopped", "gauge", "1 when it has stopped until a person acts.", |s| {
        u64::from(s.phase() == Phase::Stopped)
    }),
];

/// In the text format of Prometheus.
pub(crate) fn metrics(all: &[Arc<Standing>]) -> String {
    let mut text = String::new();
    for (name, kind, help, read) in COUNTERS {
        let _ = writeln!(text, "# HELP doorbuster_sink_{name} {help}");
        let _ = writeln!(text, "# TYPE doorbuster_sink_{name} {kind}");
        for standing in all {
            let Standing { name: sink, kind, .. } = &**standing;
            let number = read(standing);
            let _ = writeln!(
                text,
                "doorbuster_sink_{name}{{sink=\"{sink}\",kind=\"{kind}\"}} {number}"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_there_from_the_start() {
        let standing = Standing::new("db", "postgres");
        let text = metrics(&[standing.clone()]);
        for (name, ..) in COUNTERS {
            let line = format!("doorbuster_sink_{name}{{sink=\"db\",kind=\"postgres\"}} 0\n");
            assert!(text.contains(&line), "{line}");
        }
        standing.set(Phase::Stopped, "diverged");
        assert_eq!(standing.trouble().as_deref(), Some("stopped: diverged"));
        assert!(metrics(&[standing]).contains("stopped{sink=\"db\",kind=\"postgres\"} 1\n"));
    }
}

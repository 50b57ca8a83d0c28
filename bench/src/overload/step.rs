//! What became of one phase of an open loop: who was served, how long that took, who was turned
//! away.
//!
//! Owns the counts and the histograms, and when things were again as they used to be. All belong to
//! the phase in which the buyer meant to come, whenever the answer came. Next: `crowd`.

use hdrhistogram::Histogram;
use std::time::Duration;

/// The return to what was before is looked for in windows of this length.
const WINDOW_NS: u64 = 250_000_000;
const WINDOWS_A_SECOND: usize = 4;
/// It has come with the first of so many windows in a row.
const WINDOWS_IN_A_ROW: usize = 4;
/// As it used to be: at most so many times the usual p99, and
const USUAL_TIMES: u64 = 2;
/// at most one in so many was not served.
const LOST_ONE_IN: u64 = 100;

pub(crate) struct Step {
    pub(crate) lasts: Duration,
    /// Those who came, those who come back among them.
    pub(crate) offered: u64,
    /// Of those, who got as far as to the server.
    pub(crate) sent: u64,
    /// Found no free connection in time.
    pub(crate) gave_up: u64,
    pub(crate) accepted: u64,
    pub(crate) shed: u64,
    /// From the intended start to the sending: the generator's own part of the waits.
    pub(crate) lag_ns: Histogram<u64>,
    /// From the intended start to the 201.
    pub(crate) admitted_ns: Histogram<u64>,
    /// From sending to the refusal.
    pub(crate) refused_ns: Histogram<u64>,
    pub(crate) confirms: u64,
    /// From sending to the 200.
    pub(crate) confirmed_ns: Histogram<u64>,
    windows: Vec<Window>,
    /// CPU time of the server while it lasted.
    pub(crate) server_cpu_ns: u64,
    /// Memory of the server at its end.
    pub(crate) resident_bytes: u64,
}

/// A quarter of a second of a phase.
struct Window {
    admitted_ns: Histogram<u64>,
    lost: u64,
}

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

impl Step {
    pub(crate) fn new(lasts: Duration) -> Self {
        Self {
            lasts,
            offered: 0,
            sent: 0,
            gave_up: 0,
            accepted: 0,
            shed: 0,
            lag_ns: histogram(),
            admitted_ns: histogram(),
            refused_ns: histogram(),
            confirms: 0,
            confirmed_ns: histogram(),
            windows: Vec::new(),
            server_cpu_ns: 0,
            resident_bytes: 0,
        }
    }

    fn window(&mut self, since_begin_ns: u64) -> &mut Window {
        let at = usize::try_from(since_begin_ns / WINDOW_NS).unwrap_or(usize::MAX);
        while self.windows.len() <= at {
            self.windows.push(Window { admitted_ns: histogram(), lost: 0 });
        }
        &mut self.windows[at]
    }

    pub(crate) fn admit(&mut self, since_begin_ns: u64, wait_ns: u64) {
        self.accepted += 1;
        self.admitted_ns.saturating_record(wait_ns);
        self.window(since_begin_ns).admitted_ns.saturating_record(wait_ns);
    }

    pub(crate) fn shed(&mut self, since_begin_ns: u64, wait_ns: u64) {
        self.shed += 1;
        self.refused_ns.saturating_record(wait_ns);
        self.window(since_begin_ns).lost += 1;
    }

    pub(crate) fn give_up(&mut self, since_begin_ns: u64) {
        self.gave_up += 1;
        self.window(since_begin_ns).lost += 1;
    }

    pub(crate) fn second(&self, count: u64) -> f64 {
        count as f64 / self.lasts.as_secs_f64()
    }

    /// Of each second: served, not served, and the p99 of the served in nanoseconds.
    pub(crate) fn seconds(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.windows.chunks(WINDOWS_A_SECOND).map(|windows| {
            let mut admitted_ns = histogram();
            for window in windows {
                admitted_ns.add(&window.admitted_ns).expect("all are of one kind");
            }
            let lost = windows.iter().map(|window| window.lost).sum();
            (admitted_ns.len(), lost, admitted_ns.value_at_quantile(0.99))
        })
    }

    /// After how long a second began in which all was as it used to be; none if it never was.
    pub(crate) fn back_after(&self, usual_p99_ns: u64) -> Option<Duration> {
        let usual = |window: &Window| {
            let served = window.admitted_ns.len();
            served > 0
                && window.admitted_ns.value_at_quantile(0.99) <= USUAL_TIMES * usual_p99_ns
                && window.lost * LOST_ONE_IN <= served + window.lost
        };
        let mut rows = self.windows.windows(WINDOWS_IN_A_ROW);
        let first = rows.position(|row| row.iter().all(usual))?;
        Some(Duration::from_nanos(first as u64 * WINDOW_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows in which so many were served within so many milliseconds, and so many were not.
    fn back(windows: &[(u64, u64, u64)]) -> Option<Duration> {
        let mut step = Step::new(Duration::from_secs(10));
        for (number, (served, wait_ms, lost)) in windows.iter().enumerate() {
            let at_ns = number as u64 * WINDOW_NS;
            (0..*served).for_each(|_| step.admit(at_ns, wait_ms * 1_000_000));
            (0..*lost).for_each(|_| step.shed(at_ns, 1));
        }
        step.back_after(5_000_000)
    }

    /// The server is back once a whole second is quick and no client is turned away.
    #[test]
    fn it_is_back_once_a_whole_second_is_quick() {
        let good = (100, 9, 1);
        assert_eq!(back(&[good; 4]), Some(Duration::ZERO));
        assert_eq!(back(&[good; 3]), None);
        for bad in [(100, 11, 0), (100, 9, 2), (0, 0, 0)] {
            let windows = [good, bad, good, good, good, good];
            assert_eq!(back(&windows), Some(Duration::from_millis(500)), "{bad:?}");
        }
    }
}

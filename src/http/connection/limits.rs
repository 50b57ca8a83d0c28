//! What one client, and all of them, may use up.
//!
//! Owns the numbers, and each IO thread's copy of them, which an operator may replace at any time.
//! Never enforces them: hyper, `service` and `listener` do. Next: `listener`.

use crate::shared::reloadable::{Kept, Reloadable};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Limits of the HTTP layer; bytes, counts and milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Request line and headers together; more is 431.
    pub header_bytes_max: usize,
    /// Header lines; more is 431.
    pub headers_max: usize,
    /// The request target; longer is 414.
    pub uri_bytes_max: usize,
    /// A body; longer is 413.
    pub body_bytes_max: usize,
    /// The body of a batch; longer is 413.
    pub batch_bytes_max: u64,
    /// Lines of a batch, blank ones left out; more is 413.
    pub batch_lines_max: usize,
    /// A line of a batch; longer is 413.
    pub line_bytes_max: usize,
    /// Answers to lines that clients have not taken yet, of all batches of an IO thread; beyond it
    /// a batch is read only while it has `batch_answers_bytes` of them at most.
    pub answers_bytes_max: usize,
    pub batch_answers_bytes: usize,
    /// Parts of bodies whose rest has not come yet, of all connections of an IO thread; one that
    /// would go beyond it is refused.
    pub bodies_bytes_max: usize,
    /// Bodies of refused requests that an IO thread reads past at a time; beyond them the refusal
    /// ends the connection. Each takes the buffers of a connection, some 30 KiB.
    pub passed_bodies_max: usize,
    /// Of a body that is longer, so much is read and dropped so that the connection can stay; a
    /// longer one closes it.
    pub dropped_bytes_max: u64,
    /// From the first byte of a head to its last, and from the accept to the first byte; then the
    /// connection closes.
    pub header_timeout_ms: u64,
    /// For a body that did not come with its head, and for the next bytes of a batch; then 408.
    pub body_timeout_ms: u64,
    /// For all of a batch to come, answers or not; then 408.
    pub batch_timeout_ms: u64,
    /// For a client to take what is written to it; then the connection closes.
    pub write_timeout_ms: u64,
    /// Between requests; then the connection closes.
    pub idle_ms: u64,
    /// From the accept on, a tenth more or less; then the next answer is the connection's last.
    pub lifetime_ms: u64,
    /// From then on, without a request; then the connection closes.
    pub idle_grace_ms: u64,
    /// On one connection, 0 = no limit; the last one is told that it is.
    pub requests_max: u64,
    /// For a client of TLS to get through its handshake; then the connection closes.
    pub handshake_timeout_ms: u64,
    /// Connections on all IO threads. One more takes the place of one that is idle; where none is,
    /// a place of the reserve (`reserve`).
    pub connections_max: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            header_bytes_max: 8 * 1024,
            headers_max: 64,
            uri_bytes_max: 2 * 1024,
            body_bytes_max: 64 * 1024,
            batch_bytes_max: 4 * 1024 * 1024,
            batch_lines_max: 10_000,
            line_bytes_max: 64 * 1024,
            answers_bytes_max: 64 * 1024 * 1024,
            batch_answers_bytes: 64 * 1024,
            bodies_bytes_max: 64 * 1024 * 1024,
            passed_bodies_max: 256,
            dropped_bytes_max: 1024 * 1024,
            header_timeout_ms: 5_000,
            body_timeout_ms: 5_000,
            batch_timeout_ms: 60_000,
            write_timeout_ms: 10_000,
            idle_ms: 75_000,
            lifetime_ms: 3_600_000,
            idle_grace_ms: 10_000,
            requests_max: 0,
            handshake_timeout_ms: 5_000,
            connections_max: 10_000,
        }
    }
}

/// One IO thread's copy. It is looked after when a connection comes and while connections are
/// looked after, so that no request pays for it.
#[derive(Debug)]
pub(in crate::http) struct Held {
    kept: Kept<HttpLimits>,
    copy: RefCell<(u64, Rc<HttpLimits>)>,
}

impl Held {
    pub(in crate::http) fn new(shared: Arc<Reloadable<HttpLimits>>) -> Self {
        let kept = Kept::new(shared);
        let copy = kept.with(|generation, limits| (generation, Rc::new(limits.clone())));
        Self { kept, copy: RefCell::new(copy) }
    }

    /// Refreshes this thread's copy if an operator has replaced the limits.
    pub(in crate::http) fn renew(&self) {
        self.kept.with(|generation, limits| {
            if self.copy.borrow().0 != generation {
                *self.copy.borrow_mut() = (generation, Rc::new(limits.clone()));
            }
        });
    }

    /// Returns the limits in force.
    pub(in crate::http) fn get(&self) -> Rc<HttpLimits> {
        self.copy.borrow().1.clone()
    }

    /// Returns the generation of this copy: it changes with every replacement.
    pub(in crate::http) fn generation(&self) -> u64 {
        self.copy.borrow().0
    }
}

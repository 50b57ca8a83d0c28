//! The open loop: buyers come when the schedule says, phase after phase without a pause, whatever
//! the buyers before them were answered.
//!
//! Owns the queue in front of the connections, the winners' confirmations over connections of their
//! own, and the buyers that come back at the time that an answer named. One request is under way on
//! a connection; a buyer that finds none free within a second has gone elsewhere. Next: `step`.

use super::step::Step;
use crate::error::BenchError;
use crate::load::{self, Connection, SKU, now, order_id, unexpected};
use crate::protocol::{Order, Protocol};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A buyer that waited so long without a connection has gone elsewhere.
const PATIENCE_NS: u64 = 1_000_000_000;
/// Connections that confirm.
pub(crate) const CONFIRMERS: u64 = 256;
/// Of the winners, one in so many confirms.
const CONFIRMS_ONE_IN: u64 = 10;

/// So many come, for so long.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    /// Buyers a second.
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    /// Whether buyers that an answer told to come back within this phase do so. In other phases
    /// they are among the buyers of the schedule.
    pub(crate) comes_back: bool,
}

/// A buyer: when it was to come, and how often it has.
#[derive(Clone, Copy)]
struct Buyer {
    intended_ns: u64,
    attempts: u32,
}

struct Crowd {
    begun: Instant,
    /// Who was turned away so often stays away.
    attempts_max: u32,
    phases: Vec<Phase>,
    /// When each phase ends.
    ends_ns: Vec<u64>,
    number: Cell<u64>,
    queue: RefCell<VecDeque<Buyer>>,
    waiting: Semaphore,
    winners: RefCell<VecDeque<(String, usize)>>,
    confirming: Semaphore,
    returning: RefCell<BinaryHeap<Reverse<(u64, u32)>>>,
    steps: RefCell<Vec<Step>>,
}

/// Drives all phases over this many connections; a client tries at most `attempts_max` times. Calls
/// `at_begin` as each phase begins, and once more at the end, with its number and the steps so far.
pub(crate) fn drive(
    address: SocketAddr,
    (connections, attempts_max): (u64, u32),
    phases: &[Phase],
    mut at_begin: impl FnMut(usize, &mut [Step]) -> Result<(), BenchError>,
) -> Result<Vec<Step>, BenchError> {
    let seconds = phases.iter().map(|phase| phase.seconds).sum();
    load::with_event_loop(Duration::from_secs(seconds), async {
        let mut sockets = Vec::new();
        for _ in 0..connections + CONFIRMERS {
            sockets.push(Connection::open(address, &Protocol::Http).await?);
        }
        let confirmers = sockets.split_off(usize::try_from(connections).unwrap_or(usize::MAX));
        let crowd = Rc::new(Crowd::of(phases, attempts_max));
        let buyers: Vec<_> = sockets.into_iter().map(|socket| crowd.clone().buy(socket)).collect();
        let buyers: Vec<_> = buyers.into_iter().map(tokio::task::spawn_local).collect();
        let confirmers = confirmers.into_iter().map(|socket| crowd.clone().confirm(socket));
        let confirmers: Vec<_> = confirmers.map(tokio::task::spawn_local).collect();
        crowd.come(&mut at_begin).await?;
        crowd.waiting.close();
        all(buyers).await?;
        crowd.confirming.close();
        all(confirmers).await?;
        let crowd = Rc::into_inner(crowd).expect("all tasks are gone");
        Ok(crowd.steps.into_inner())
    })
}

async fn all(tasks: Vec<JoinHandle<Result<(), BenchError>>>) -> Result<(), BenchError> {
    for task in tasks {
        task.await.expect("a connection's task does not panic")?;
    }
    Ok(())
}

impl Crowd {
    fn of(phases: &[Phase], attempts_max: u32) -> Self {
        let ends_ns = phases.iter().scan(0, |end_ns, phase| {
            *end_ns += phase.seconds * 1_000_000_000;
            Some(*end_ns)
        });
        let step = |phase: &Phase| Step::new(Duration::from_secs(phase.seconds));
        Self {
            begun: now(),
            attempts_max,
            ends_ns: ends_ns.collect(),
            phases: phases.to_vec(),
            number: Cell::new(0),
            queue: RefCell::default(),
            waiting: Semaphore::new(0),
            winners: RefCell::default(),
            confirming: Semaphore::new(0),
            returning: RefCell::default(),
            steps: RefCell::new(phases.iter().map(step).collect()),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(now().saturating_duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    /// In which phase that is, and how long after its begin.
    fn phase_at(&self, at_ns: u64) -> (usize, u64) {
        let last = self.ends_ns.len() - 1;
        let phase = self.ends_ns.partition_point(|end_ns| *end_ns <= at_ns).min(last);
        let begin_ns = phase.checked_sub(1).map_or(0, |before| self.ends_ns[before]);
        (phase, at_ns - begin_ns)
    }

    fn with_step<T>(&self, at_ns: u64, change: impl FnOnce(&mut Step, u64) -> T) -> T {
        let (phase, since_begin_ns) = self.phase_at(at_ns);
        change(&mut self.steps.borrow_mut()[phase], since_begin_ns)
    }

    /// Lets buyers come when they are due, a millisecond's at once.
    async fn come(
        &self,
        at_begin: &mut impl FnMut(usize, &mut [Step]) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for (number, phase) in self.phases.iter().enumerate() {
            at_begin(number, &mut self.steps.borrow_mut())?;
            let end_ns = self.ends_ns[number];
            let begin_ns = end_ns - phase.seconds * 1_000_000_000;
            let rate = u128::from(phase.rate);
            let all = phase.rate * phase.seconds;
            let mut come = 0;
            while come < all || self.now_ns() < end_ns {
                ticks.tick().await;
                let now_ns = self.now_ns();
                let since_ns = u128::from(now_ns.saturating_sub(begin_ns));
                let due = (since_ns * rate / 1_000_000_000).min(u128::from(all)) as u64;
                let intended =
                    |number: u64| begin_ns + (u128::from(number) * 1_000_000_000 / rate) as u64;
                let fresh = (come..due).map(intended);
                let returned = self.admit(fresh.map(|at_ns| (at_ns, 0)), now_ns);
                self.steps.borrow_mut()[number].offered += due - come;
                self.waiting.add_permits(usize::try_from(due - come + returned).unwrap_or(0));
                come = due;
            }
        }
        at_begin(self.phases.len(), &mut self.steps.borrow_mut())
    }

    /// Queues the buyers that come now and those that come back; returns how many came back.
    fn admit(&self, fresh: impl Iterator<Item = (u64, u32)>, now_ns: u64) -> u64 {
        let mut queue = self.queue.borrow_mut();
        queue.extend(fresh.map(|(intended_ns, attempts)| Buyer { intended_ns, attempts }));
        let mut returned = 0;
        let mut returning = self.returning.borrow_mut();
        while let Some(Reverse((intended_ns, attempts))) = returning.peek().copied()
            && intended_ns <= now_ns
        {
            returning.pop();
            queue.push_back(Buyer { intended_ns, attempts });
            self.with_step(intended_ns, |step, _| step.offered += 1);
            returned += 1;
        }
        // Buyers that have waited too long leave the queue here, before a connection takes them.
        while let Some(buyer) = queue.front()
            && buyer.intended_ns + PATIENCE_NS < now_ns
        {
            self.with_step(buyer.intended_ns, Step::give_up);
            queue.pop_front();
        }
        returned
    }

    fn turned_away(&self, buyer: Buyer, answer: &[u8]) {
        if buyer.attempts + 1 >= self.attempts_max {
            return;
        }
        let text = String::from_utf8_lossy(answer);
        let pause_ms = text.split_once("\"retry_after_ms\":").and_then(|(_, rest)| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse::<u64>().ok()
        });
        let at_ns = self.now_ns() + pause_ms.unwrap_or(1_000) * 1_000_000;
        let (phase, _) = self.phase_at(at_ns);
        if self.phases[phase].comes_back && self.ends_ns[phase] > at_ns {
            self.returning.borrow_mut().push(Reverse((at_ns, buyer.attempts + 1)));
        }
    }

    /// The next buyer to be served, and what time it is; none when no more will come.
    async fn next(&self) -> Option<(Buyer, u64)> {
        loop {
            match self.waiting.acquire().await {
                Ok(permit) => permit.forget(),
                // No new buyers come; those in the queue are still served.
                Err(_) if self.queue.borrow().is_empty() => return None,
                Err(_) => {}
            }
            let Some(buyer) = self.queue.borrow_mut().pop_front() else { continue };
            let now_ns = self.now_ns();
            if buyer.intended_ns + PATIENCE_NS >= now_ns {
                return Some((buyer, now_ns));
            }
            self.with_step(buyer.intended_ns, Step::give_up);
        }
    }

    async fn buy(self: Rc<Self>, mut socket: Connection) -> Result<(), BenchError> {
        while let Some((buyer, sent_ns)) = self.next().await {
            let number = self.number.replace(self.number.get() + 1);
            let name = format!("o-{number}");
            let order = Order { sku: SKU, user: &name, key: &name };
            Protocol::Http.order(&mut socket.request, &order);
            socket.ask().await?;
            let now_ns = self.now_ns();
            let answer = socket.answer.as_slice();
            let lag_ns = sent_ns - buyer.intended_ns;
            self.with_step(buyer.intended_ns, |step, since_begin_ns| {
                step.sent += 1;
                step.lag_ns.saturating_record(lag_ns);
                match answer.get(9..12) {
                    Some(b"201") => step.admit(since_begin_ns, now_ns - buyer.intended_ns),
                    Some(b"503" | b"429") => step.shed(since_begin_ns, now_ns - sent_ns),
                    _ => return Err(unexpected(answer)),
                }
                Ok(())
            })?;
            if !answer.starts_with(b"HTTP/1.1 201 ") {
                self.turned_away(buyer, answer);
            } else if number.is_multiple_of(CONFIRMS_ONE_IN) {
                let (phase, _) = self.phase_at(buyer.intended_ns);
                self.winners.borrow_mut().push_back((order_id(answer)?, phase));
                self.confirming.add_permits(1);
            }
        }
        Ok(())
    }

    async fn confirm(self: Rc<Self>, mut socket: Connection) -> Result<(), BenchError> {
        loop {
            match self.confirming.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) if self.winners.borrow().is_empty() => return Ok(()),
                Err(_) => {}
            }
            let Some((id, phase)) = self.winners.borrow_mut().pop_front() else { continue };
            socket.request = format!(
                "POST /v1/orders/{id}/confirm HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
            )
            .into_bytes();
            let sent_ns = self.now_ns();
            socket.ask().await?;
            let took_ns = self.now_ns() - sent_ns;
            let step = &mut self.steps.borrow_mut()[phase];
            step.confirms += 1;
            if socket.answer.starts_with(b"HTTP/1.1 200 ") {
                step.confirmed_ns.saturating_record(took_ns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment belongs to the phase that it falls into and what is late to the last.
    #[test]
    fn a_moment_belongs_to_the_phase_that_it_falls_into() {
        let phase = |seconds| Phase { rate: 1, seconds, comes_back: false };
        let crowd = Crowd::of(&[phase(1), phase(2)], 1);
        for (at_ns, expected) in [
            (0, (0, 0)),
            (999_999_999, (0, 999_999_999)),
            (1_000_000_000, (1, 0)),
            (2_500_000_000, (1, 1_500_000_000)),
            (4_000_000_000, (1, 3_000_000_000)),
        ] {
            assert_eq!(crowd.phase_at(at_ns), expected, "{at_ns}");
        }
    }
}

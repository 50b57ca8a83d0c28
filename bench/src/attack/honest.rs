//! The honest client: orders that each sell a unit at once, one after the other on some
//! connections, while something else goes on.
//!
//! Owns what is felt by it. It behaves as the contract asks: it comes again when it is told to,
//! with the same key, and asks once more on a new connection where a kept one ended under it.
//! Latencies count from when a request was meant to be sent. Next: `storm` and `silent` for the
//! others.

use super::shop::{self, HONEST, Shop, Token};
use crate::error::BenchError;
use crate::load::{self, now};
use crate::overload::step::histogram;
use crate::run::connection::Connection;
use doorbuster::client::Origin;
use hdrhistogram::Histogram;
use serde_json::Value;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::task::spawn_local;

/// What the honest client orders.
pub(super) const GOODS: &str = "goods";
/// An answer that takes longer is none.
const WITHIN: Duration = Duration::from_secs(30);
/// A pause that a customer waits out; a customer who is told a longer one was turned away.
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// One that is told to come again so often was turned away.
const ATTEMPTS_MAX: u32 = 20;

/// Tells the users and keys of all honest orders of this program apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// How it asks.
#[derive(Debug, Clone)]
pub(super) struct Honest {
    pub(super) origin: Origin,
    pub(super) address: SocketAddr,
    pub(super) token: Token,
    /// Each with one request under way.
    pub(super) connections: u32,
    /// Between two starts on one connection; as fast as answers come if there is none.
    pub(super) every: Option<Duration>,
    /// Each request on a connection of its own.
    pub(super) comes_anew: bool,
    /// It goes on until it has asked so often, even if what goes on beside it is over.
    pub(super) requests_min: u64,
    /// It stops after so many.
    pub(super) requests_max: u64,
}

/// What it met.
#[derive(Debug, Clone)]
pub(super) struct Felt {
    pub(super) asked: u64,
    pub(super) taken: u64,
    /// Answers that said to come again, as was done.
    pub(super) repeated: u64,
    /// 503 `capacity`.
    pub(super) capacity: u64,
    /// Refused otherwise, or told to come again too often or too late.
    pub(super) refused: u64,
    /// No connection, or no answer.
    pub(super) failed: u64,
    /// Of those that were answered.
    pub(super) latency_ns: Histogram<u64>,
    pub(super) took: Duration,
}

impl Felt {
    fn new() -> Self {
        Self {
            asked: 0,
            taken: 0,
            repeated: 0,
            capacity: 0,
            refused: 0,
            failed: 0,
            latency_ns: histogram(),
            took: Duration::ZERO,
        }
    }

    pub(super) fn ms(&self, quantile: f64) -> f64 {
        self.latency_ns.value_at_quantile(quantile) as f64 / 1e6
    }

    /// Orders a second.
    pub(super) fn rate(&self) -> f64 {
        self.taken as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Of those that asked, the part that was not served.
    pub(super) fn lost(&self) -> f64 {
        (self.asked - self.taken) as f64 / self.asked.max(1) as f64
    }

    /// All orders were served, and there was one at least.
    pub(super) fn is_whole(&self) -> bool {
        self.asked > 0 && self.taken == self.asked
    }
}

/// How one request ended.
enum End {
    Taken,
    Capacity,
    Refused,
    Failed,
}

impl Honest {
    /// A few customers on kept connections, fifty a second each.
    pub(super) fn of(shop: &Shop) -> Self {
        Self {
            origin: shop.origin.clone(),
            address: shop.server.address,
            token: HONEST,
            connections: 4,
            every: Some(Duration::from_millis(20)),
            comes_anew: false,
            requests_min: 50,
            requests_max: u64::MAX,
        }
    }

    /// Asks for so long, with nothing else going on.
    pub(super) fn alone(&self, lasts: Duration) -> Result<Felt, BenchError> {
        let ((), felt) = self.during(|| {
            thread::sleep(lasts);
            Ok(())
        })?;
        Ok(felt)
    }

    /// Asks while something goes on; that, and what was felt.
    pub(super) fn during<T>(
        &self,
        work: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<(T, Felt), BenchError> {
        let stop = Arc::new(AtomicBool::new(false));
        let asking = thread::spawn({
            let (client, stop) = (self.clone(), stop.clone());
            move || client.ask_until(stop)
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let felt = asking.join().expect("an honest client does not panic")?;
        Ok((done?, felt))
    }

    fn ask_until(self, stop: Arc<AtomicBool>) -> Result<Felt, BenchError> {
        let (client, felt) = (Rc::new(self), Rc::new(RefCell::new(Felt::new())));
        load::with_event_loop(Duration::MAX, async {
            let begun = now();
            let ask = |number| client.clone().ask((number, begun), stop.clone(), felt.clone());
            let asking: Vec<_> =
                (0..client.connections).map(|number| spawn_local(ask(number))).collect();
            for connection in asking {
                connection.await.expect("a connection's task does not panic");
            }
            felt.borrow_mut().took = begun.elapsed();
            Ok(())
        })?;
        Ok(felt.borrow().clone())
    }

    /// One connection's requests; the connections begin at even parts of a pause after each other.
    async fn ask(
        self: Rc<Self>,
        (number, begun): (u32, Instant),
        stop: Arc<AtomicBool>,
        felt: Rc<RefCell<Felt>>,
    ) {
        let mut connection = None;
        let part = f64::from(number) / f64::from(self.connections);
        let mut due = begun + self.every.unwrap_or_default().mul_f64(part);
        loop {
            let asked = felt.borrow().asked;
            let enough = stop.load(Ordering::Relaxed) && asked >= self.requests_min;
            if enough || asked >= self.requests_max {
                return;
            }
            felt.borrow_mut().asked += 1;
            match self.every {
                // One that is late begins at once and counts from when it should have.
                Some(every) => {
                    tokio::time::sleep_until(due.into()).await;
                    due += every;
                }
                None => due = now(),
            }
            let meant = self.every.map_or(due, |every| due - every);
            let end = self.buy(&mut connection, &felt).await;
            if self.comes_anew {
                connection = None;
            }
            let mut felt = felt.borrow_mut();
            if !matches!(end, End::Failed) {
                let took_ns = u64::try_from(meant.elapsed().as_nanos()).unwrap_or(u64::MAX);
                felt.latency_ns.saturating_record(took_ns);
            }
            match end {
                End::Taken => felt.taken += 1,
                End::Capacity => felt.capacity += 1,
                End::Refused => felt.refused += 1,
                End::Failed => felt.failed += 1,
            }
        }
    }

    /// One order to its end, as often as it is told to come again.
    async fn buy(&self, connection: &mut Option<Connection>, felt: &RefCell<Felt>) -> End {
        let name = format!("honest-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let request = shop::order(self.token, GOODS, &name);
        for _ in 0..ATTEMPTS_MAX {
            let was_kept = connection.is_some();
            let answer = match self.exchange(connection, &request).await {
                // The server may have ended it as idle in the moment of the sending.
                None if was_kept => self.exchange(connection, &request).await,
                answer => answer,
            };
            let Some((status, body)) = answer else { return End::Failed };
            if status == 201 {
                return End::Taken;
            }
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            if problem["code"] == "capacity" {
                return End::Capacity;
            }
            let pause = problem["retry_after_ms"].as_u64().map(Duration::from_millis);
            let Some(pause) = pause.filter(|pause| *pause <= PAUSE_MAX) else {
                return End::Refused;
            };
            felt.borrow_mut().repeated += 1;
            tokio::time::sleep(pause).await;
        }
        End::Refused
    }

    /// An answer, if one comes; without one the connection is of no use any more.
    async fn exchange(
        &self,
        kept: &mut Option<Connection>,
        request: &[u8],
    ) -> Option<(u16, Vec<u8>)> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let opening = Connection::open(&self.origin, self.address);
                tokio::time::timeout(WITHIN, opening).await.ok()?.ok()?
            }
        };
        let seen = connection.ask(request, WITHIN).await.ok()?;
        let (answer, closes) = ((seen.status, seen.body.to_vec()), seen.closes);
        if !closes {
            *kept = Some(connection);
        }
        Some(answer)
    }
}

/// Puts what the honest client orders on sale.
pub(super) fn put_goods(shop: &Shop) -> Result<(), BenchError> {
    shop.put_sku(GOODS, load::STOCK)
}

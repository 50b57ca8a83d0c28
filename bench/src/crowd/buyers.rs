//! Buyers that come at their times, whether the answers before came or not.
//!
//! Owns the latency from the intended start of each order to its answer, of all and by the second.

use super::event_loop::on_event_loop;
use crate::error::{BenchError, io_error};
use crate::load::{self, now};
use crate::protocol::{Order, Protocol, Verdict};
use hdrhistogram::Histogram;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A minute; what takes longer counts as this.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What they buy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Orders {
    /// Orders a second.
    pub(super) rate: u32,
    /// Connections, which take turns.
    pub(super) connections: u32,
    /// Tells the users and keys of this from those before.
    pub(super) run: u64,
}

/// The latencies, in nanoseconds.
#[derive(Clone)]
pub(super) struct Felt {
    pub(super) all: Histogram<u64>,
    /// Of those who should have been served in each second.
    pub(super) seconds: Vec<Histogram<u64>>,
}

impl Felt {
    fn new(lasts: Duration) -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3);
        let all = histogram.expect("the bounds are in order");
        let seconds = usize::try_from(lasts.as_secs()).unwrap_or(0).max(1);
        Self { seconds: vec![all.clone(); seconds], all }
    }

    /// Takes in what was felt at another time.
    pub(super) fn add(&mut self, other: Self) {
        self.all.add(&other.all).expect("all are of one kind");
        self.seconds.extend(other.seconds);
    }

    fn record(&mut self, at: Duration, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.all.saturating_record(took_ns);
        let second = usize::try_from(at.as_secs()).ok().and_then(|at| self.seconds.get_mut(at));
        if let Some(second) = second {
            second.saturating_record(took_ns);
        }
    }
}

/// Buys for so long.
pub(super) fn buy(
    address: SocketAddr,
    orders: Orders,
    lasts: Duration,
) -> Result<Felt, BenchError> {
    on_event_loop(async move {
        let felt = Rc::new(RefCell::new(Felt::new(lasts)));
        let begun = now() + Duration::from_millis(100);
        let tasks: Vec<_> = (0..orders.connections)
            .map(|number| {
                let buyer = Buyer { address, orders, number, begun, lasts, felt: felt.clone() };
                tokio::task::spawn_local(buyer.shop())
            })
            .collect();
        for task in tasks {
            task.await.expect("a buyer's task does not panic")?;
        }
        Ok(felt.borrow().clone())
    })
}

struct Buyer {
    address: SocketAddr,
    orders: Orders,
    number: u32,
    begun: Instant,
    lasts: Duration,
    felt: Rc<RefCell<Felt>>,
}

impl Buyer {
    /// When an order is to be sent, from the beginning on.
    fn intended(&self, serial: u64) -> Duration {
        Duration::from_secs_f64(serial as f64 / f64::from(self.orders.rate))
    }

    /// One order after another; one that is late begins at once and counts from when it should
    /// have.
    async fn shop(self) -> Result<(), BenchError> {
        let Orders { connections, run, .. } = self.orders;
        let mut serial = u64::from(self.number);
        // With its first order: a connection that says nothing has the time of a head.
        tokio::time::sleep_until((self.begun + self.intended(serial)).into()).await;
        let mut socket = TcpStream::connect(self.address).await.map_err(io_error("connect"))?;
        socket.set_nodelay(true).map_err(io_error("set TCP_NODELAY"))?;
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        loop {
            let at = self.intended(serial);
            if at >= self.lasts {
                return Ok(());
            }
            let intended = self.begun + at;
            tokio::time::sleep_until(intended.into()).await;
            let (user, key) = (format!("u{run}-{serial}"), format!("k{run}-{serial}"));
            let order = Order { sku: load::SKU, user: &user, key: &key };
            Protocol::Http.order(&mut request, &order);
            socket.write_all(&request).await.map_err(io_error("send an order"))?;
            answer.clear();
            while !Protocol::Http.whole(&answer) {
                let read = socket.read_buf(&mut answer).await;
                if read.map_err(io_error("read an answer"))? == 0 {
                    return Err(load::unexpected(&answer));
                }
            }
            if !matches!(Protocol::Http.verdict(&answer), Verdict::Accepted(_)) {
                return Err(load::unexpected(&answer));
            }
            self.felt.borrow_mut().record(at, now() - intended);
            serial += u64::from(connections);
        }
    }
}

//! A sale that more people come to than can be served: what those get who are served, and how soon
//! the others are told.
//!
//! Finds the capacity by a closed loop, offers one, two, five and ten times as much in an open loop,
//! then seven tenths with clients that come back as they are told, and watches how long it takes
//! until they wait no longer than before. A tenth of the winners confirm over connections of their
//! own. Latency counts from the intended start, so what waits for a free connection is in it. Client
//! and server share the machine. Next: `load`.

use crate::dialect::{Dialect, Order};
use crate::error::BenchError;
use crate::load::{self, Connection, Expected, Load, SKU, now, unexpected};
use crate::peers::{self, start};
use crate::server::Server;
use crate::strangers::order_id;
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Who waited so long without getting through has gone elsewhere.
const PATIENCE_NS: u64 = 1_000_000_000;
/// Connections that confirm.
const CONFIRMERS: u64 = 8;
/// Of the winners, one in so many confirms.
const CONFIRMS_ONE_IN: u64 = 10;
/// A client that was turned away so often stays away.
const ATTEMPTS_MAX: u32 = 5;
/// The return to what was before is looked for in windows of this length.
const WINDOW_NS: u64 = 250_000_000;

/// What to offer, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Connections of those who order
    #[arg(long, default_value_t = 1_000)]
    connections: u64,
    /// How many times the capacity is offered, step after step
    #[arg(long, value_delimiter = ',', default_value = "1,2,5,10")]
    factors: Vec<u64>,
    /// Seconds of a step
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The server's binary [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where its data goes; on the disk that is to be measured [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Somebody who comes to order.
#[derive(Clone, Copy)]
struct Buyer {
    intended_ns: u64,
    attempts: u32,
}

/// What became of a step.
struct Step {
    offered: u64,
    gave_up: u64,
    accepted: u64,
    shed: u64,
    /// From the intended start to the 201.
    admitted_ns: Histogram<u64>,
    /// From sending to the 201: the server's part of that.
    served_ns: Histogram<u64>,
    /// From sending to the refusal.
    refused_ns: Histogram<u64>,
    confirmed_ns: Histogram<u64>,
    confirms: u64,
    /// Waits of the admitted by the window they came in.
    windows: Vec<Histogram<u64>>,
}

struct Crowd {
    begun: Instant,
    run: u64,
    number: Cell<u64>,
    comes_back: bool,
    queue: RefCell<VecDeque<Buyer>>,
    waiting: Semaphore,
    winners: RefCell<VecDeque<String>>,
    confirming: Semaphore,
    returning: RefCell<BinaryHeap<Reverse<(u64, u32)>>>,
    step: RefCell<Step>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

impl Step {
    fn new() -> Self {
        Self {
            offered: 0,
            gave_up: 0,
            accepted: 0,
            shed: 0,
            admitted_ns: histogram(),
            served_ns: histogram(),
            refused_ns: histogram(),
            confirmed_ns: histogram(),
            confirms: 0,
            windows: Vec::new(),
        }
    }

    fn admit(&mut self, intended_ns: u64, wait_ns: u64) {
        self.accepted += 1;
        self.admitted_ns.saturating_record(wait_ns);
        let window = usize::try_from(intended_ns / WINDOW_NS).unwrap_or(usize::MAX);
        while self.windows.len() <= window {
            self.windows.push(histogram());
        }
        self.windows[window].saturating_record(wait_ns);
    }
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.data.as_deref())?;
    let server = start::doorbuster(options.server.as_deref(), "group", folder.path())?;
    let closed = Load {
        lasts_max: Duration::from_secs(3),
        expected: Expected::Accepted,
        ..Load::orders(64, u64::MAX, 0)
    };
    let (found, _) = load::measure(server.address, &Dialect::Http, &closed, || Ok(0))?;
    let capacity = found.requests as f64 / found.took.as_secs_f64();
    println!("capacity, 64 connections in a closed loop: {capacity:.0} orders/s");
    println!(
        "{:>6} {:>9} {:>9} {:>7} {:>9} {:>9} {:>9} {:>8} {:>11} {:>9} {:>10} {:>7}",
        "times",
        "offered/s",
        "served/s",
        "of peak",
        "p50 ms",
        "p99 ms",
        "sent p99",
        "shed/s",
        "shed p99 ms",
        "gave up/s",
        "confirmed",
        "MiB"
    );
    let mut runs = 1..;
    let mut offer = |factor: f64, seconds: u64, comes_back: bool| {
        let run = runs.next().unwrap_or(u64::MAX);
        let rate = (capacity * factor).max(1.0) as u64;
        drive(server.address, options.connections, rate, seconds, run, comes_back)
    };
    let before = offer(0.7, 3, true)?;
    show("0.7", &before, 3, capacity, &server)?;
    let mut peak = 0.0_f64;
    for &factor in &options.factors {
        let step = offer(factor as f64, options.seconds, false)?;
        peak = peak.max(step.accepted as f64 / options.seconds as f64);
        show(&factor.to_string(), &step, options.seconds, peak, &server)?;
    }
    let after = offer(0.7, 10, true)?;
    show("0.7", &after, 10, capacity, &server)?;
    let usual_ns = before.admitted_ns.value_at_quantile(0.99);
    let usual = |window: &Histogram<u64>| window.value_at_quantile(0.99) <= 2 * usual_ns;
    let back = after.windows.iter().position(usual);
    match back {
        Some(window) => println!(
            "back within twice the p99 of before ({:.2} ms) after {} ms",
            usual_ns as f64 / 1e6,
            (window as u64 + 1) * WINDOW_NS / 1_000_000
        ),
        None => println!("not back within twice the p99 of before in 10 s"),
    }
    Ok(())
}

fn show(
    times: &str,
    step: &Step,
    seconds: u64,
    peak: f64,
    server: &Server,
) -> Result<(), BenchError> {
    let second = |count: u64| count as f64 / seconds as f64;
    let ms = |of: &Histogram<u64>, at: f64| of.value_at_quantile(at) as f64 / 1e6;
    let confirmed = match step.confirms {
        0 => "-".to_owned(),
        all => format!("{:.2} %", 100.0 * step.confirmed_ns.len() as f64 / all as f64),
    };
    println!(
        "{times:>6} {:>9.0} {:>9.0} {:>6.0}% {:>9.2} {:>9.2} {:>9.2} {:>8.0} {:>11.2} {:>9.0} {confirmed:>10} \
         {:>7}",
        second(step.offered),
        second(step.accepted),
        100.0 * second(step.accepted) / peak,
        ms(&step.admitted_ns, 0.5),
        ms(&step.admitted_ns, 0.99),
        ms(&step.served_ns, 0.99),
        second(step.shed),
        ms(&step.refused_ns, 0.99),
        second(step.gave_up),
        server.resident_bytes()? / (1 << 20),
    );
    Ok(())
}

/// Offers so many orders a second, whatever becomes of them.
fn drive(
    address: SocketAddr,
    connections: u64,
    rate: u64,
    seconds: u64,
    run: u64,
    comes_back: bool,
) -> Result<Step, BenchError> {
    load::with_event_loop(Duration::from_secs(seconds), async {
        let mut sockets = Vec::new();
        for _ in 0..connections + CONFIRMERS {
            sockets.push(Connection::open(address, &Dialect::Http).await?);
        }
        let confirmers = sockets.split_off(usize::try_from(connections).unwrap_or(usize::MAX));
        let crowd = Rc::new(Crowd {
            begun: now(),
            run,
            number: Cell::new(0),
            comes_back,
            queue: RefCell::default(),
            waiting: Semaphore::new(0),
            winners: RefCell::default(),
            confirming: Semaphore::new(0),
            returning: RefCell::default(),
            step: RefCell::new(Step::new()),
        });
        let buyers =
            sockets.into_iter().map(|socket| tokio::task::spawn_local(buy(crowd.clone(), socket)));
        let buyers: Vec<_> = buyers.collect();
        let confirmers = confirmers
            .into_iter()
            .map(|socket| tokio::task::spawn_local(confirm(crowd.clone(), socket)));
        let confirmers: Vec<_> = confirmers.collect();
        crowd.come(rate, seconds).await;
        crowd.waiting.close();
        for buyer in buyers {
            buyer.await.expect("a connection's task does not panic")?;
        }
        crowd.confirming.close();
        for confirmer in confirmers {
            confirmer.await.expect("a connection's task does not panic")?;
        }
        let crowd = Rc::into_inner(crowd).expect("all tasks are gone");
        Ok(crowd.step.into_inner())
    })
}

impl Crowd {
    fn now_ns(&self) -> u64 {
        u64::try_from(now().saturating_duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Lets buyers come when they are due, a millisecond's at once.
    async fn come(&self, rate: u64, seconds: u64) {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        let all = rate * seconds;
        let mut offered = 0;
        loop {
            ticks.tick().await;
            let now_ns = self.now_ns();
            let due = (u128::from(now_ns) * u128::from(rate) / 1_000_000_000).min(u128::from(all));
            let due = due as u64;
            let mut queue = self.queue.borrow_mut();
            let fresh = offered..due;
            let intended =
                |number: u64| (u128::from(number) * 1_000_000_000 / u128::from(rate)) as u64;
            queue.extend(fresh.map(|number| Buyer { intended_ns: intended(number), attempts: 0 }));
            let mut stirred = due - offered;
            self.step.borrow_mut().offered += stirred;
            offered = due;
            let mut returning = self.returning.borrow_mut();
            while let Some(Reverse((at_ns, attempts))) = returning.peek().copied()
                && at_ns <= now_ns
            {
                returning.pop();
                queue.push_back(Buyer { intended_ns: at_ns, attempts });
                stirred += 1;
            }
            // Those who have waited too long go before anybody has to find that out.
            while queue.front().is_some_and(|buyer| buyer.intended_ns + PATIENCE_NS < now_ns) {
                queue.pop_front();
                self.step.borrow_mut().gave_up += 1;
            }
            drop((queue, returning));
            self.waiting.add_permits(usize::try_from(stirred).unwrap_or(0));
            if offered == all {
                return;
            }
        }
    }

    fn turned_away(&self, buyer: Buyer, answer: &[u8]) {
        if !self.comes_back || buyer.attempts + 1 >= ATTEMPTS_MAX {
            return;
        }
        let text = String::from_utf8_lossy(answer);
        let pause_ms = text.split_once("\"retry_after_ms\":").and_then(|(_, rest)| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse::<u64>().ok()
        });
        let at_ns = self.now_ns() + pause_ms.unwrap_or(1_000) * 1_000_000;
        self.returning.borrow_mut().push(Reverse((at_ns, buyer.attempts + 1)));
    }
}

async fn buy(crowd: Rc<Crowd>, mut socket: Connection) -> Result<(), BenchError> {
    loop {
        match crowd.waiting.acquire().await {
            Ok(permit) => permit.forget(),
            // Nobody new comes; those who are there are still served.
            Err(_) if crowd.queue.borrow().is_empty() => return Ok(()),
            Err(_) => {}
        }
        let Some(buyer) = crowd.queue.borrow_mut().pop_front() else { continue };
        let sent_ns = crowd.now_ns();
        if buyer.intended_ns + PATIENCE_NS < sent_ns {
            crowd.step.borrow_mut().gave_up += 1;
            continue;
        }
        let number = crowd.number.get();
        crowd.number.set(number + 1);
        let (user, key) = (format!("o{}-{number}", crowd.run), format!("o{}-{number}", crowd.run));
        let order = Order { sku: SKU, user: &user, key: &key };
        Dialect::Http.order(&mut socket.request, &order);
        socket.ask().await?;
        let now_ns = crowd.now_ns();
        let answer = socket.answer.as_slice();
        if answer.starts_with(b"HTTP/1.1 201 ") {
            let mut step = crowd.step.borrow_mut();
            step.admit(buyer.intended_ns, now_ns - buyer.intended_ns);
            step.served_ns.saturating_record(now_ns - sent_ns);
            drop(step);
            if number.is_multiple_of(CONFIRMS_ONE_IN) {
                crowd.winners.borrow_mut().push_back(order_id(answer)?);
                crowd.confirming.add_permits(1);
            }
        } else if answer.starts_with(b"HTTP/1.1 503 ") || answer.starts_with(b"HTTP/1.1 429 ") {
            let mut step = crowd.step.borrow_mut();
            step.shed += 1;
            step.refused_ns.saturating_record(now_ns - sent_ns);
            drop(step);
            crowd.turned_away(buyer, answer);
        } else {
            return Err(unexpected(answer));
        }
    }
}

async fn confirm(crowd: Rc<Crowd>, mut socket: Connection) -> Result<(), BenchError> {
    loop {
        match crowd.confirming.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) if crowd.winners.borrow().is_empty() => return Ok(()),
            Err(_) => {}
        }
        let Some(id) = crowd.winners.borrow_mut().pop_front() else { continue };
        socket.request = format!(
            "POST /v1/orders/{id}/confirm HTTP/1.1\r\nhost: bench\r\ncontent-length: 0\r\n\r\n"
        )
        .into_bytes();
        let sent_ns = crowd.now_ns();
        socket.ask().await?;
        let mut step = crowd.step.borrow_mut();
        step.confirms += 1;
        if socket.answer.starts_with(b"HTTP/1.1 200 ") {
            step.confirmed_ns.saturating_record(crowd.now_ns() - sent_ns);
        }
    }
}

//! After a run: is what was answered what the server holds?
//!
//! Owns the comparison. Orders whose answer was lost are asked for by their key first, so that the
//! set of orders is known exactly; then SKUs are read, then every order. A hold that runs out in
//! between is told by its sequence. Nobody else may use the run's SKUs. Next: `ledger`.

use super::drive::Settings;
use super::ledger::{Bought, EXAMPLES_MAX, Fate, Ledger};
use super::scenario::{Plan, What};
use super::wire::Heads;
use crate::error::BenchError;
use crate::report::summary::{Check, Compared};
use doorbuster::client::{Client, Key, Order, OrderStatus, Sku};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Counts what is compared, and keeps what differs.
#[derive(Debug, Default)]
struct Judge {
    compared: Vec<Compared>,
    examples: Vec<String>,
}

impl Judge {
    /// One comparison; `difference` says what is wrong, if something is.
    fn compare(&mut self, what: &str, difference: Option<String>) {
        let at = self.compared.iter().position(|own| own.what == what);
        let at = at.unwrap_or_else(|| {
            let what = what.to_owned();
            self.compared.push(Compared { what, count: 0, differences: 0 });
            self.compared.len() - 1
        });
        self.compared[at].count += 1;
        if let Some(difference) = difference {
            self.compared[at].differences += 1;
            if self.examples.len() < EXAMPLES_MAX {
                self.examples.push(difference);
            }
        }
    }

    fn check(self) -> Check {
        let differences = self.compared.iter().map(|own| own.differences).sum();
        let Self { compared, examples } = self;
        Check { not_made: None, compared, differences, examples }
    }
}

pub(crate) async fn check(
    settings: &Settings,
    plan: Rc<Plan>,
    heads: Heads,
    client: &Client,
    mut ledger: Ledger,
) -> Result<Check, BenchError> {
    let mut judge = Judge::default();
    judge.compare("answers that contradict each other: none", None);
    if let Some(none) = judge.compared.first_mut() {
        none.differences = ledger.contradictions_total;
    }
    judge.examples.append(&mut ledger.contradictions);
    find_unknown(client, &plan, &mut ledger, &mut judge).await?;
    let skus = read_skus(client, &plan).await?;
    let orders = read_orders(settings, plan.clone(), heads, &ledger).await?;
    let mut ids = BTreeSet::new();
    for (number, bought) in &ledger.bought {
        let twice = !ids.insert(&*bought.id);
        let difference = twice.then(|| format!("{} was promised to two keys", bought.id));
        judge.compare("orders are promised once", difference);
        let order = orders.get(number).and_then(Option::as_ref);
        let difference = differs(&plan, *number, bought, order);
        judge.compare("orders that were promised are there, as promised", difference);
    }
    count_units(&plan, &skus, &orders, &mut judge);
    count_users(&plan, &orders, &mut judge);
    Ok(judge.check())
}

/// Asks what became of orders whose answer was lost.
async fn find_unknown(
    client: &Client,
    plan: &Plan,
    ledger: &mut Ledger,
    judge: &mut Judge,
) -> Result<(), BenchError> {
    for number in std::mem::take(&mut ledger.unknown) {
        let key = Key::new(plan.key(plan.order(number).key))?;
        let remembered = client.remembered(&key).await?;
        let known = ledger.bought.get(&number);
        let difference = match (known, remembered) {
            (None, None) => None,
            (Some(own), None) => Some(format!("{} was promised and its key forgotten", own.id)),
            (known, Some(remembered)) => match (known, remembered.order()) {
                (_, None) => Some(format!("{key} made something that is no order")),
                (Some(own), Some(order)) => (*own.id != *order.id)
                    .then(|| format!("{key} made {} and {}", own.id, order.id)),
                (None, Some(order)) => {
                    let id = order.id.into();
                    let created_at = order.created_at.into();
                    let found = Bought { id, created_at, fate: Fate::Held };
                    ledger.bought.insert(number, found);
                    None
                }
            },
        };
        judge
            .compare("lost answers are remembered under their keys, or never happened", difference);
    }
    Ok(())
}

async fn read_skus(client: &Client, plan: &Plan) -> Result<Vec<Sku>, BenchError> {
    let mut skus = Vec::new();
    for sku in 0..plan.skus() {
        skus.push(client.sku(&plan.sku(sku)).await?.body);
    }
    Ok(skus)
}

type Orders = BTreeMap<u64, Option<Order>>;

/// Every order that was promised, as it is now; none if it is not there.
async fn read_orders(
    settings: &Settings,
    plan: Rc<Plan>,
    heads: Heads,
    ledger: &Ledger,
) -> Result<Orders, BenchError> {
    let numbers: Vec<u64> = ledger.bought.keys().copied().collect();
    let shared = (Cell::new(0), RefCell::new(Orders::new()));
    let read = || async {
        let (next, orders) = &shared;
        let mut connection = settings
            .targets
            .connection()
            .await
            .map_err(crate::error::io_error("connect to the server"))?;
        let mut request = Vec::new();
        loop {
            let at = next.get();
            let Some(number) = numbers.get(at).copied() else { return Ok(()) };
            next.set(at + 1);
            let what = What::ReadOrder { number };
            let id = ledger.id(what);
            heads.render(&mut request, &plan, what, id);
            let seen = connection.ask(&request, settings.timeout).await;
            let seen = seen.map_err(|_| no_answer(id, "nothing"))?;
            let order = match seen.status {
                200 => Some(
                    serde_json::from_slice(seen.body)
                        .map_err(|cause| no_answer(id, &format!("what is no order: {cause}")))?,
                ),
                404 => None,
                status => return Err(no_answer(id, &format!("status {status}"))),
            };
            let closes = seen.closes;
            orders.borrow_mut().insert(number, order);
            if closes {
                return Err(no_answer(id, "the end of the connection"));
            }
        }
    };
    let readers = (0..settings.connections.min(64)).map(|_| read());
    join_all(readers.collect()).await?;
    Ok(shared.1.into_inner())
}

fn no_answer(id: &str, answer: &str) -> BenchError {
    let server = format!("the server, asked for the order {id},");
    BenchError::Answer { server, answer: answer.to_owned() }
}

/// Runs all at once on this thread; the first error ends it.
async fn join_all<F: Future<Output = Result<(), BenchError>>>(
    futures: Vec<F>,
) -> Result<(), BenchError> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(move |context| {
        let mut ended = Ok(());
        running.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(result) => {
                if result.is_err() {
                    ended = result;
                }
                false
            }
        });
        match ended {
            Ok(()) if !running.is_empty() => std::task::Poll::Pending,
            ended => std::task::Poll::Ready(ended),
        }
    })
    .await
}

/// What is wrong with an order, against what was promised.
fn differs(plan: &Plan, number: u64, bought: &Bought, order: Option<&Order>) -> Option<String> {
    let id = &bought.id;
    let Some(order) = order else { return Some(format!("{id} was promised and is not there")) };
    let asked = plan.order(number);
    let user = plan.user(asked.user);
    let skus: Vec<String> = asked.skus.iter().map(|sku| plan.sku(*sku)).collect();
    let lines = order.lines.len() == skus.len()
        && order
            .lines
            .iter()
            .zip(&skus)
            .all(|(line, sku)| line.sku == *sku && (line.qty, line.refunded_qty) == (1, 0));
    let held = order.status == OrderStatus::Held;
    let allowed: &[OrderStatus] = match bought.fate {
        Fate::Held => &[OrderStatus::Held, OrderStatus::Expired],
        Fate::Confirmed => &[OrderStatus::Confirmed],
        Fate::Cancelled => &[OrderStatus::Cancelled],
        Fate::Expired => &[OrderStatus::Expired],
        Fate::Uncertain => &[
            OrderStatus::Held,
            OrderStatus::Expired,
            OrderStatus::Confirmed,
            OrderStatus::Cancelled,
        ],
    };
    let same = *order.id == **id
        && order.user == user
        && lines
        && order.reference.is_none()
        && *order.created_at == *bought.created_at
        && order.expires_at.is_some() == held
        && allowed.contains(&order.status);
    (!same).then(|| {
        format!(
            "{id} was promised to {user} with {skus:?} at {}, then {:?}; there is {order:?}",
            bought.created_at, bought.fate
        )
    })
}

/// Where an order stood at a sequence: nothing is sent any more, so only its hold can have run out.
fn status_at(order: &Order, seq: u64) -> OrderStatus {
    if order.changed_seq > seq { OrderStatus::Held } else { order.status }
}

fn count_units(plan: &Plan, skus: &[Sku], orders: &Orders, judge: &mut Judge) {
    let mut counted = vec![(0_u64, 0_u64); skus.len()];
    for (number, order) in orders {
        let Some(order) = order else { continue };
        for sku in plan.order(*number).skus {
            let at = usize::try_from(sku).expect("a SKU's number fits");
            match status_at(order, skus[at].seq) {
                OrderStatus::Held => counted[at].0 += 1,
                OrderStatus::Confirmed => counted[at].1 += 1,
                _ => {}
            }
        }
    }
    for (sku, (held, sold)) in skus.iter().zip(counted) {
        let sums = sku.available + sku.held + sku.sold == sku.total && sku.total == plan.stock;
        let difference = || format!("available + held + sold is not {}: {sku:?}", plan.stock);
        judge.compare("available + held + sold is the stock", (!sums).then(difference));
        let same = (sku.held, sku.sold) == (held, sold);
        let difference = || {
            format!(
                "{}: the orders hold {held} and sold {sold}, the SKU says {} and {}",
                sku.sku, sku.held, sku.sold
            )
        };
        judge.compare("units held and sold are those of the orders", (!same).then(difference));
        let oversold = held + sold > plan.stock;
        let difference =
            || format!("{}: {} units of {} are promised", sku.sku, held + sold, plan.stock);
        judge.compare("no more winners than stock", oversold.then(difference));
    }
}

fn count_users(plan: &Plan, orders: &Orders, judge: &mut Judge) {
    let limit = plan.per_user_limit();
    if limit == 0 {
        return;
    }
    let mut units: BTreeMap<&str, u64> = BTreeMap::new();
    for order in orders.values().flatten() {
        let counts = matches!(order.status, OrderStatus::Held | OrderStatus::Confirmed);
        *units.entry(&order.user).or_default() += u64::from(counts);
    }
    for (user, units) in units {
        let difference = (units > limit).then(|| format!("{user} has {units}, {limit} allowed"));
        judge.compare("no user has more than the limit", difference);
    }
}

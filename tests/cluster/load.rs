//! Clients that buy from whoever writes, and remember what they were answered.
//!
//! Owns that a request whose answer did not come is asked again with its key, at the next node.
//! Judges what was answered once the load is over. Next: `main`.

use crate::nodes::Nodes;
use doorbuster_test_support::client::{self, Answer, Ask, Client};
use doorbuster_test_support::wait;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Clients at a time.
const CLIENTS: usize = 6;
/// Of a client; a machine that stands still closes no connection.
const PATIENCE: Duration = Duration::from_secs(1);
const SKU: &str = "shoe";
const STOCK: u64 = 1_000_000;

/// Puts on sale what the load buys.
pub(crate) fn open_sale(nodes: &Nodes) {
    let mut client = nodes.client(nodes.writer()).expect("it takes a connection");
    client.put_sku(SKU, &json!({"stock": STOCK, "per_user_limit": 0}));
}

/// An order that was answered with 201, and the answer.
pub(crate) struct Bought {
    ask: Ask,
    answer: Answer,
}

/// What goes on during a load.
pub(crate) struct Load<'l> {
    stop: &'l AtomicBool,
    bought: &'l AtomicU64,
}

impl Load<'_> {
    /// Waits for so many further orders.
    pub(crate) fn sells(&self, orders: u64) {
        let wanted = self.bought.load(Ordering::Acquire) + orders;
        wait::until("the sale goes on", || {
            (self.bought.load(Ordering::Acquire) >= wanted).then_some(())
        });
    }
}

/// Buys from many clients while `meanwhile` does what it likes to the nodes. Gives all that was
/// bought: what had no answer is asked again until it has one.
pub(crate) fn during<T>(
    nodes: &mut Nodes,
    label: &str,
    meanwhile: impl FnOnce(&mut Nodes, &Load<'_>) -> T,
) -> (T, Vec<Bought>) {
    let (stop, bought) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = Load { stop: &stop, bought: &bought };
    let addresses: Vec<_> = (0..nodes.count()).map(|node| nodes.address(node)).collect();
    thread::scope(|scope| {
        let buyers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let buyer = Buyer { name: format!("{label}-{number}"), addresses: &addresses };
                let load = &load;
                scope.spawn(move || buyer.buy(load))
            })
            .collect();
        let ends = StopsAtEnd(&stop);
        let done = meanwhile(nodes, &load);
        drop(ends);
        let bought = buyers.into_iter().flat_map(|buyer| buyer.join().expect("a client ends"));
        (done, bought.collect())
    })
}

/// Also where the test fails: the clients must not keep it.
struct StopsAtEnd<'s>(&'s AtomicBool);

impl Drop for StopsAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A client that goes elsewhere when it was not answered for this long.
fn connect(address: SocketAddr) -> Option<Client> {
    let socket = client::socket(address).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).expect("it takes a time");
    Some(Client::over(socket))
}

struct Buyer<'a> {
    name: String,
    addresses: &'a [SocketAddr],
}

impl Buyer<'_> {
    fn buy(&self, load: &Load<'_>) -> Vec<Bought> {
        let (mut all, mut at, mut client) = (Vec::new(), 0, None);
        while !load.stop.load(Ordering::Acquire) {
            let key = format!("{}-{}", self.name, all.len());
            let ask = Ask::order(&key, &key, SKU, 1);
            let answer = wait::until("an order is answered", || {
                let answer = self.ask(&mut at, &mut client, &ask);
                // Where the test has failed, nobody may be there any more.
                if thread::panicking() { None } else { answer }
            });
            load.bought.fetch_add(1, Ordering::AcqRel);
            all.push(Bought { ask, answer });
        }
        all
    }

    /// The answer, if it is one; otherwise the next node is asked next time.
    fn ask(&self, at: &mut usize, client: &mut Option<Client>, ask: &Ask) -> Option<Answer> {
        let sent = match client {
            Some(client) => client.send(ask).ok(),
            None => connect(self.addresses[*at])
                .and_then(|connected| client.insert(connected).send(ask).ok()),
        };
        match sent {
            Some(answer) if answer.status == 201 => Some(answer),
            other => {
                // Nobody refuses an order here but with a no to come again or to go elsewhere.
                assert!(other.as_ref().is_none_or(|answer| answer.status == 503), "{other:?}");
                *client = None;
                *at = (*at + 1) % self.addresses.len();
                None
            }
        }
    }
}

/// Every order is there once, and a request with its key gets its first answer.
pub(crate) fn check(nodes: &Nodes, all: &[Bought]) {
    let mut client = nodes.client(nodes.writer()).expect("it takes a connection");
    let mut ids = std::collections::BTreeSet::new();
    for Bought { ask, answer } in all {
        let order = answer.json();
        let id = order["id"].as_str().expect("an order has an id").to_owned();
        let held = client.get(&format!("/v1/orders/{id}"));
        assert_eq!((&held["id"], &held["user"]), (&order["id"], &order["user"]));
        assert!(ids.insert(id), "two requests were given one order: {order}");
        let again = client.ask(ask);
        assert!(again.is_replayed(), "{again:?}");
        assert_eq!((again.status, &again.body), (answer.status, &answer.body));
    }
    let sku = client.get(&format!("/v1/skus/{SKU}"));
    let number = |name: &str| sku[name].as_u64().expect("a number");
    assert_eq!(number("held") + number("sold"), ids.len() as u64, "{sku}");
    assert_eq!(number("available") + ids.len() as u64, STOCK, "{sku}");
}

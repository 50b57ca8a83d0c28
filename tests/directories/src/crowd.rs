//! Many clients at once, over all lives of one server.
//!
//! Owns how long they ask, a seeded number of answers, so that no clock decides it, and that all
//! of what they were answered is looked up afterwards. What one of them asks is in `shopper`, what
//! must hold in `ledger`. Next: `tests/server/restart/crash.rs`.

use crate::history::History;
use crate::ledger::{audit, check_journal, check_remembered};
use crate::shopper::{Accepted, Shopper, catalogue};
use doorbuster::codec;
use doorbuster_test_support::client::Client;
use doorbuster_test_support::process::{Exit, Launch, Server, Stopped};
use doorbuster_test_support::random::Random;
use doorbuster_test_support::target::Target;
use doorbuster_test_support::wait::TIMEOUT;
use serde_json::json;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

const SHOPPERS: usize = 32;
/// Answers of earlier cycles that are asked for again after each start.
const SAMPLE: usize = 40;
/// Small, so that many kills meet the change from one segment to the next.
const SEGMENT_BYTES: &str = "262144";

/// Many clients and what they were told, over all lives of one server.
pub struct Crowd {
    random: Random,
    shoppers: Vec<Shopper>,
}

impl Crowd {
    /// So many shoppers, each with chance of its own.
    pub fn new(random: Random) -> Self {
        let mut random = random;
        let shoppers =
            (0..SHOPPERS).map(|number| Shopper::new(number, random.fork(number as u64))).collect();
        Self { random, shoppers }
    }

    /// A server for a crowd: small segments, large tables.
    pub fn launch(target: Target, data: &Path) -> Launch {
        target
            .launch(data)
            .small()
            // However many they ask while a snapshot is taken.
            .variable("CAPS_KEYS", "2000000")
            .variable("CAPS_ORDERS", "2000000")
            .variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES)
            .variable("RECOVERY_GRACE_MS", "200")
    }

    /// Everybody asks until so many answers came; then `end` ends the server.
    pub fn rush(&mut self, server: Server, end: impl FnOnce(Server) -> Exit) -> Exit {
        let answers = 1 + self.random.below(1500);
        let address = server.address;
        let (sender, answered) = mpsc::channel();
        thread::scope(|scope| {
            for shopper in &mut self.shoppers {
                let sender = sender.clone();
                scope.spawn(move || shopper.shop(address, &sender));
            }
            drop(sender);
            for _ in 0..answers {
                answered.recv_timeout(TIMEOUT).expect("the server goes on answering");
            }
            end(server)
        })
    }

    fn accepted(&self) -> Vec<&Accepted> {
        self.shoppers.iter().flat_map(|shopper| &shopper.accepted).collect()
    }

    /// After a start: some of what was answered is there.
    pub fn check_sample(&mut self, server: &Server) {
        let client = &mut server.connect();
        for number in 0..SAMPLE {
            let shopper = self.random.place(self.shoppers.len());
            let accepted = &self.shoppers[shopper].accepted;
            if !accepted.is_empty() {
                // The newest were the nearest to the kill.
                let newest = accepted.len().min(if number % 2 == 0 { 3 } else { usize::MAX });
                let index = accepted.len() - 1 - self.random.place(newest);
                check_remembered(client, &accepted[index], number % 4 < 2);
            }
        }
    }

    /// At the end: the server shows all of what was answered, and nothing else.
    pub fn check_books(&mut self, client: &mut Client) {
        self.shoppers.iter_mut().for_each(|shopper| shopper.settle(client));
        let accepted = self.accepted();
        accepted.iter().for_each(|accepted| check_remembered(client, accepted, false));
        audit(client, &accepted);
    }

    /// At the end: so does the journal, which must be whole. Stops the server.
    pub fn check_all(&mut self, server: Server, data: &Path) -> Stopped {
        self.check_books(&mut server.connect());
        let accepted = self.accepted();
        let stopped = server.stop().stopped();
        let history = History::of(data);
        let segments = history.scan.segments.len();
        eprintln!("{} accepted, {} events, {segments} segments", accepted.len(), stopped.sequence);
        check_journal(&history, &accepted);
        assert_eq!(stopped.sequence, history.state.sequence);
        assert_eq!(stopped.digest, codec::digest(&history.state).to_string());
        stopped
    }
}

/// Puts the whole catalogue on sale.
pub fn open_sale(server: &Server) {
    let client = &mut server.connect();
    for (sku, stock, limit) in catalogue() {
        client.put_sku(&sku, &json!({"stock": stock, "per_user_limit": limit}));
    }
}

//! `kill -9` in the middle of everything, again and again on one directory.
//!
//! Owns when the server dies: after a seeded number of answers, so that no clock decides it. What
//! is asked is in `shopper`, what must hold afterwards in `ledger`.

use crate::history::History;
use crate::ledger::{audit, check_journal, check_remembered};
use crate::noise::Noise;
use crate::patience::PATIENCE;
use crate::process::{Exit, Launch, Server, directory};
use crate::shopper::{Accepted, Shopper, catalogue};
use doorbuster::codec;
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
pub(crate) struct Crowd {
    noise: Noise,
    shoppers: Vec<Shopper>,
}

impl Crowd {
    pub(crate) fn new(noise: Noise) -> Self {
        let mut noise = noise;
        let shoppers = (0..SHOPPERS).map(|number| Shopper::new(number, noise.split())).collect();
        Self { noise, shoppers }
    }

    pub(crate) fn launch(data: &Path) -> Launch {
        Launch::of(data)
            .small()
            .variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES)
            .variable("RECOVERY_GRACE_MS", "200")
    }

    /// Everybody asks until so many answers came; then `end` ends the server.
    pub(crate) fn rush(&mut self, server: Server, end: impl FnOnce(Server) -> Exit) -> Exit {
        let answers = 1 + self.noise.below(1500);
        let address = server.address;
        let (sender, answered) = mpsc::channel();
        thread::scope(|scope| {
            for shopper in &mut self.shoppers {
                let sender = sender.clone();
                scope.spawn(move || shopper.shop(address, &sender));
            }
            drop(sender);
            for _ in 0..answers {
                answered.recv_timeout(PATIENCE).expect("the server goes on answering");
            }
            end(server)
        })
    }

    fn accepted(&self) -> Vec<&Accepted> {
        self.shoppers.iter().flat_map(|shopper| &shopper.accepted).collect()
    }

    /// After a start: some of what was answered is there.
    pub(crate) fn check_sample(&mut self, server: &Server) {
        let client = &mut server.connect();
        for number in 0..SAMPLE {
            let shopper = self.noise.index(self.shoppers.len());
            let accepted = &self.shoppers[shopper].accepted;
            if !accepted.is_empty() {
                // The newest were the nearest to the kill.
                let newest = accepted.len().min(if number % 2 == 0 { 3 } else { usize::MAX });
                let index = accepted.len() - 1 - self.noise.index(newest);
                check_remembered(client, &accepted[index], number % 4 < 2);
            }
        }
    }

    /// At the end: all of what was answered is there, and nothing else.
    pub(crate) fn check_all(&mut self, server: Server, data: &Path) {
        let client = &mut server.connect();
        self.shoppers.iter_mut().for_each(|shopper| shopper.settle(client));
        let accepted = self.accepted();
        accepted.iter().for_each(|accepted| check_remembered(client, accepted, false));
        audit(client, &accepted);
        let stopped = server.stop().stopped();
        let history = History::of(data);
        let segments = history.scan.segments.len();
        eprintln!("{} accepted, {} events, {segments} segments", accepted.len(), stopped.sequence);
        check_journal(&history, &accepted);
        assert_eq!(stopped.sequence, history.state.sequence);
        assert_eq!(stopped.digest, codec::digest(&history.state).to_string());
    }
}

pub(crate) fn open_sale(server: &Server) {
    let client = &mut server.connect();
    for (sku, stock, limit) in catalogue() {
        client.put_sku(&sku, &json!({"stock": stock, "per_user_limit": limit}));
    }
}

fn check_kills(durability: &str, kills: u64) {
    let data = directory();
    let mut crowd = Crowd::new(Noise::announced());
    let start = || Crowd::launch(data.path()).argument("--durability").argument(durability).start();
    let mut server = start();
    open_sale(&server);
    for kill in 1..=kills {
        let exit = crowd.rush(server, Server::kill);
        assert_eq!((exit.code, exit.lines.len()), (None, 0), "{exit:?}");
        server = start();
        assert_eq!(server.connect().get("/v1/status")["epoch"], kill + 1);
        crowd.check_sample(&server);
    }
    crowd.check_all(server, data.path());
}

#[test]
fn fifty_kills_under_load_lose_nothing_that_was_answered_and_sell_nothing_twice() {
    check_kills("group", 50);
}

#[test]
fn a_kill_loses_nothing_where_the_disk_syncs_by_interval() {
    check_kills("interval:20", 10);
}

#[test]
fn a_kill_loses_nothing_where_the_kernel_syncs() {
    check_kills("os", 10);
}

//! A shop on a server that can fail on purpose: usual trade, and then one of each fault.
//!
//! Owns what is bought and what is provoked. Never scrapes. Next: `history`.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The least that the table of SKUs may have, so that it is soon nearly full.
const SKUS_MAX: usize = 1_000;
/// So many are turned away that it is over ten a second of five minutes.
const TURNED_AWAY: usize = 3_600;
/// A disk that takes so long stands still, in milliseconds; longer than an alert lets a sync take.
const STALL_MS: u64 = 400;

/// The shop.
pub(crate) struct Shop {
    pub(crate) server: Server,
    pub(crate) client: Client,
    failpoints: PathBuf,
    number: usize,
    _data: TempDir,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let data = TARGET.directory();
        let failpoints = data.path().join("armed");
        let server = TARGET
            .launch(data.path())
            .small()
            .environment("FAILPOINTS_FILE", failpoints.to_str().expect("a path in UTF-8"))
            .variable("CAPS_SKUS", &SKUS_MAX.to_string())
            .variable("JOURNAL_STALL_MS", &STALL_MS.to_string())
            .start();
        let mut client = server.connect();
        client.put_sku("phone", &json!({"stock": 1_000_000}));
        client.put_sku("ticket", &json!({"stock": 1}));
        client.ask(&Ask::order("first", "first", "ticket", 1)).expect(201);
        client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
        let mut shop = Self { server, client, failpoints, number: 0, _data: data };
        shop.trade();
        // It is shown by the sweep of connections.
        wait::until("the hot SKU", || {
            let page = shop.client.ask(&Ask::get("/metrics")).body;
            let page = String::from_utf8(page).expect("UTF-8");
            page.contains("doorbuster_hot_sku_requests{sku=\"phone\"}").then_some(())
        });
        shop
    }

    fn arm(&self, point: &str) {
        fs::write(&self.failpoints, point).expect("the file is written");
    }

    fn order(&mut self, sku: &str) -> Ask {
        self.number += 1;
        let name = format!("buyer-{}", self.number);
        Ask::order(&name, &name, sku, 1)
    }

    /// What a shop does all day; some find nothing left, some ask for nonsense.
    pub(crate) fn trade(&mut self) {
        for _ in 0..3 {
            let order = self.order("phone");
            let id = self.client.ask(&order).expect(201)["id"].clone();
            self.client.ask(&Ask::act(id.as_str().expect("an id"), "confirm")).expect(200);
        }
        let order = self.order("ticket");
        self.client.ask(&order).problem(409, "sold_out");
        let order = self.order("nothing");
        self.client.ask(&order).problem(404, "unknown_sku");
        self.client.get("/v1/skus/phone");
    }

    /// Each fault once, but being turned away and slow syncs, which are told by how many they are.
    pub(crate) fn fail(&mut self) {
        for (point, status, code) in [("NoSpace", 503, "no_space"), ("Decide", 500, "internal")] {
            let order = self.order("phone");
            self.arm(point);
            self.client.ask(&order).problem(status, code);
        }
        self.arm("RingFull");
        for _ in 0..TURNED_AWAY {
            let order = self.order("phone");
            self.client.ask(&order).problem(503, "overloaded");
        }
        self.arm("Snapshot");
        self.client.ask(&Ask::new("POST", "/v1/admin/snapshot")).problem(500, "internal");
        self.arm("");
        for _ in 0..3 {
            self.sync_slowly();
        }
        // Together, as each alone would wait for a sync: those are to be few beside the slow ones.
        let sku = |number| format!(r#"{{"op":"sku","sku":"more-{number}","stock":1}}"#);
        let lines: Vec<String> = (0..SKUS_MAX * 9 / 10).map(sku).collect();
        let answers = self.client.ask(&Ask::batch(&lines.join("\n")));
        let answers = String::from_utf8(answers.body).expect("UTF-8");
        assert_eq!(answers.matches("{\"status\":201").count(), lines.len(), "{answers}");
        self.client.ask(&Ask::new("POST", "/v1/admin/read-only")).expect(200);
    }

    /// An order that waits for its sync for so long that the disk counts as standing still.
    fn sync_slowly(&mut self) {
        let order = self.order("phone");
        let mut waiting = self.server.connect();
        self.arm("Sync");
        waiting.write(&order.bytes()).expect("the server takes bytes");
        wait::until("the disk stands still", || {
            (self.client.ask(&Ask::get("/readyz")).status == 503).then_some(())
        });
        self.arm("");
        assert_eq!(waiting.read(false).expect("an answer").status, 201);
        wait::until("the disk goes on", || {
            (self.client.ask(&Ask::get("/readyz")).status == 200).then_some(())
        });
    }
}

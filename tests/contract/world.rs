//! A server with things in it, and for every operation a request that succeeds.

use crate::TARGET;
use crate::document::Document;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A server that can be told to fail.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) document: Document,
    failpoints: PathBuf,
    number: u64,
    /// One that asks for tokens, once it was needed.
    locked: Option<(Server, TempDir)>,
    /// Gone with the world.
    pub(crate) data: TempDir,
}

pub(crate) fn launch(data: &TempDir, address: &str) -> Launch {
    let failpoints = data.path().join("armed");
    TARGET
        .launch_at(data.path(), address)
        .small()
        .environment("FAILPOINTS_FILE", failpoints.to_str().expect("a path in UTF-8"))
        .variable("OPEN_HOLDS_PER_USER_MAX", "1")
        .variable("HTTP_BODY_TIMEOUT_MS", "100")
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|launch| launch)
    }

    /// With other settings.
    pub(crate) fn with(settings: impl FnOnce(Launch) -> Launch) -> Self {
        let data = TARGET.directory();
        let server = settings(launch(&data, "127.0.0.1:0")).start();
        let mut client = server.connect();
        let document = Document::of(&mut client);
        let failpoints = data.path().join("armed");
        Self { server, client, document, failpoints, number: 0, locked: None, data }
    }

    /// Arms a failpoint; an empty word disarms.
    pub(crate) fn arm(&self, point: &str) {
        fs::write(&self.failpoints, point).expect("the file is written");
    }

    /// A server that nobody here has a token for.
    pub(crate) fn locked(&mut self) -> &Server {
        let (server, _) = self.locked.get_or_insert_with(|| {
            let data = TARGET.directory();
            let tokens = data.path().join("tokens.toml");
            let hash = "0".repeat(64);
            let entry = format!("[[token]]\nname = \"a\"\nrole = \"buy\"\nsha256 = \"{hash}\"\n");
            fs::write(&tokens, entry).expect("the file is written");
            let tokens = tokens.to_str().expect("a path in UTF-8");
            let launch = TARGET.launch(&data.path().join("data")).small();
            (launch.variable("AUTH_TOKENS_FILE", tokens).start(), data)
        });
        server
    }

    pub(crate) fn fresh(&mut self, word: &str) -> String {
        self.number += 1;
        format!("{word}-{}", self.number)
    }

    /// A new SKU.
    pub(crate) fn sku(&mut self, settings: Value) -> String {
        let sku = self.fresh("sku");
        self.client.put_sku(&sku, &settings);
        sku
    }

    /// An order for one unit, by a user of its own.
    pub(crate) fn order(&mut self, sku: &str) -> Ask {
        let (key, user) = (self.fresh("key"), self.fresh("user"));
        Ask::order(&key, &user, sku, 1)
    }

    /// A held order of a new SKU with one unit left: the SKU and the order's id.
    pub(crate) fn held(&mut self) -> (String, String) {
        let sku = self.sku(json!({"stock": 2}));
        let ask = self.order(&sku);
        let order = self.client.ask(&ask).expect(201);
        (sku, order["id"].as_str().expect("an id").to_owned())
    }

    /// An order after these actions.
    pub(crate) fn after(&mut self, actions: &[&str]) -> String {
        let (_, order) = self.held();
        for action in actions {
            self.client.ask(&Ask::act(&order, action)).expect(200);
        }
        order
    }

    /// An order whose hold ran out, its SKU and its user.
    pub(crate) fn expired(&mut self, settings: Value) -> (String, String, String) {
        let (sku, key, user) = (self.sku(settings), self.fresh("key"), self.fresh("user"));
        let lines = json!([{"sku": sku, "qty": 1}]);
        let body = json!({"user": user, "lines": lines, "hold_ms": 1});
        let order = self.client.ask(&Ask::post("/v1/orders", &body).key(&key)).expect(201);
        let order = order["id"].as_str().expect("an id").to_owned();
        wait::until("the expiry", || {
            let now = self.client.get(&format!("/v1/orders/{order}"));
            (now["status"] == "expired").then_some(())
        });
        (sku, order, user)
    }

    /// A new draw of a new SKU with nine units: both names.
    pub(crate) fn draw(&mut self, more: &Value) -> (String, String) {
        let (sku, draw) = (self.sku(json!({"stock": 9})), self.fresh("draw"));
        let mut body = json!({"prizes": [{"sku": sku, "weight": 1}]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.client.ask(&Ask::put(format!("/v1/draws/{draw}"), &body)).expect(201);
        (sku, draw)
    }

    /// An entry by a user of its own.
    pub(crate) fn entry(&mut self, draw: &str) -> Ask {
        let (key, user) = (self.fresh("key"), self.fresh("user"));
        Ask::post(format!("/v1/draws/{draw}/entries"), &json!({"user": user})).key(&key)
    }

    pub(crate) fn close(&mut self, draw: &str) {
        self.client.ask(&Ask::new("POST", format!("/v1/draws/{draw}/close"))).expect(200);
    }

    /// A request that succeeds, and changes something if its operation does.
    pub(crate) fn good(&mut self, id: &str) -> Ask {
        match id {
            "putSku" => Ask::put(format!("/v1/skus/{}", self.fresh("sku")), &json!({"stock": 3})),
            "getSku" => Ask::get(format!("/v1/skus/{}", self.sku(json!({"stock": 1})))),
            "patchSku" => {
                let sku = self.sku(json!({"stock": 1}));
                Ask::new("PATCH", format!("/v1/skus/{sku}")).json(r#"{"paused":true}"#)
            }
            "deleteSku" => {
                let sku = self.sku(json!({"stock": 1}));
                Ask::new("DELETE", format!("/v1/skus/{sku}")).header("If-Match", "*")
            }
            "adjustSku" => {
                let (sku, key) = (self.sku(json!({"stock": 9})), self.fresh("key"));
                let body = json!({"delta": -5, "reason": "damaged"});
                Ask::post(format!("/v1/skus/{sku}/adjust"), &body).key(&key)
            }
            "listSkus" => Ask::get("/v1/skus?limit=3"),
            "createOrder" => {
                let sku = self.sku(json!({"stock": 1}));
                self.order(&sku)
            }
            "listOrders" => Ask::get("/v1/orders?limit=3&status=held"),
            "getOrder" => Ask::get(format!("/v1/orders/{}", self.held().1)),
            "confirmOrder" => Ask::act(&self.held().1, "confirm"),
            "cancelOrder" => Ask::act(&self.held().1, "cancel"),
            "extendOrder" => Ask::act(&self.held().1, "extend").json(r#"{"hold_ms":400000}"#),
            "shipOrder" => Ask::act(&self.after(&["confirm"]), "ship"),
            "completeOrder" => Ask::act(&self.after(&["confirm", "ship"]), "complete"),
            "refundOrder" => Ask::act(&self.after(&["confirm"]), "refund"),
            "listOrdersOfUser" => Ask::get("/v1/users/user-1/orders"),
            "getRequest" => {
                let sku = self.sku(json!({"stock": 1}));
                let ask = self.order(&sku);
                self.client.ask(&ask).expect(201);
                Ask::get(format!("/v1/requests/key-{}", self.number - 1))
            }
            "runBatch" => {
                let (sku, key) = (self.sku(json!({"stock": 1})), self.fresh("key"));
                let lines = json!([{"sku": sku, "qty": 1}]);
                let user = self.fresh("user");
                let line = json!({"op": "order", "key": key, "user": user, "lines": lines});
                Ask::batch(&line.to_string())
            }
            "getEvents" => Ask::get("/v1/events?limit=3"),
            "putDraw" => {
                let (sku, draw) = (self.sku(json!({"stock": 1})), self.fresh("draw"));
                let body = json!({"prizes": [{"sku": sku, "weight": 1}]});
                Ask::put(format!("/v1/draws/{draw}"), &body)
            }
            "getDraw" => Ask::get(format!("/v1/draws/{}", self.draw(&json!({})).1)),
            "deleteDraw" => {
                let (_, draw) = self.draw(&json!({}));
                self.close(&draw);
                Ask::new("DELETE", format!("/v1/draws/{draw}"))
            }
            "enterDraw" => {
                let (_, draw) = self.draw(&json!({}));
                self.entry(&draw)
            }
            "listEntries" => {
                let (_, draw) = self.draw(&json!({}));
                let ask = self.entry(&draw);
                self.client.ask(&ask).expect(201);
                Ask::get(format!("/v1/draws/{draw}/entries?limit=3"))
            }
            "closeDraw" => {
                let (_, draw) = self.draw(&json!({}));
                Ask::new("POST", format!("/v1/draws/{draw}/close"))
            }
            "getLive" => Ask::get("/livez"),
            "getReady" => Ask::get("/readyz"),
            "getStatus" => Ask::get("/v1/status"),
            "getLatency" => Ask::get("/v1/latency"),
            "getLatencyPercentiles" => Ask::get("/v1/latency.hgrm?stage=ring"),
            "getMetrics" => Ask::get("/metrics"),
            "getContract" => Ask::get("/openapi.json"),
            "getRoot" => Ask::get("/"),
            "drain" => Ask::new("POST", "/v1/admin/drain"),
            "setReadOnly" => Ask::new("POST", "/v1/admin/read-only"),
            "handOver" => Ask::new("POST", "/v1/admin/handover"),
            "setReadWrite" => Ask::new("POST", "/v1/admin/read-write"),
            "takeSnapshot" => Ask::new("POST", "/v1/admin/snapshot"),
            other => panic!("nobody knows a good request for {other}"),
        }
    }
}

//! A real Prometheus, on blocks that are there, beside a live server.
//!
//! Owns starting and ending it, and what is asked of it. Next: `main`.

use crate::tools::root;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::wait;
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The job that scrapes the live server.
const JOB: &str = "doorbuster-live";

/// Ended when it is dropped.
pub(crate) struct Prometheus {
    child: Child,
    client: Client,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts it with the blocks and alerts, and a server to scrape.
    pub(crate) fn start(folder: &Path, server: SocketAddr) -> Self {
        let rules = root().join("deploy/prometheus-alerts.yml");
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1m}}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n\
             - {{job_name: {JOB}, static_configs: [{{targets: [\"{server}\"]}}]}}\n"
        );
        fs::write(&config, text).expect("the settings are written");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("there is a free port");
        let log = fs::File::create(folder.join("log")).expect("the log is made");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()));
        command.arg(format!("--web.listen-address={address}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().expect("Prometheus runs");
        let client = wait::until("Prometheus is ready", || {
            if let Some(ended) = child.try_wait().expect("it is a child") {
                let said = fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("Prometheus ended with {ended}: {said}");
            }
            let mut client = Client::connect(address).ok()?;
            let answer = client.send(&Ask::get("/-/ready")).ok()?;
            (answer.status == 200).then_some(client)
        });
        Self { child, client }
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let answer = self.client.ask(&Ask::get(path));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// What an expression comes to at a moment: labels and value of each.
    pub(crate) fn ask(&mut self, expression: &str, at_s: u64) -> Vec<(Value, f64)> {
        let query = escaped(expression);
        let answer = self.get(&format!("/api/v1/query?query={query}&time={at_s}"));
        let found = answer["data"]["result"].as_array().expect("a vector").clone();
        let value = |found: &Value| found["value"][1].as_str().and_then(|text| text.parse().ok());
        let rows = found.iter().map(|found| (found["metric"].clone(), value(found)));
        rows.map(|(labels, value)| (labels, value.expect("a number"))).collect()
    }

    /// It scrapes the live server by its own `Accept`, and takes all of the page.
    pub(crate) fn sees_the_server_itself(&mut self) {
        let query = format!("count({{job=\"{JOB}\",__name__=~\"doorbuster_.+\"}})");
        let rows = wait::until("a scrape of the live server", || {
            let now_s = wait::wall_ms() / 1_000;
            self.ask(&query, now_s).first().map(|(_, count)| *count)
        });
        assert!(rows > 1_000.0, "{rows} rows");
        let targets = self.get("/api/v1/targets");
        let target = &targets["data"]["activeTargets"][0];
        assert_eq!(
            (target["health"].as_str(), target["lastError"].as_str()),
            (Some("up"), Some(""))
        );
    }
}

/// As a part of a query string.
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(
            |byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") },
        )
        .collect()
}

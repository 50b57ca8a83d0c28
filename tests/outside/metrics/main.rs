//! What Prometheus' own tools make of the server's metrics, and of the dashboard and alerts in
//! `deploy/`.
//!
//! Pages are read by `promtool` and by Python's strict parser. Every expression of the dashboard
//! and of the alerts is asked of a real Prometheus. Its numbers are the real server's: the test
//! scrapes the server while orders flow and faults are provoked, and writes what it got with times
//! 15 s and 60 s apart, as blocks that Prometheus is started on (`promtool tsdb create-blocks-from
//! openmetrics`). So nobody waits for minutes; that Prometheus reads the server itself, by its own
//! `Accept`, is tried beside it, once a second. Needs a build that can fail on purpose:
//!
//!     cargo test --features failpoints --test outside_metrics
//!
//! Needs Debian's package `prometheus`, and Python with `requirements.txt` beside the build (see
//! `.ci/run`); without them it fails where `CI` is set and says so elsewhere. Start with `shop`
//! (what is bought and provoked), then `history` (scrapes as blocks), then `prometheus`.

mod history;
mod prometheus;
mod shop;
mod tools;

use doorbuster_test_support::client::Ask;
use doorbuster_test_support::target::Target;
use history::{History, SCRAPES_GOOD, SCRAPES_TOLD};
use prometheus::Prometheus;
use serde_json::Value;
use shop::Shop;
use std::collections::BTreeSet;
use tools::{output, promtool, python, root};

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";

/// Alerts that the faults of `Shop::fail` raise.
const PROVOKED: [&str; 8] = [
    "DoorbusterFaults",
    "DoorbusterImagesFail",
    "DoorbusterNotReady",
    "DoorbusterOutOfRoom",
    "DoorbusterOverloaded",
    "DoorbusterSlowSyncs",
    "DoorbusterTableNearlyFull",
    "DoorbusterTurnsAway",
];

/// Curves that there are only where there are copies.
const OF_COPIES: [&str; 2] = ["Copies behind", "Wait for the copies"];

/// Name and expression of every alert.
fn alerts(prometheus: &mut Prometheus) -> Vec<(String, String)> {
    let groups = prometheus.get("/api/v1/rules");
    let rules = groups["data"]["groups"][0]["rules"].as_array().expect("rules").clone();
    let word = |rule: &Value, member: &str| rule[member].as_str().expect("a text").to_owned();
    rules.iter().map(|rule| (word(rule, "name"), word(rule, "query"))).collect()
}

/// Title and expression of every curve of the dashboard.
fn curves() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("deploy/grafana-dashboard.json"));
    let dashboard: Value = serde_json::from_str(&text.expect("the dashboard")).expect("JSON");
    let mut curves = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            curves.push((title.to_owned(), expression.to_owned()));
        }
    }
    curves
}

#[test]
fn prometheus_own_tools_find_nothing_wrong_with_a_page() {
    let (Some(promtool), Some(python)) = (promtool(), python()) else { return };
    let mut shop = Shop::open();
    shop.trade();
    let page = |shop: &mut Shop, accept: &str| {
        let answer = shop.client.ask(&Ask::get("/metrics").header("Accept", accept));
        String::from_utf8(answer.body).expect("UTF-8")
    };
    let text = page(&mut shop, "text/plain;version=0.0.4");
    output(std::process::Command::new(promtool).args(["check", "metrics"]), &text);
    let parser = root().join("tests/outside/metrics/parse.py");
    let families = |format: &str, page: &str| {
        output(std::process::Command::new(&python).arg(&parser).arg(format), page)
    };
    let openmetrics = page(&mut shop, OPENMETRICS);
    assert_eq!(families("text", &text), families("openmetrics", &openmetrics));
    assert!(families("text", &text).trim().parse::<u32>().expect("a number") >= 30);
}

#[test]
fn every_alert_fires_in_its_bad_case_and_in_no_good_one() {
    let Some(promtool) = promtool() else { return };
    let rules = root().join("deploy/prometheus-alerts.yml");
    output(std::process::Command::new(&promtool).args(["check", "rules"]).arg(&rules), "");
    let cases = root().join("tests/outside/metrics/alerts_test.yml");
    output(std::process::Command::new(&promtool).args(["test", "rules"]).arg(&cases), "");
    let read = |path| std::fs::read_to_string(path).expect("a text");
    let (rules, cases) = (read(rules), read(cases));
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let untried: Vec<&str> =
        names.filter(|name| !cases.contains(&format!("alertname=\"{name}\""))).collect();
    assert!(untried.is_empty() && rules.contains("- alert: "), "{untried:?} fire in no case");
}

#[test]
fn every_expression_answers_at_scrapes_of_15_s_and_of_60_s() {
    if promtool().is_none() {
        return;
    }
    let mut shop = Shop::open();
    let mut history = History::default();
    for scrape in 0..=SCRAPES_TOLD {
        match scrape {
            0..SCRAPES_GOOD => shop.trade(),
            SCRAPES_GOOD => shop.fail(),
            _ => {}
        }
        history.take(&mut shop.client);
    }
    let folder = TARGET.directory();
    let runs = history.store(folder.path());
    let mut prometheus = Prometheus::start(folder.path(), shop.server.address);
    let (curves, alerts) = (curves(), alerts(&mut prometheus));
    assert!(curves.len() >= 20 && alerts.len() >= 13, "{curves:?} {alerts:?}");
    for run in &runs {
        for (title, expression) in &curves {
            let values = prometheus.ask(expression, run.good_s);
            let case = format!("{title}, every {} s: {expression}: {values:?}", run.step_s);
            if OF_COPIES.contains(&title.as_str()) {
                continue;
            }
            assert!(!values.is_empty(), "{case}");
            assert!(values.iter().all(|(_, value)| value.is_finite()), "{case}");
        }
        for (name, expression) in &alerts {
            let values = prometheus.ask(expression, run.good_s);
            assert!(values.is_empty(), "{name}, every {} s, all well: {values:?}", run.step_s);
        }
        let fires = |prometheus: &mut Prometheus, at_s: u64| -> BTreeSet<String> {
            let alerts = alerts.iter();
            let firing =
                alerts.filter(|(_, expression)| !prometheus.ask(expression, at_s).is_empty());
            firing.map(|(name, _)| name.clone()).collect()
        };
        let expected: BTreeSet<String> = PROVOKED.map(str::to_owned).into();
        assert_eq!(fires(&mut prometheus, run.told_s), expected, "every {} s", run.step_s);
        let down = fires(&mut prometheus, run.down_s);
        assert!(down.contains("DoorbusterDown"), "every {} s: {down:?}", run.step_s);
        let gone = fires(&mut prometheus, run.gone_s);
        assert!(gone.contains("DoorbusterGone"), "every {} s: {gone:?}", run.step_s);
    }
    prometheus.sees_the_server_itself();
}

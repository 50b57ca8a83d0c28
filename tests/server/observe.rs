//! Latencies and metrics of a server that runs (API 6), and the dashboard and alerts made for them.
//!
//! Owns that numbers agree with what was done, and that no buyer shows in them. Probes and status
//! are in `operations`.

use crate::batch::{answers, orders};
use crate::client::{Ask, Client};
use crate::process::{Launch, Server, directory};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

const STAGES: [&str; 7] = ["parse", "ring", "decide", "append", "durable", "answer", "whole"];

/// Five orders of `phone`, one of which finds nothing left and one of which is repeated.
fn sold_out() -> (TempDir, Server) {
    let data = directory();
    let server = Launch::of(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("phone", &json!({"stock": 4}));
    for buyer in 0..4 {
        let (key, user) = (format!("secret-key-{buyer}"), format!("secret-user-{buyer}"));
        client.ask(&Ask::order(&key, &user, "phone", 1)).expect(201);
    }
    assert!(client.ask(&Ask::order("secret-key-0", "secret-user-0", "phone", 1)).is_replayed());
    client.ask(&Ask::order("secret-key-9", "secret-user-9", "phone", 1)).problem(409, "sold_out");
    (data, server)
}

fn text(client: &mut Client, path: &str, content_type: &str) -> String {
    let answer = client.ask(&Ask::get(path));
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(content_type)));
    String::from_utf8(answer.body).expect("UTF-8")
}

fn metrics(client: &mut Client) -> BTreeMap<String, f64> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = text(client, "/metrics", kind);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
    })
    .collect()
}

#[test]
fn each_stage_tells_of_every_command_that_was_answered() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let latency = client.get("/v1/latency");
    let stages = latency["stages"].as_object().expect("stages");
    assert_eq!(stages.keys().map(String::as_str).collect::<BTreeSet<_>>(), STAGES.into());
    for (name, stage) in stages {
        // A PUT and six orders.
        assert_eq!(stage["count"], 7, "{name}: {stage}");
        let value = |member: &str| stage[member].as_f64().unwrap_or_else(|| panic!("{stage}"));
        let rising = ["p50", "p90", "p99", "p99.9", "p99.99", "max"].map(value);
        assert!(rising.windows(2).all(|pair| pair[0] <= pair[1]), "{name}: {stage}");
        assert!(value("mean") <= value("max"), "{name}: {stage}");
    }
    let mean = |stage: &str| stages[stage]["mean"].as_f64().expect("a number");
    let parts: f64 = STAGES[..6].iter().map(|stage| mean(stage)).sum();
    // A mean is cut to nanoseconds.
    assert!((parts - mean("whole")).abs() < 0.01, "{latency}");
    assert!(mean("durable") > 0.0 && latency["durability"] == "group", "{latency}");
}

/// The number that a member of a stage has.
fn stage(latency: &Value, stage: &str, member: &str) -> f64 {
    let value = &latency["stages"][stage][member];
    value.as_f64().unwrap_or_else(|| panic!("{member} of {stage} in {latency}"))
}

#[test]
fn each_line_of_a_batch_is_timed_on_its_way_and_the_batch_once() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    // Two that are decided, and one that never gets to the writer.
    let lines = [orders("line", 2), r#"{"op":"dance"}"#.to_owned()];
    assert_eq!(answers(&client.ask(&Ask::batch(&lines.join("\n")))).len(), 3);
    // Of this one nothing does.
    assert_eq!(answers(&client.ask(&Ask::batch(r#"{"op":"dance"}"#))).len(), 1);
    let latency = client.get("/v1/latency");
    let rows = metrics(client);
    for name in STAGES {
        // Seven requests, as above.
        let lines = matches!(name, "ring" | "decide" | "append" | "durable");
        let count = if lines { 9.0 } else { 8.0 };
        assert_eq!(stage(&latency, name, "count"), count, "{name}: {latency}");
        let row = format!("doorbuster_stage_duration_seconds_count{{stage=\"{name}\"}}");
        assert_eq!(rows[&row], count, "{name}");
    }
}

#[test]
fn the_times_of_a_batch_hold_those_of_its_lines() {
    let data = directory();
    let server = Launch::of(data.path()).small().start();
    let client = &mut server.connect();
    assert_eq!(answers(&client.ask(&Ask::batch(&orders("one", 1)))).len(), 1);
    let latency = client.get("/v1/latency");
    let parts: f64 = STAGES[..6].iter().map(|name| stage(&latency, name, "mean")).sum();
    let whole = stage(&latency, "whole", "mean");
    // A mean is cut to nanoseconds.
    assert!(parts > 0.0 && parts < whole + 0.01, "{parts} of {whole}: {latency}");
    assert_eq!(answers(&client.ask(&Ask::batch(&orders("many", 1_000)))).len(), 1_000);
    let latency = client.get("/v1/latency");
    assert_eq!(stage(&latency, "ring", "count"), 1_001.0);
    assert_eq!(stage(&latency, "whole", "count"), 2.0);
    for name in &STAGES[..6] {
        let longest = stage(&latency, name, "max");
        assert!(longest <= stage(&latency, "whole", "max"), "{name}: {latency}");
    }
}

#[test]
fn percentiles_come_as_the_plotter_reads_them() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let kind = "text/plain; charset=utf-8";
    let whole = text(client, "/v1/latency.hgrm", kind);
    assert_eq!(text(client, "/v1/latency.hgrm?stage=whole", kind), whole);
    assert!(whole.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    assert!(whole.contains("Total count    =            7]"), "{whole}");
    for stage in STAGES {
        let text = text(client, &format!("/v1/latency.hgrm?stage={stage}"), kind);
        assert!(text.contains("#[Mean    ="), "{text}");
    }
    client.ask(&Ask::get("/v1/latency.hgrm?stage=wait")).problem(422, "invalid");
    client.ask(&Ask::get("/v1/latency?stage=ring")).problem(400, "unknown_field");
}

#[test]
fn a_request_that_asks_for_it_hears_where_its_time_went() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let order = Ask::order("k", "u", "phone", 1);
    assert_eq!(client.ask(&order).header("Server-Timing"), None);
    let answer = client.ask(&order.header("Server-Timing", "1"));
    let told = answer.header("Server-Timing").expect("it was asked for");
    let stages: Vec<&str> = told.split(", ").map(|one| one.split(';').next().unwrap()).collect();
    assert_eq!(stages, STAGES);
    // One that no writer answers has no stages.
    let live = client.ask(&Ask::get("/livez").header("Server-Timing", "1"));
    assert_eq!(live.header("Server-Timing"), None);
}

#[test]
fn metrics_count_what_was_done_and_name_nobody() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    client.ask(&Ask::get("/v1/nothing?secret-user-1")).problem(404, "not_found");
    let rows = metrics(client);
    let requests = |route: &str, method: &str, status: u16, code: &str| {
        let labels =
            format!("route=\"{route}\",method=\"{method}\",status=\"{status}\",code=\"{code}\"");
        rows.get(&format!("doorbuster_http_requests_total{{{labels}}}")).copied()
    };
    assert_eq!(requests("/v1/orders", "POST", 201, ""), Some(5.0), "{rows:#?}");
    assert_eq!(requests("/v1/orders", "POST", 409, "sold_out"), Some(1.0));
    assert_eq!(requests("/v1/skus/{sku}", "PUT", 201, ""), Some(1.0));
    assert_eq!(requests("none", "GET", 404, "not_found"), Some(1.0));
    let row = |name: &str| *rows.get(name).unwrap_or_else(|| panic!("{name} in {rows:#?}"));
    assert_eq!(row("doorbuster_commands_total{command=\"create_order\",outcome=\"ok\"}"), 5.0);
    assert_eq!(row("doorbuster_refusals_total{reason=\"sold_out\"}"), 1.0);
    assert_eq!(row("doorbuster_edge_refusals_total"), 1.0);
    assert_eq!(row("doorbuster_stage_duration_seconds_count{stage=\"whole\"}"), 7.0);
    // What is refused at the edge takes part in no turn.
    assert_eq!(row("doorbuster_turn_requests_sum"), 6.0);
    assert_eq!(row("doorbuster_ring_requests"), 0.0);
    assert_eq!(row("doorbuster_holds"), 4.0);
    assert_eq!(row("doorbuster_table_rows{table=\"orders\"}"), 4.0);
    assert_eq!(row("doorbuster_journal_segments"), 1.0);
    assert!(row("doorbuster_sync_duration_seconds_count") >= 5.0);
    let bytes = client.get("/v1/status")["journal_bytes"].as_f64();
    assert_eq!(Some(row("doorbuster_journal_bytes")), bytes);
    assert!(!rows.keys().any(|name| name.contains("secret")), "{rows:#?}");
}

#[test]
fn hot_skus_show_while_they_are_hot_and_only_the_hottest() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    for number in 0..100 {
        let sku = format!("cold-{number}");
        client.ask(&Ask::order(&sku, "u", &sku, 1)).problem(404, "unknown_sku");
    }
    let hot = |rows: &BTreeMap<String, f64>| -> Vec<String> {
        rows.keys().filter(|name| name.starts_with("doorbuster_hot_sku")).cloned().collect()
    };
    // They are shown by the sweep of connections.
    crate::patience::until("the hot SKU", || {
        let rows = metrics(client);
        let shown = hot(&rows);
        assert!(shown.len() <= 10, "{shown:?}");
        shown.contains(&"doorbuster_hot_sku_requests{sku=\"phone\"}".to_owned()).then_some(())
    });
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c));
    words.filter(|word| word.starts_with("doorbuster_")).map(str::to_owned).collect()
}

#[test]
fn dashboard_and_alerts_use_only_what_the_server_exports() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    crate::patience::until("the hot SKU", || {
        metrics(client).keys().any(|name| name.starts_with("doorbuster_hot_sku")).then_some(())
    });
    let mut exported: BTreeSet<String> =
        metrics(client).keys().map(|row| row.split('{').next().unwrap().to_owned()).collect();
    // Only under TLS; `certificates` looks at it there.
    exported.insert("doorbuster_tls_certificate_not_after_seconds".to_owned());
    let dashboard = include_str!("../../deploy/grafana-dashboard.json");
    let _: Value = serde_json::from_str(dashboard).expect("the dashboard is JSON");
    let alerts = include_str!("../../deploy/prometheus-alerts.yml");
    for (file, text) in [("dashboard", dashboard), ("alerts", alerts)] {
        let used = named(text);
        assert!(used.len() >= 8, "{file}: {used:?}");
        let unknown: Vec<_> = used.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, there are {exported:#?}");
    }
}

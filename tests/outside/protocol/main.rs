//! Client libraries and programs that others made, each selling a unit at the real server over
//! plain HTTP: the JDK's client as it comes, `curl --http2`, axios and requests.
//!
//! Owns starting them. What they need is installed by `.ci/run`, pinned; where it is missing a test
//! says so and returns, and fails where the environment says that this is a CI run (`CI=true`).
//! What they send that is worth a test of its own has one in `tests/server/clients/libraries.rs`.

use doorbuster_test_support::process::Server;
use doorbuster_test_support::target::Target;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/protocol")
}

fn shop() -> (TempDir, Server, String) {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let url = format!("http://{}", server.address);
    (data, server, url)
}

/// Runs a program to its end; none where what it needs is missing.
fn run(command: &mut Command, needed: &Path, package: &str) -> Option<Output> {
    let output = if needed.exists() { command.output().ok() } else { None };
    if output.is_none() {
        let missing = format!("{package} is missing; .ci/run installs it");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing}");
        eprintln!("not tested: {missing}");
    }
    output
}

#[track_caller]
fn check_sold(output: Option<Output>) {
    let Some(output) = output else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim_end() == "sold", "{output:?}");
}

#[test]
fn the_client_of_the_jdk_sells_a_unit_though_it_offers_http2() {
    let (_data, _server, url) = shop();
    let source = folder().join("Sell.java");
    let mut java = Command::new("java");
    // A program of one source file, compiled as it starts.
    java.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1"]).arg(&source).arg(url);
    check_sold(run(&mut java, &source, "openjdk-17-jdk-headless"));
}

#[test]
fn axios_sells_a_unit() {
    let (_data, _server, url) = shop();
    let mut node = Command::new("node");
    node.current_dir(folder()).arg("sell.mjs").arg(url);
    check_sold(run(&mut node, &folder().join("node_modules/axios"), "nodejs or axios"));
}

#[test]
fn requests_sells_a_unit() {
    let (_data, _server, url) = shop();
    let program = folder().join("python/bin/python");
    let mut python = Command::new(&program);
    python.arg(folder().join("sell.py")).arg(url);
    // Proxies of this machine have no business on loopback.
    python.env("NO_PROXY", "*");
    check_sold(run(&mut python, &program, "python3-venv or requests"));
}

/// Body and status of what curl asked for; none if there is no curl.
fn curl(arguments: &[&str]) -> Option<(Value, String)> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--http2"]);
    curl.args(["--write-out", "\n%{http_code} %{http_version}"]).args(arguments);
    let output = run(&mut curl, &folder(), "curl")?;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let said = String::from_utf8(output.stdout).expect("it says text");
    let (body, status) = said.rsplit_once('\n').expect("a line behind the body");
    Some((serde_json::from_str(body).unwrap_or_default(), status.to_owned()))
}

#[test]
fn curl_sells_a_unit_though_it_offers_http2() {
    let (_data, server, url) = shop();
    let json = ["--header", "Content-Type: application/json"];
    let ask = |method: &str, path: &str, more: &[&str]| {
        let target = format!("{url}{path}");
        curl(&[&["--request", method, &target], more].concat())
    };
    let sku = json!({"stock": 10}).to_string();
    let put = ask("PUT", "/v1/skus/curl", &[&json[..], &["--data", &sku]].concat());
    let Some((_, status)) = put else { return };
    assert_eq!(status, "201 1.1");
    let order = json!({"user": "curl", "lines": [{"sku": "curl", "qty": 1}]}).to_string();
    let keyed = ["--header", "Idempotency-Key: curl", "--header", "Expect: 100-continue"];
    let order = ask("POST", "/v1/orders", &[&json[..], &keyed, &["--data", &order]].concat());
    let (order, status) = order.expect("curl is there");
    assert_eq!(status, "201 1.1");
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an id"));
    let (confirmed, status) = ask("POST", &format!("{path}/confirm"), &[]).expect("curl is there");
    assert_eq!((&confirmed["status"], status.as_str()), (&json!("confirmed"), "200 1.1"));
    let (read, status) = ask("GET", &path, &[]).expect("curl is there");
    assert_eq!((&read["status"], status.as_str()), (&json!("confirmed"), "200 1.1"));
    // A form, curl's own guess, is none of ours.
    let (refused, status) = ask("POST", "/v1/orders", &["--data", "x"]).expect("curl is there");
    assert_eq!((&refused["code"], status.as_str()), (&json!("unsupported_media_type"), "415 1.1"));
    assert_eq!(server.connect().get("/v1/skus/curl")["sold"], 1);
}

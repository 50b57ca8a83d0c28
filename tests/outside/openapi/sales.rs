//! Clients that were generated from the document, and a whole sale by each.
//!
//! What they say of it is not believed: afterwards the server is asked what was sold.

use crate::tools::{Kit, Tool};
use crate::{TOKEN, document, server};
use doorbuster_test_support::client::Client;
use doorbuster_test_support::process::Server;
use std::fs;

const DONE: &str = "the sale is done";

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// Every step of the sale left this behind.
fn check(client: &mut Client) {
    let mut counts = |sku: &str| {
        let sku = client.get(&format!("/v1/skus/{sku}"));
        ["total", "available", "held", "sold"].map(|name| sku[name].as_u64().expect("a number"))
    };
    assert_eq!(counts("phone"), [4, 1, 0, 3]);
    assert_eq!(counts("prize"), [5, 4, 0, 1]);
    assert_eq!(counts("cup"), [2, 0, 0, 2]);
    assert_eq!(client.get("/v1/skus/phone")["paused"], true);
    let orders = client.get("/v1/orders");
    let orders = orders["orders"].as_array().expect("orders");
    let statuses: Vec<&str> = orders.iter().filter_map(|order| order["status"].as_str()).collect();
    // Two of phones and what ran out between them, the win, and that of the batch.
    assert_eq!(statuses, ["confirmed", "expired", "confirmed", "confirmed", "confirmed"]);
    let draw = client.get("/v1/draws/spring");
    assert_eq!(draw["entries"], 1);
    assert!(draw["closed_at"].is_string() && draw["seed"].is_string(), "{draw}");
}

#[test]
fn a_typescript_client_does_a_whole_sale() {
    if !Kit::Node.is_there() {
        return;
    }
    let place = Kit::Node.workplace(&["sale.ts", "tsconfig.json"]);
    let program = |name| Tool::new(Kit::Node.program(name), place.path());
    program("openapi-typescript")
        .arguments([document::path()])
        .arguments(["--output", "contract.ts"])
        .succeed();
    program("tsc").arguments(["--project", "."]).succeed();
    let (server, _directory) = server();
    // Modules are those of the language, not of node.
    fs::write(place.path().join("built/package.json"), "{\"type\":\"module\"}").expect("a file");
    let said = Tool::new("node", place.path())
        .arguments(["built/sale.js", &url(&server), TOKEN])
        .succeed();
    assert!(said.ends_with(&format!("{DONE}\n")), "{said}");
    check(&mut server.connect().with_token(TOKEN));
}

#[test]
fn a_python_client_does_a_whole_sale() {
    if !Kit::Python.is_there() {
        return;
    }
    let place = Kit::Python.workplace(&["sale.py", "client.yaml"]);
    // A warning is an operation or a schema that it leaves out.
    let generated = Tool::new(Kit::Python.program("openapi-python-client"), place.path())
        .arguments(["generate", "--meta=none", "--fail-on-warning", "--config=client.yaml"])
        .arguments(["--output-path=doorbuster_client", "--path"])
        .arguments([document::path()])
        // It tidies what it made by a program beside it.
        .variable("PATH", paths())
        .succeed();
    assert!(!generated.to_lowercase().contains("warning"), "{generated}");
    let api = place.path().join("doorbuster_client/api");
    let folders = fs::read_dir(api).expect("a folder by tag").filter_map(Result::ok);
    let modules = folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten();
    let names = modules.filter_map(|module| module.ok()?.file_name().into_string().ok());
    let made = names.filter(|name| name.ends_with(".py") && name != "__init__.py").count();
    assert_eq!(made, document::operations().len());
    let (server, _directory) = server();
    let said = Tool::new(Kit::Python.program("python"), place.path())
        .arguments(["sale.py", &url(&server), TOKEN])
        .succeed();
    assert!(said.ends_with(&format!("{DONE}\n")), "{said}");
    check(&mut server.connect().with_token(TOKEN));
}

/// The kit's programs before all others.
fn paths() -> String {
    let own = Kit::Python.program("");
    format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default())
}

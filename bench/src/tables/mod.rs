//! Full tables: far more keys, users and SKU ids than there is room for, and what becomes of those
//! who were there before.
//!
//! Owns the bytes a row of each table takes at most, as `docs/OPERATIONS.md` states them; `sizes`
//! measures them. Next: `flood`, which offers.

pub(crate) mod flood;
pub(crate) mod sizes;

use crate::arguments::{ServerOptions, at_least_one};
use crate::error::BenchError;
use crate::load;
use crate::peers::{data_folder, start};
use crate::server::Server;
use flood::flood;
use serde_json::Value;

/// How much to offer.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Distinct keys with as many users, and as many SKU ids
    #[arg(long, default_value_t = 10_000_000, value_parser = at_least_one::<u64>())]
    offers: u64,
    /// Rows of the tables of orders, keys, uses and users; a tenth of that of SKUs
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    cap: u64,
    /// Exit with 1 if a bar does not hold
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// Bytes that a used row takes at most, by the names of `/v1/status`.
const ROW_BYTES_MAX: [(&str, u64); 5] =
    [("skus", 1_000), ("orders", 150), ("keys", 110), ("users", 90), ("uses", 90)];
/// What batches, the ring and a segment of the journal take, whatever is in the tables; the segment
/// and the journal's mapping count as resident too.
const WORKING_BYTES_MAX: u64 = 256 << 20;

/// What a server may have in use whose tables all have this cap and are full.
pub(crate) fn stated_bytes_max(cap: u64) -> u64 {
    WORKING_BYTES_MAX + ROW_BYTES_MAX.iter().map(|(_, bytes)| bytes * cap).sum::<u64>()
}

/// Offers, and prints what came of it.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = data_folder(options.server.data.as_deref())?;
    let mut command =
        start::command(options.server.binary.as_deref(), "group", &folder.path().join("data"))?;
    for table in ["ORDERS", "KEYS", "USES", "USERS"] {
        command.env(format!("DOORBUSTER_CAPS_{table}"), options.cap.to_string());
    }
    command.env("DOORBUSTER_CAPS_SKUS", (options.cap / 10).to_string());
    let server = Server::start("doorbuster group", &mut command)?;
    load::put_sku(server.address, &server.protocol, "early", 2)?;
    load::put_sku(server.address, &server.protocol, load::SKU, load::STOCK)?;
    let early = [order(&server, "first")?, order(&server, "second")?];
    let empty = server.resident_bytes()?;
    let offered = flood(server.address, 2 * options.offers, |number| match number % 2 {
        0 => flood::order(number, &format!("u{number:09}")),
        _ => format!(r#"{{"op":"sku","sku":"offered-{number:09}","stock":1}}"#),
    })?;
    let full = server.resident_bytes()?;
    let status = get(&server, "/v1/status")?;
    let [confirmed, cancelled] =
        [("confirm", &early[0]), ("cancel", &early[1])].map(|(act, id)| {
            let path = format!("/v1/orders/{id}/{act}");
            ask(&server, &format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        });
    let mut stated = WORKING_BYTES_MAX;
    println!("{:<12} {:>12} {:>12}", "table", "used", "cap");
    for (name, bytes) in ROW_BYTES_MAX {
        let fill = &status["tables"][name];
        stated += bytes * fill["used"].as_u64().unwrap_or(0);
        println!("{name:<12} {:>12} {:>12}", fill["used"], fill["cap"]);
    }
    println!("{offered}");
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let statuses = [confirmed?, cancelled?].map(|answer| answer["status"].clone());
    let bars = [
        (
            full.saturating_sub(empty) <= stated,
            format!(
                "memory {} MiB when empty, {} MiB when full, stated {} MiB more at most",
                mib(empty),
                mib(full),
                mib(stated)
            ),
        ),
        (
            offered.capacity > 0 && offered.other == 0,
            format!(
                "{} offers refused with 503 capacity, {} otherwise",
                offered.capacity, offered.other
            ),
        ),
        (
            statuses == ["confirmed", "cancelled"],
            format!("orders of before are {} and {}", statuses[0], statuses[1]),
        ),
    ];
    for (holds, what) in &bars {
        println!("{} {what}", if *holds { "  " } else { "NO" });
    }
    let missed = bars.iter().filter(|(holds, _)| !holds).count();
    if options.strict && missed > 0 { Err(BenchError::BarsMissed { missed }) } else { Ok(()) }
}

/// An order of before; its id.
fn order(server: &Server, name: &str) -> Result<String, BenchError> {
    let body =
        format!(r#"{{"user":"{name}","lines":[{{"sku":"early","qty":1}}],"hold_ms":1800000}}"#);
    let order = ask(
        server,
        &format!(
            "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         idempotency-key: {name}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    )?;
    Ok(order["id"].as_str().unwrap_or_default().to_owned())
}

fn get(server: &Server, path: &str) -> Result<Value, BenchError> {
    ask(server, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
}

/// The body of an answer, which must be JSON.
fn ask(server: &Server, request: &str) -> Result<Value, BenchError> {
    let answer = load::ask(server.address, &server.protocol, request.as_bytes().to_vec())?;
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| &answer[at + 4..]);
    body.and_then(|body| serde_json::from_slice(body).ok()).ok_or_else(|| load::unexpected(&answer))
}

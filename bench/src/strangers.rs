//! Ten million names that nobody knows: users, keys and SKU ids, and what the server's memory says.
//!
//! Fills a server of small caps in batches, and then goes on: each line names a user and a key, or,
//! one line in four, a SKU that were never there before. Buckets of users are switched on, so each
//! name also asks for a cell. What existed before is confirmed to the end. Next: `batch`, and
//! `tables` for what each table takes.

use crate::arguments::{ServerOptions, at_least_one};
use crate::bars::bar::print_bars;
use crate::batch::read_chunked;
use crate::error::{BenchError, io_error};
use crate::load::{self, SKU, now, order_id, unexpected};
use crate::peers::{self, start};
use crate::protocol::Protocol;
use crate::report::conditions::{machine, today};
use crate::server::Server;
use crate::tables::stated_bytes_max;
use std::fmt::Write as _;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Lines of a batch.
const LINES: u64 = 10_000;
/// Lines that name a SKU of their own, one in so many.
const SKUS_ONE_IN: u64 = 4;
/// Connections that send batches.
const CONNECTIONS: u64 = 4;

/// How many names, and how small the server.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Names that are offered
    #[arg(long, default_value_t = 10_000_000, value_parser = at_least_one::<u64>())]
    names: u64,
    /// Caps of all tables
    #[arg(long, default_value_t = 100_000, value_parser = at_least_one::<u64>())]
    cap: u64,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    server: ServerOptions,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.server.data.as_deref())?;
    let mut command = start::command(options.server.binary.as_deref(), "os", folder.path())?;
    for table in ["SKUS", "ORDERS", "KEYS", "ANSWERS", "USES", "USERS", "ENTRIES"] {
        command.env(format!("DOORBUSTER_CAPS_{table}"), options.cap.to_string());
    }
    command.env("DOORBUSTER_RATE_USER", "5/10");
    let server = Server::start("doorbuster", &mut command)?;
    load::put_sku(server.address, &Protocol::Http, SKU, load::STOCK)?;
    let known = load::ask(server.address, &Protocol::Http, order("before"))?;
    let known = order_id(&known)?;
    // The tables are filled by the first names; from there on there is room for nobody.
    let full = (options.cap * SKUS_ONE_IN).next_multiple_of(LINES);
    offer(&server, 0, full)?;
    let full_bytes = server.anonymous_bytes()?;
    println!("{}, {}", today(), machine());
    println!("caps of {}: {} MiB when all are full", options.cap, full_bytes >> 20);
    let begun = now();
    let taken = offer(&server, full, options.names)?;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = server.anonymous_bytes()?;
    let grown = bytes as f64 - full_bytes as f64;
    println!(
        "{} more names at {:.0} a second: {taken} taken, {:+.1} MiB",
        options.names,
        options.names as f64 / seconds,
        grown / f64::from(1 << 20)
    );
    for action in ["extend", "confirm", "ship", "refund"] {
        let answer = load::ask(server.address, &Protocol::Http, act(&known, action))?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(unexpected(&answer));
        }
    }
    let stated_bytes = stated_bytes_max(options.cap);
    let bars = [
        (taken == 0, format!("{taken} strangers found room, none should")),
        (
            bytes <= stated_bytes,
            format!("{} MiB in use, {} at most", bytes >> 20, stated_bytes >> 20),
        ),
        (true, "what existed before was extended, confirmed, shipped and refunded".to_owned()),
    ];
    print_bars(&bars, options.strict)
}

fn order(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Protocol::Http.order(&mut bytes, &crate::protocol::Order { sku: SKU, user: name, key: name });
    bytes
}

fn act(order: &str, action: &str) -> Vec<u8> {
    let body = if action == "extend" { r#"{"hold_ms":400000}"# } else { "{}" };
    format!(
        "POST /v1/orders/{order}/{action} HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Offers names from a number on; says how many were taken.
fn offer(server: &Server, from: u64, count: u64) -> Result<u64, BenchError> {
    let lasts_max = std::time::Duration::from_secs(600);
    load::with_event_loop(lasts_max, async {
        let share = count.div_ceil(CONNECTIONS);
        let offers = (0..CONNECTIONS).map(|number| {
            let first = from + number * share;
            let names = first..(first + share).min(from + count);
            tokio::task::spawn_local(send(server.address, names))
        });
        let offers: Vec<_> = offers.collect();
        let mut taken = 0;
        for offer in offers {
            taken += offer.await.expect("a connection's task does not panic")?;
        }
        Ok(taken)
    })
}

async fn send(
    address: std::net::SocketAddr,
    names: std::ops::Range<u64>,
) -> Result<u64, BenchError> {
    let mut socket = TcpStream::connect(address).await.map_err(io_error("connect"))?;
    let (mut reader, mut writer) = socket.split();
    let (mut first, mut taken, mut answer) = (names.start, 0, Vec::new());
    while first < names.end {
        let last = names.end.min(first + LINES);
        let request = batch(first..last);
        first = last;
        answer.clear();
        let sent = async { writer.write_all(&request).await.map_err(io_error("send")) };
        let (sent, read) = tokio::join!(sent, read_chunked(&mut reader, &mut answer));
        sent.and(read)?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(unexpected(&answer));
        }
        let text = String::from_utf8_lossy(&answer);
        taken += text.matches("{\"status\":201,").count() as u64;
    }
    Ok(taken)
}

fn batch(names: std::ops::Range<u64>) -> Vec<u8> {
    let mut body = String::new();
    for name in names {
        let line = if name.is_multiple_of(SKUS_ONE_IN) {
            writeln!(body, "{{\"op\":\"sku\",\"sku\":\"sku-{name}\",\"stock\":1}}")
        } else {
            writeln!(
                body,
                "{{\"op\":\"order\",\"key\":\"key-{name}\",\"user\":\"user-{name}\",\
                 \"lines\":[{{\"sku\":\"{SKU}\",\"qty\":1}}]}}"
            )
        };
        line.expect("memory takes all text");
    }
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

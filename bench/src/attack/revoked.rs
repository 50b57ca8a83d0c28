//! Batches, streams and connections that go on after the end of their token: taken back, or run
//! out.
//!
//! A server falls for it that asks once, at the head, who a client is: each further line of a batch
//! is done and each further event is shown. Nothing here is about time: lines and events come only
//! once a single request with the token is refused. Next: `shop`, for the tokens file.

use super::found::Found;
use super::honest::Honest;
use super::shop::{self, ATTACKER, HONEST, OPERATOR, PATIENCE, Shop, Token, until};
use super::stage::Stage;
use super::storm::connect;
use crate::error::{BenchError, io_error};
use crate::load;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Its entry goes.
const TAKEN_BACK: Token = Token { name: "taken-back", role: "admin" };
/// Its entry has an end.
const RUN_OUT: Token = Token { name: "run-out", role: "admin" };
/// From the change of the tokens file on.
const ENDS_AFTER: SignedDuration = SignedDuration::from_millis(500);
/// The event that no client may see whose token is gone.
const BEHIND: &str = "behind-the-end";
/// A stream that ends leaves its connection as it is.
const LAST_CHUNK: &str = "\r\n0\r\n\r\n";
const FEEDS: [(&str, &str); 2] =
    [("lines", "application/x-ndjson"), ("events", "text/event-stream")];

/// What went on for long under one token.
struct Ongoing {
    token: Token,
    batch: TcpStream,
    feeds: Vec<(&'static str, TcpStream)>,
    kept: TcpStream,
}

/// Its outcome after the token's end.
struct Behind {
    token: Token,
    /// Lines of the batch that were done.
    done: usize,
    /// The batch said 401 and ended.
    batch_told: bool,
    /// Streams that showed the event.
    shown: Vec<&'static str>,
    /// The known connection said 401.
    kept_told: bool,
}

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let shop = stage.open("revoked", &[])?;
    let client = Honest::of(&shop);
    let alone = client.alone(stage.lasts() / 2)?;
    let (all, meanwhile) = client.during(|| attack(&shop))?;
    let mut found = Found::default();
    found.felt("nothing", &alone);
    found.felt("tokens that end", &meanwhile);
    for Behind { token, done, batch_told, shown, kept_told } in all {
        let name = token.name;
        found.bar(
            done == 0 && batch_told,
            format!("{name}: {done} lines of a batch done behind it, 401 told: {batch_told}"),
        );
        found.bar(shown.is_empty(), format!("{name}: events shown behind it in {shown:?}"));
        found.bar(kept_told, format!("{name}: 401 told on a known connection: {kept_told}"));
    }
    found.bar_of_service("while tokens end", &meanwhile);
    Ok(found)
}

fn attack(shop: &Shop) -> Result<Vec<Behind>, BenchError> {
    let usual = [OPERATOR, HONEST, ATTACKER].map(|token| (token, String::new()));
    let with = |more: &[(Token, String)]| [&usual, more].concat();
    shop.hold(&with(&[TAKEN_BACK, RUN_OUT].map(|token| (token, String::new()))))?;
    let status = |token: Token| {
        let ask = shop::request(Some(token), "GET /v1/status", "", "");
        shop.ask(&ask).map(|(status, _)| status)
    };
    let is = |expected: u16| {
        until("the tokens are taken in", || {
            let both = [status(TAKEN_BACK)?, status(RUN_OUT)?];
            Ok((both == [expected; 2]).then_some(()))
        })
    };
    is(200)?;
    load::with_event_loop(PATIENCE * 2, async {
        let mut ongoing = Vec::new();
        for token in [TAKEN_BACK, RUN_OUT] {
            ongoing.push(begin(shop, token).await?);
        }
        let ends_at = Timestamp::now() + ENDS_AFTER;
        let ends = format!("expires_at = \"{ends_at:.3}\"");
        // What asks here has an event loop of its own, on a thread of its own.
        std::thread::scope(|scope| {
            let changed = scope.spawn(|| {
                shop.hold(&with(&[(RUN_OUT, ends)]))?;
                is(401)?;
                shop.put_sku(BEHIND, 1)
            });
            changed.join().expect("the operator's thread does not panic")
        })?;
        let mut behind = Vec::new();
        for one in ongoing {
            behind.push(end(shop, one).await?);
        }
        Ok(behind)
    })
}

/// Opens a batch, of which a line is done, both kinds of feed, and a connection that is known.
async fn begin(shop: &Shop, token: Token) -> Result<Ongoing, BenchError> {
    let address = shop.server.address;
    let open = async |bytes: &[u8], expected: &str| {
        let mut socket = connect(address).await.map_err(io_error("connect"))?;
        socket.write_all(bytes).await.map_err(io_error("begin something long"))?;
        read_until(&mut socket, |text| text.contains(expected)).await?;
        Ok::<_, BenchError>(socket)
    };
    let line = token.line();
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\n{line}content-type: application/x-ndjson\r\n\
         transfer-encoding: chunked\r\n\r\n{}",
        chunk(&format!("before-{}", token.name))
    );
    let batch = open(head.as_bytes(), "\"status\":201").await?;
    let mut feeds = Vec::new();
    for (name, kind) in FEEDS {
        let accept = format!("accept: {kind}\r\n");
        let ask = shop::request(Some(token), "GET /v1/events", &accept, "");
        // The honest have ordered, so there is an event.
        feeds.push((name, open(&ask, "specversion").await?));
    }
    let ask = shop::request(Some(token), "GET /v1/status", "", "");
    // The tables stand at the end.
    let kept = open(&ask, "}}}").await?;
    Ok(Ongoing { token, batch, feeds, kept })
}

/// A chunk of one line, which makes a SKU.
fn chunk(sku: &str) -> String {
    let line = format!("{{\"op\":\"sku\",\"sku\":\"{sku}\",\"stock\":1}}\n");
    format!("{:x}\r\n{line}\r\n", line.len())
}

/// The token has ended: goes on all the same, and looks what comes of it.
async fn end(shop: &Shop, one: Ongoing) -> Result<Behind, BenchError> {
    let Ongoing { token, mut batch, feeds, mut kept } = one;
    let names = ["first", "second"].map(|name| format!("{name}-{}", token.name));
    for name in &names {
        // The server may have ended it.
        let _ = batch.write_all(chunk(name).as_bytes()).await;
    }
    // The end of the answer, or of the connection; one that goes on is read until it says more.
    let told = read_until(&mut batch, |text| {
        text.ends_with(LAST_CHUNK) || names.iter().all(|name| text.contains(name.as_str()))
    });
    let batch_told = told.await?.contains("\"status\":401");
    let mut shown = Vec::new();
    for (name, mut feed) in feeds {
        let is_over = |text: &str| text.contains(BEHIND) || text.ends_with(LAST_CHUNK);
        let text = read_until(&mut feed, is_over).await?;
        if text.contains(BEHIND) {
            shown.push(name);
        }
    }
    let ask = shop::request(Some(token), "GET /v1/status", "", "");
    let _ = kept.write_all(&ask).await;
    let told = read_until(&mut kept, |text| text.contains("\r\n\r\n")).await?;
    let kept_told = told.is_empty() || told.starts_with("HTTP/1.1 401 ");
    let mut done = 0;
    for name in &names {
        let ask = shop::request(Some(OPERATOR), &format!("GET /v1/skus/{name}"), "", "");
        let mut socket = connect(shop.server.address).await.map_err(io_error("connect"))?;
        socket.write_all(&ask).await.map_err(io_error("look for a SKU"))?;
        let text = read_until(&mut socket, |text| text.contains("\r\n\r\n")).await?;
        done += usize::from(!text.starts_with("HTTP/1.1 404 "));
    }
    Ok(Behind { token, done, batch_told, shown, kept_told })
}

/// Reads until there is enough or nothing more comes; an error if neither happens in time.
async fn read_until(
    socket: &mut TcpStream,
    is_enough: impl Fn(&str) -> bool,
) -> Result<String, BenchError> {
    let mut bytes = Vec::new();
    let reading = async {
        while !is_enough(&String::from_utf8_lossy(&bytes)) {
            // A connection that was cut is one that has ended.
            if matches!(socket.read_buf(&mut bytes).await, Ok(0) | Err(_)) {
                break;
            }
        }
    };
    let late = |_| io_error("hear from the server")(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(PATIENCE, reading).await.map_err(late)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

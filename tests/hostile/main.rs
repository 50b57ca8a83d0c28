//! Malformed and ambiguous requests from a corpus, over bare sockets, against the real binary.
//!
//! Every case is sent alone, in small pieces, and with a good order behind it on the same
//! connection. Its status and code must be the written ones, and the order behind it either gets
//! its own answer, or the connection ends and the order was never seen. Afterwards the server holds
//! exactly the orders that were answered, has said nothing on standard error, and stops in good
//! order. Start with `corpus` (what a case is and how the files are written), then `exchange`.

mod corpus;
mod exchange;

use corpus::{After, Case, Names};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::target::Target;
use exchange::{Heard, exchange};
use serde_json::json;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

/// Longer cases are not cut into pieces: the server would close before the last was written.
const IN_PIECES_BYTES_MAX: usize = 4096;
const PIECE_BYTES: usize = 16;
/// What a corpus of this kind must hold at least.
const CASES_MIN: usize = 500;

/// A server with two SKUs, and what it was asked so far.
struct Shop {
    server: Server,
    client: Client,
    names: Names,
    /// Orders that were answered with 201.
    orders: u64,
    wrong: Vec<String>,
}

impl Shop {
    fn check_alone(&mut self, case: &Case, piece_bytes: Option<usize>) {
        let bytes = case.bytes(&mut self.names);
        let piece_bytes = match piece_bytes {
            Some(_) if bytes.len() > IN_PIECES_BYTES_MAX => return,
            piece_bytes => piece_bytes.unwrap_or(usize::MAX),
        };
        let heard = exchange(self.server.address, &bytes, piece_bytes, is_head(&bytes));
        let expected = case.alone.iter().count();
        let fits = heard.answers.len() == expected
            && heard.answers.iter().zip(&case.alone).all(|(answer, alone)| answer.is(alone));
        if !fits {
            self.wrong.push(format!("{case} in {piece_bytes} bytes a piece: {heard}"));
        }
        self.orders += heard.created();
    }

    fn check_followed(&mut self, case: &Case) {
        let mut bytes = case.bytes(&mut self.names);
        let to_head = is_head(&bytes);
        let old = bytes.windows(8).any(|eight| eight == b"HTTP/1.0");
        let follower = self.names.next();
        let order = Ask::order(&follower.key, &follower.user, "s", 1);
        bytes.extend_from_slice(&order.bytes());
        let heard = exchange(self.server.address, &bytes, usize::MAX, to_head);
        let seen = self.client.ask(&Ask::get(format!("/v1/requests/{}", follower.key))).status;
        if let Some(why) = misread(case, &heard, &follower.user, seen, old) {
            self.wrong.push(format!("{case}, followed: {why}: {heard}"));
        }
        self.orders += heard.created();
    }
}

fn is_head(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HEAD ")
}

/// What is wrong with the answers to a case and an order behind it, if anything is.
fn misread(case: &Case, heard: &Heard, user: &str, seen: u16, old: bool) -> Option<&'static str> {
    let mut answers = heard.answers.iter();
    if let Some(expected) = &case.followed {
        match answers.next() {
            Some(answer) if answer.is(expected) => {}
            Some(_) => return Some("another answer"),
            None => return Some("no answer"),
        }
    }
    match case.after {
        After::Open => {
            let Some(last) = answers.next() else { return Some("the follower is not answered") };
            if last.status != 201 || last.json()["user"] != user || seen != 200 {
                return Some("the follower is misread");
            }
        }
        After::Closes => {
            if seen != 404 {
                return Some("the follower was seen");
            }
            // Older clients know that the connection ends; a stream cannot take back its head.
            let told = heard.answers.iter().all(|answer| answer.closes || answer.streams);
            if !told && !old {
                return Some("the end is not announced");
            }
        }
    }
    answers.next().is_some().then_some("one answer too many")
}

/// Whatever is sent is refused or read right and nothing behind it is misread.
#[test]
fn nothing_of_the_corpus_is_misread() {
    let cases = corpus::all();
    assert!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    let data = TARGET.directory();
    // What the corpus asks for; without tokens any other name but loopback is refused.
    let launch = TARGET.launch(data.path()).small().variable("HTTP_HOSTS", "shop");
    let server = launch.variable("OPEN_HOLDS_PER_USER_MAX", "0").start();
    let mut client = server.connect();
    for sku in ["s", "p"] {
        client.put_sku(sku, &json!({"stock": 1_000_000}));
    }
    let mut shop = Shop { server, client, names: Names::default(), orders: 0, wrong: Vec::new() };
    for case in &cases {
        shop.check_alone(case, None);
        shop.check_alone(case, Some(PIECE_BYTES));
        shop.check_followed(case);
    }
    let Shop { server, mut client, orders, wrong, .. } = shop;
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // Nobody was sold anything that was not asked for: each 201 is an order or a SKU.
    let tables = client.get("/v1/status")["tables"].clone();
    let held = ["orders", "skus"].map(|table| tables[table]["used"].as_u64().expect("a number"));
    assert_eq!(held[0] + held[1] - 2, orders, "{tables}");
    client.ask(&Ask::get("/v1/requests/smuggled")).problem(404, "unknown_request");
    let metrics = client.ask(&Ask::get("/metrics")).body;
    let plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
    assert!(metrics.iter().all(plain), "something raw stands in the metrics");
    let exit = server.stop();
    // A proxy that is set up otherwise than the server is the operator's to mend; once a minute.
    let (proxy, told): (Vec<&str>, Vec<&str>) = exit
        .complaints
        .lines()
        .partition(|line| line.contains("begins with a PROXY protocol header"));
    assert!(proxy.len() <= 1 && told.is_empty(), "nothing else is worth a line: {exit:?}");
    exit.stopped();
    eprintln!("{} cases, {orders} orders and SKUs", cases.len());
}

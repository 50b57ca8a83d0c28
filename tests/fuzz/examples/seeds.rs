//! Writes the corpus that a fuzzer starts from, out of real things: the golden directory, the
//! requests of the README and the contract, files as an operator writes them.
//!
//! `cargo run -p doorbuster-fuzz --example seeds` writes what is missing and changes nothing that
//! is there. Inputs that once failed are kept beside these under names of their own.

use doorbuster::codec::decode_record;
use doorbuster_journal::{FramePlace, JournalEnd, MemoryDisk, Origin, scan_with};
use doorbuster_snapshots::{SnapshotReader, snapshot_name};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SEGMENTS: [(&str, &[u8]); 2] = [
    ("00000001.segment", include_bytes!("../../golden/format-1/journal/00000001.segment")),
    ("00000002.segment", include_bytes!("../../golden/format-1/journal/00000002.segment")),
];
const SEGMENT_BYTES: usize = 262_144;
const SNAPSHOT: &[u8] =
    include_bytes!("../../golden/format-1/snapshots/image-00000000000000000246.image");
/// Tables of this many entries are quickly made.
const CAP: u32 = 1_000;

fn keep(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("the tree takes a folder");
    let path = folder.join(name);
    if !path.exists() {
        fs::write(path, bytes).expect("the tree takes a file");
    }
}

fn main() {
    records();
    states();
    programs();
    requests();
    bodies();
    parts();
    files();
    proxies();
    peers();
}

/// One record of each kind and length class of the golden journal.
fn records() {
    let disk = MemoryDisk::default();
    for (name, stored) in SEGMENTS {
        let mut bytes = stored.to_vec();
        bytes.resize(SEGMENT_BYTES, 0);
        disk.put(name, bytes);
    }
    let mut kinds: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    scan_with(&disk, Origin::Genesis, &mut |frame| {
        for (_, record) in frame.records() {
            let event = format!("{:?}", decode_record(record)?.event);
            let kind: String = event.chars().take_while(char::is_ascii_alphanumeric).collect();
            let own = kinds.entry(kind).or_insert_with(|| record.to_vec());
            if record.len() < own.len() {
                *own = record.to_vec();
            }
        }
        if let Some(totals) = frame.totals() {
            kinds.insert("totals".to_owned(), totals.to_vec());
        }
        Ok(())
    })
    .expect("the golden journal is whole");
    kinds.iter().for_each(|(kind, record)| keep("record_decode", kind, record));
}

/// The golden state, whole and in its parts, with small tables.
fn states() {
    let disk = MemoryDisk::default();
    let name = snapshot_name(246);
    disk.put(&name, SNAPSHOT.to_vec());
    let mut snapshot = SnapshotReader::open(&disk, &name).expect("it is whole");
    let mut payload = Vec::new();
    while let Some(block) = snapshot.next_block().expect("it is whole") {
        payload.extend_from_slice(block);
    }
    // Behind the length of the first row; see `snapshot::is_small`.
    for at in [85, 89, 93, 97, 101, 105] {
        payload[4 + at..8 + at].copy_from_slice(&CAP.to_le_bytes());
    }
    keep("state_decode", "golden", &payload);
    let mut end = 0;
    for rows in 1..=24 {
        let length = u32::from_le_bytes(payload[end..end + 4].try_into().expect("four"));
        end += 4 + length as usize;
        if matches!(rows, 1 | 4 | 12 | 24) {
            keep("state_decode", &format!("golden-first-{rows}-rows"), &payload[..end]);
        }
    }
}

/// Programs that make a journal and damage it, and such for snapshots.
fn programs() {
    let journals: &[(&str, &[u8])] = &[
        ("empty", &[0]),
        ("two-synced-turns", &[2, 0x80, 5, 9, 1, 0x81, 6, 20, 2, 6, 3, 3]),
        ("lost-tail", &[3, 0x80, 5, 9, 1, 0, 5, 9, 2, 0, 5, 9, 3, 1, 0]),
        ("torn-tail", &[3, 0x80, 5, 9, 1, 0, 2, 60, 0, 1, 3, 60, 2, 9, 0, 2, 3]),
        (
            "two-segments",
            &[
                8, 0x82, 1, 1, 1, 2, 1, 3, 0x82, 1, 4, 1, 5, 1, 6, 7, 0x80, 0, 9, 0x80, 5, 3, 4, 0,
                0,
            ],
        ),
        ("flipped-bit", &[3, 0x80, 5, 9, 1, 0x80, 5, 9, 2, 7, 0, 0, 0, 1, 1, 0, 20, 0, 3]),
        ("zeroed-sector", &[3, 0x80, 2, 30, 7, 0x80, 5, 9, 2, 6, 0, 0, 1, 2, 0, 0, 40, 0]),
        (
            "sector-elsewhere",
            &[2, 0x80, 2, 30, 7, 0x80, 5, 9, 2, 0, 0, 3, 1, 0, 0, 8, 0, 0, 0, 1, 0, 2],
        ),
        ("cut-file", &[2, 0x80, 5, 9, 1, 0x80, 5, 9, 2, 0, 0, 4, 0x40, 0, 0, 0, 8, 0]),
        ("missing-file", &[2, 0x80, 5, 9, 1, 0x80, 5, 9, 2, 0, 0, 6, 0, 0, 0, 0, 0]),
        ("file-of-another-number", &[2, 0x80, 5, 9, 1, 0x80, 5, 9, 2, 0, 0, 7, 0, 0, 0, 0, 0, 2]),
        (
            "forged-watermark",
            &[2, 0x80, 5, 9, 1, 0x80, 5, 9, 2, 0, 0, 8, 1, 0, 0, 0, 0, 1, 0, 32, 9],
        ),
        ("unreadable", &[2, 0x80, 5, 9, 1, 0x80, 5, 9, 2, 0, 0, 9, 1, 0, 0, 0, 0, 4]),
    ];
    for (name, program) in journals {
        keep("journal_scan", name, program);
        let mut cut_off = vec![program.len() as u8 / 2];
        cut_off.extend_from_slice(program);
        keep("repair", name, &cut_off);
    }
    let snapshots: &[(&str, &[u8])] = &[
        ("intact", &[1]),
        ("flipped-bit", &[1, 0x30, 9, 1]),
        ("flipped-header", &[1, 0x90, 8, 0]),
        ("newer-format", &[1, 0x82, 8, 0, 4, 9, 0, 0, 0]),
        ("cut", &[2, 3, 0, 32]),
        ("longer", &[1, 4, 0, 0, 3, 1, 2, 3]),
        ("sector-elsewhere", &[2, 5, 0, 20, 0, 30]),
    ];
    snapshots.iter().for_each(|(name, program)| keep("snapshot_load", name, program));
}

const SKU: &str = r#"{"stock":2,"per_user_limit":1}"#;
const ORDER: &str = r#"{"user":"anna","lines":[{"sku":"sneaker","qty":1}]}"#;

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = match body {
        "" => String::new(),
        body => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: shop\r\n{headers}{length}\r\n{body}")
}

/// Conversations of the README, whole and in pieces.
fn requests() {
    let put = request("PUT", "/v1/skus/sneaker", "", SKU);
    let order =
        |key: &str| request("POST", "/v1/orders", &format!("Idempotency-Key: {key}\r\n"), ORDER);
    let sale = [
        put.clone(),
        order("a"),
        order("a"),
        order("b"),
        request("POST", "/v1/orders/1-4/confirm", "", ""),
        request("GET", "/v1/orders/1-4", "", ""),
        request("GET", "/v1/skus/sneaker", "", ""),
        request("GET", "/v1/requests/a", "", ""),
        request("POST", "/v1/orders/1-4/refund", "", "{\"restock\":false}"),
        request("GET", "/v1/status", "", ""),
    ]
    .concat();
    let draw = [
        request("PUT", "/v1/skus/console", "", "{\"stock\":3}"),
        request(
            "PUT",
            "/v1/draws/spring",
            "",
            r#"{"prizes":[{"sku":"console","weight":1}],"blank_weight":1}"#,
        ),
        request(
            "POST",
            "/v1/draws/spring/entries",
            "Idempotency-Key: e\r\n",
            r#"{"user":"anna","client_seed":"luck"}"#,
        ),
        request("POST", "/v1/draws/spring/close", "", ""),
        request("GET", "/v1/draws/spring/entries?limit=2", "", ""),
    ]
    .concat();
    let lines = format!(
        "{{\"op\":\"order\",\"key\":\"d\",{}\n{{\"op\":\"cancel\",\"id\":\"1-4\"}}\nno json\n",
        &ORDER[1..]
    );
    let batch = format!(
        "{put}POST /v1/batch HTTP/1.1\r\nHost: shop\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\n\r\n{lines}{}",
        lines.len(),
        request("GET", "/v1/skus?limit=1", "", "")
    );
    let chunked = format!(
        "{put}POST /v1/orders HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: c\r\nContent-Type: \
         application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{ORDER}\r\n0\r\n\r\n{}",
        ORDER.len(),
        request("HEAD", "/v1/skus/sneaker", "", "")
    );
    let hidden = request("POST", "/v1/orders", "", &request("DELETE", "/v1/skus/sneaker", "", ""));
    let both = format!(
        "{put}POST /v1/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
        request("GET", "/livez", "", "")
    );
    let expects =
        request("POST", "/v1/orders", "Expect: 100-continue\r\nIdempotency-Key: x\r\n", ORDER);
    let old = "GET /livez HTTP/1.0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    let probes = ["/livez", "/readyz", "/metrics", "/v1/latency", "/v1/events?after=0", "/nothing"]
        .map(|path| request("GET", path, "", ""))
        .concat();
    let cut = sale[..sale.len() - 40].to_owned();
    for (name, said) in [
        ("sale", sale),
        ("draw", draw),
        ("batch", batch),
        ("chunked", chunked),
        ("request-in-a-body", hidden),
        ("two-lengths", both),
        ("expects", expects),
        ("old-version", old),
        ("probes", probes),
        ("cut", cut),
    ] {
        for (way, step) in [("whole", 0), ("in-sevens", 7)] {
            let mut input = vec![step];
            input.extend_from_slice(said.as_bytes());
            keep("http_bytes", &format!("{name}-{way}"), &input);
        }
    }
}

/// Headers of both versions, with a request behind them or without.
fn proxies() {
    let v2 = |command: u8, kind: u8, rest: &[u8]| {
        let length = (rest.len() as u16).to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, kind], &length, rest].concat()
    };
    let four = [192, 0, 2, 1, 10, 0, 0, 1, 31, 144, 0, 80];
    let values = [&four[..], &[3, 0, 4, 1, 2, 3, 4, 2, 0, 1, b'a']].concat();
    let request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (name, header) in [
        ("text-four", b"PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\r\n".to_vec()),
        ("text-six", b"PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 8080 80\r\n".to_vec()),
        ("text-unknown", b"PROXY UNKNOWN and more\r\n".to_vec()),
        ("text-cut", b"PROXY TCP4 192.0.2.1 ".to_vec()),
        ("text-signed-port", b"PROXY TCP4 192.0.2.1 10.0.0.1 +1 80\r\n".to_vec()),
        ("four", v2(0x21, 0x11, &four)),
        ("four-values", v2(0x21, 0x11, &values)),
        ("six", v2(0x21, 0x21, &[1; 36])),
        ("local", v2(0x20, 0x00, &[])),
        ("unspecified", v2(0x21, 0x00, &values)),
        ("socket", v2(0x21, 0x31, &[0; 216])),
        ("datagram", v2(0x21, 0x12, &four)),
        ("short", v2(0x21, 0x21, &four)),
    ] {
        keep("proxy_header", name, &header);
        keep("proxy_header", &format!("{name}-asks"), &[&header[..], request].concat());
    }
}

/// Messages of two nodes that are alone, many in one stream, and one that is cut.
fn peers() {
    use doorbuster::copies::wire::{Beat, Frames, Message, Restart, SentSnapshot, encode};
    let place = FramePlace { segment: 2, offset: 4096 };
    let end = JournalEnd { place, sequence: 7, chain: 8 };
    let snapshot = Some(SentSnapshot { sequence: 7, chain: 8, bytes: 9 });
    let frames = vec![(place, vec![1, 2, 3]), (place, Vec::new())];
    let (epoch, sent_ms, settled, wall_ms) = (3, 10, 6, 1_700_000_000_000);
    let said = [
        ("not-writer", Message::NotWriter { epoch, writer: None }),
        ("join", Message::Join { end, began_empty: true }),
        ("restart", Message::Restart(Restart { journal: [5; 16], snapshot })),
        ("piece", Message::SnapshotPiece(vec![9; 20])),
        ("frames", Message::Frames(Frames { epoch, sent_ms, settled, frames })),
        ("beat", Message::Beat(Beat { epoch, sent_ms, settled, wall_ms })),
        ("acknowledgement", Message::Acknowledgement { epoch, end: 6, sent_ms, wall_ms }),
        ("surrender", Message::Surrender { epoch }),
        ("close", Message::Close { reason: "enough".to_owned() }),
    ];
    let mut all = vec![7];
    for (name, message) in said {
        let mut input = vec![0];
        encode(&message, &mut input);
        all.extend_from_slice(&input[1..]);
        keep("peer_messages", name, &input);
    }
    keep("peer_messages", "all", &all);
    keep("peer_messages", "cut", &all[..all.len() / 2]);
}

/// A good body for each route, and what is no body.
fn bodies() {
    let good = [
        r#"{"user":"u1","lines":[{"sku":"A","qty":1},{"sku":"B","qty":2}],"hold_ms":60000,"reference":"shop-17","confirm":null}"#,
        r#"{"if_expired":"reacquire"}"#,
        "{}",
        r#"{"hold_ms":5000}"#,
        "{}",
        "{}",
        r#"{"lines":[{"sku":"A","qty":1}],"restock":false}"#,
        r#"{"delta":-5,"reason":"damaged"}"#,
        r#"{"user":"u1","client_seed":"luck"}"#,
        r#"{"stock":1000,"per_user_limit":1,"limit_group":"runner","opens_at":"2027-01-02T03:04:05Z","closes_at":"2027-01-03T03:04:05+01:00","hold_ms":300000,"paused":false,"direct":true}"#,
        r#"{"paused":true,"limit_group":null}"#,
        "",
        r#"{"prizes":[{"sku":"phone","weight":1},{"sku":"coupon","weight":99}],"blank_weight":900,"entries_per_user":1}"#,
    ];
    for (route, body) in good.iter().enumerate() {
        let mut input = vec![route as u8];
        input.extend_from_slice(body.as_bytes());
        keep("json_body", &format!("route-{route:02}"), &input);
    }
    let odd = [
        ("digits", r#"{"user":"a","hold_ms":99999999999999999999999,"b":-1e5,"c":1.0,"d":-0}"#),
        ("escapes", r#"{"user":"\u0061\ud83d\ude00\"\\\/","a":[[[]]]}"#),
        ("twice", r#"{"user":"a","user":"b"}"#),
        ("deep", r#"{"a":[[[[1]]]]}"#),
        ("list", "[1,2]"),
    ];
    for (name, body) in odd {
        keep("json_body", name, format!("\0{body}").as_bytes());
    }
}

fn parts() {
    for (name, text) in [
        ("sku", "GET\n/v1/skus/A\nif-none-match: *\n\"k\""),
        ("list", "GET\n/v1/skus?limit=5&cursor=a%20b\naccept: */*"),
        ("escaped", "GET\n/v1/users/a%2Fb%25/orders?limit=1\nx: y"),
        ("key", "POST\n/v1/orders/1-4/confirm\nidempotency-key: \"a\\\"b\"\na b\"c\n\"a\\\\\""),
        ("delete", "DELETE\n/v1/skus/A\nif-match: \"12\"\nrequest-timeout-ms: 250"),
        ("bad-escape", "GET\n/v1/%4\nhost: a"),
        ("deep", "GET\n/1/2/3/4/5/6/%\nhost: a"),
        (
            "absolute",
            "GET\nhttp://shop/v1/events?after=1-4\nlast-event-id: 1-4\naccept: text/event-stream",
        ),
        (
            "times",
            "GET\n/v1/orders\n2027-01-02T03:04:05.678Z\n2016-12-31T23:59:60Z\n9999-12-31t23:59:59-23:59",
        ),
        (
            "trace",
            "POST\n/v1/batch\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ncontent-type: application/x-ndjson",
        ),
        ("options", "OPTIONS\n*\norigin: null"),
    ] {
        keep("request_parts", name, text.as_bytes());
    }
}

fn files() {
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let entry = |name: &str, role: &str, more: &str| {
        format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n{more}\n")
    };
    for (name, text) in [
        ("one", entry("shop", "buy", "")),
        (
            "class",
            entry("shop", "admin", "class = \"priority\"\nexpires_at = 2027-01-31T00:00:00Z"),
        ),
        ("text-instant", entry("a", "metrics", "expires_at = \"2027-01-31T00:00:00Z\"")),
        ("twice", entry("a", "buy", "") + &entry("b", "buy", "")),
        ("bad-role", entry("a", "nobody", "")),
        ("cut", entry("a", "buy", "")[..40].to_owned()),
    ] {
        keep("tokens_file", name, text.as_bytes());
    }
    for (name, text) in [
        ("flat", "hold_ms_max = 600000\nio_threads = \"auto\"\ndurability = \"interval:10\"\n"),
        ("tables", "[orders]\nretain_ms = 86400001\n[journal]\nsegment_bytes = 262144\n"),
        ("dotted", "orders.retain_ms = 86400001\nsnapshots.keep = \"all\"\naccept_clock = true\n"),
        ("quoted", "\"orders.retain_ms\" = 5\n"),
        ("unknown", "colour = \"red\"\n"),
        ("cut", "orders = [\n"),
    ] {
        keep("config_file", name, text.as_bytes());
    }
}

//! What the unit tests of this folder share: requests as text.

use super::request::headers::RequestHeaders;
use super::response::problem::Refused;
use super::routes::{self, Input, Parsed, Route, WriterRequest};
use super::{
    Cells, Front, HttpLimits, LABELS, Reloadable, ReplicationLimits, Role, Rules, Shared,
    SharedAdmission, Tokens,
};
use crate::domain::model::answer::TABLES;
use crate::domain::model::command::{Principal, Reach};
use crate::domain::model::ids::{KeyClaim, PrincipalName};
use crate::domain::model::lives::{Life, Lives};
use crate::metrics::Meters;
use crate::shared::clock::Clock;
use crate::shared::feed::Feed;
use crate::shared::snapshots::Snapshots;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

pub(super) const HASH_KEY: [u8; 16] = *b"0123456789abcdef";
/// What the ids of the fourth epoch are written with.
pub(super) const LIFE: &str = "7k3v9q2m";

/// Headers from lines of `name: value`.
pub(super) fn headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("name: value");
        let name: HeaderName = name.trim().to_lowercase().parse().expect("a header's name");
        headers.append(name, HeaderValue::from_bytes(value.trim().as_bytes()).expect("a value"));
    }
    headers
}

/// The lives of a journal that began without them: epochs 1 to 3 drew none, the fourth did.
pub(super) fn lives() -> Arc<Lives> {
    let mut lives = Lives::new();
    for (epoch, sequence) in [(1, 1), (2, 8), (3, 12)] {
        assert!(lives.begin(epoch, None, sequence));
    }
    assert!(lives.begin(4, Life::parse(LIFE), 20));
    Arc::new(lives)
}

/// A front page before recovery is over.
pub(super) fn recovering(limits: HttpLimits) -> Front {
    Front::new(Shared {
        clock: Clock::start(),
        durability: "group".to_owned(),
        limits: Arc::new(Reloadable::new(limits)),
        stall_ms: 1000,
        stop: std::sync::mpsc::channel().0,
        admission: SharedAdmission::new(
            Arc::new(Reloadable::new(Rules::default())),
            Cells::default(),
        ),
        tokens: Arc::new(Reloadable::new(Tokens::none())),
        handshakes: None,
        cursors: Arc::default(),
        edge: Arc::default(),
        snapshots: Arc::new(Snapshots::new().0),
        feed: Feed::new().0,
        meters: Arc::new(Meters::new(1, LABELS, &TABLES)),
        timed: true,
        standing: Arc::default(),
        replication: ReplicationLimits::default(),
        handover: None,
    })
}

/// A front page that serves.
pub(super) fn front() -> Front {
    let front = recovering(HttpLimits::default());
    front.serve_with(HASH_KEY, lives());
    front
}

/// Parses a text: lines of headers, then `METHOD /path body`, the body up to the end. A body is
/// JSON unless a header says otherwise.
pub(super) fn wanted(text: &str) -> Result<Parsed, Refused> {
    let at = text.find(" /").expect("a target");
    let (before, rest) = text.split_at(at);
    let (lines, method) = before.rsplit_once('\n').unwrap_or(("", before));
    let (target, body) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
    let mut headers = headers(lines);
    if !body.is_empty() && !headers.contains_key("content-type") {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let method = method.parse().expect("a method");
    let place = Route::find(path)?;
    place.check(&method)?;
    let input = Input {
        method: &method,
        query,
        head: &RequestHeaders::of(&headers),
        body: body.as_bytes(),
        principal: &Principal { name: PrincipalName::local(), reach: Reach::All },
        role: Role::Admin,
        hash_key: &HASH_KEY,
        lives: &lives(),
        now_ms: |_| 1000,
    };
    routes::parse(&front(), place, &input)
}

/// What the writer is asked; the text must be a good request.
pub(super) fn question(text: &str) -> WriterRequest {
    match wanted(text) {
        Ok(Parsed::Submit(question)) => question,
        other => panic!("{text}: {other:?}"),
    }
}

/// The claim of a good request under a key.
pub(super) fn claimed(text: &str, key: &str) -> KeyClaim {
    question(&format!("Idempotency-Key: {key}\n{text}")).request.key.expect("a claim")
}

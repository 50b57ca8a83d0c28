//! The refusals that cost most: bodies of 64 KB that fail late, and requests without a token, sent
//! ahead.
//!
//! A server falls for it that takes a body apart to its end before it sees that it will not do,
//! that answers one connection many times before another has a turn, or whose limits do not see
//! what is refused early. Once without limits, and once with some that the attackers are beyond and
//! the honest within. Next: `storm`.

use super::found::Found;
use super::honest::Honest;
use super::shop::{self, ATTACKER};
use super::stage::Stage;
use super::storm::{Round, Storm, Told};
use crate::error::BenchError;
use std::time::Duration;

/// The median of the honest, against the same without an attack.
const TIMES_MAX: f64 = 3.0;
/// What a body may have.
const BODY_BYTES: usize = 65_000;
const CONNECTIONS: u32 = 64;
/// Who sends requests ahead: so many on each of so many connections.
const AHEAD: usize = 16;
const AHEAD_CONNECTIONS: u32 = 200;
/// Of an address and of a principal; the honest are below it.
const LIMIT: &str = "100/1";

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Floats,
    Objects,
    Deep,
    Members,
    WithoutToken,
}

const ALL: [Kind; 5] = [Kind::Floats, Kind::Objects, Kind::Deep, Kind::Members, Kind::WithoutToken];

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let mut found = Found::default();
    let limits = [("rate.principal", LIMIT.to_owned()), ("rate.address", LIMIT.to_owned())];
    for (limited, settings) in [(false, &limits[..0]), (true, &limits[..])] {
        let name = if limited { "limited" } else { "no limits" };
        let shop = stage.open(if limited { "refusals-limited" } else { "refusals" }, settings)?;
        // 67 a second in all.
        let every = Some(Duration::from_millis(60));
        let client = Honest { every, requests_min: 30, ..Honest::of(&shop) };
        let quiet = client.alone(stage.lasts())?;
        found.felt(format!("nothing, {name}"), &quiet);
        for kind in ALL {
            let (connections, answers) = match kind {
                Kind::WithoutToken => (AHEAD_CONNECTIONS, AHEAD),
                _ => (CONNECTIONS, 1),
            };
            let bytes = kind.request().repeat(answers);
            let storm = Storm::begin(shop.server.address, connections, move |_| {
                Some(Round::Ahead { bytes: bytes.clone(), answers })
            });
            let ((), felt) = client.during(|| {
                std::thread::sleep(stage.lasts());
                Ok(())
            })?;
            let told = storm.stop()?;
            let what = format!("{}, {name}", kind.as_str());
            found.felt(what.clone(), &felt);
            found.tell(format!("{what}: {told}"));
            found.bar(are_refused(&told), format!("{} requests, all refused, {what}", told.all()));
            found.bar_of_service(&format!("beside {what}"), &felt);
            let times = felt.ms(0.5) / quiet.ms(0.5).max(1e-6);
            let what = format!("p50 {times:.2}x of the quiet one beside {what}, at most 3x");
            found.time_bar(stage, times <= TIMES_MAX, what);
        }
    }
    Ok(found)
}

/// There were answers, and each was a no.
fn are_refused(told: &Told) -> bool {
    told.all() > 0 && told.count("4") == told.all()
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Floats => "lines of fractions",
            Self::Objects => "too many lines",
            Self::Deep => "deep lines",
            Self::Members => "unknown members",
            Self::WithoutToken => "401s sent ahead",
        }
    }

    fn request(self) -> Vec<u8> {
        let key = "idempotency-key: refused\r\n";
        let order = |body: &str| shop::request(Some(ATTACKER), "POST /v1/orders", key, body);
        let filled = |begins: &str, piece: &str, ends: &str| {
            let count = (BODY_BYTES - begins.len() - ends.len()) / piece.len();
            order(&format!("{begins}{}{ends}", piece.repeat(count)))
        };
        let begins = r#"{"user":"u","lines":["#;
        match self {
            Self::Floats => filled(begins, "[1.5],", "[1.5]]}"),
            Self::Objects => filled(begins, r#"{"sku":"goods","qty":1},"#, "0]}"),
            // As deep as a parser may still go, again and again.
            Self::Deep => {
                let piece = format!("{}{},", "[".repeat(60), "]".repeat(60));
                filled(begins, &piece, "[]]}")
            }
            Self::Members => {
                let members = (0..3_900).map(|number| format!("\"member-{number}\":1"));
                let members = members.collect::<Vec<_>>().join(",");
                order(&format!(r#"{{"user":"u",{members},"lines":[]}}"#))
            }
            Self::WithoutToken => shop::request(None, "GET /v1/status", "", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_json_and_not_too_large() {
        for kind in ALL {
            let request = String::from_utf8(kind.request()).expect("text");
            let (_, body) = request.split_once("\r\n\r\n").expect("a head");
            assert!(body.len() <= 65_536, "{kind:?}: {}", body.len());
            if kind != Kind::WithoutToken {
                assert!(body.len() > 60_000, "{kind:?}: {}", body.len());
                serde_json::from_str::<serde_json::Value>(body).expect("JSON");
            }
        }
    }
}

//! Before a server is measured: does it do the job? It sells exactly its stock to a crowd, gives a
//! retry the first answer and no user more than the limit. What does not is not worth comparing.

use crate::error::BenchError;
use crate::load::{self, Expected, Load};
use crate::protocol::{Order, Verdict};
use crate::server::Server;

const SKU: &str = "check";
const STOCK: u64 = 20;
/// Three times as many as can win.
const CROWD: u64 = 60;
const CONNECTIONS: u64 = 4;

/// What a server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The very first order was taken.
    first_taken: bool,
    /// Its retry, at once and when all was sold, got the same answer.
    retries_alike: bool,
    /// The same user's order under another key was refused while there was stock.
    limit_held: bool,
    /// Units sold, that first one included.
    sold: u64,
    refused: u64,
}

/// Asks a server and says what it did; an error if that is not what was to be done.
pub(super) fn check(server: &Server) -> Result<Found, BenchError> {
    load::put_sku(server.address, &server.protocol, SKU, STOCK)?;
    let ask = |user, key| {
        let mut request = Vec::new();
        server.protocol.order(&mut request, &Order { sku: SKU, user, key });
        load::ask(server.address, &server.protocol, request)
    };
    let first = ask("check", "check-first")?;
    let again = ask("check", "check-first")?;
    let more = ask("check", "check-more")?;
    let load = Load { sku: SKU, expected: Expected::Either, ..Load::orders(CONNECTIONS, CROWD, 0) };
    let (crowd, _) = load::measure(server.address, &server.protocol, &load, || Ok(0))?;
    let at_last = ask("check", "check-first")?;
    let said = server.protocol.verdict(&first);
    let first_taken = matches!(said, Verdict::Accepted(_));
    let found = Found {
        first_taken,
        retries_alike: [again, at_last].iter().all(|retry| server.protocol.verdict(retry) == said),
        limit_held: server.protocol.verdict(&more) == Verdict::Refused,
        sold: crowd.accepted + u64::from(first_taken),
        refused: crowd.requests - crowd.accepted,
    };
    match found.fault() {
        None => Ok(found),
        Some(fault) => Err(BenchError::NotComparable { server: server.name.clone(), fault }),
    }
}

impl Found {
    /// What was done wrong.
    fn fault(&self) -> Option<String> {
        if !self.first_taken {
            return Some("it did not take an order there was stock for".to_owned());
        }
        if !self.retries_alike {
            return Some("a retry did not get the first answer".to_owned());
        }
        if !self.limit_held {
            return Some("a user got more than the limit".to_owned());
        }
        (self.sold != STOCK).then(|| format!("it sold {} of {STOCK} units", self.sold))
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sold, refused, .. } = self;
        write!(f, "sold {sold} of {STOCK} units, refused {refused}, same answer to a retry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that oversells, undersells, forgets or ignores the limit is not compared.
    #[test]
    fn a_peer_that_sells_wrongly_is_not_compared() {
        let good = Found {
            first_taken: true,
            retries_alike: true,
            limit_held: true,
            sold: STOCK,
            refused: CROWD + 1 - STOCK,
        };
        assert_eq!(good.fault(), None);
        let bad = [
            Found { sold: STOCK + 1, ..good.clone() },
            Found { sold: STOCK - 1, ..good.clone() },
            Found { first_taken: false, ..good.clone() },
            Found { retries_alike: false, ..good.clone() },
            Found { limit_held: false, ..good },
        ];
        for found in bad {
            assert!(found.fault().is_some(), "{found:?}");
        }
    }
}

//! The servers of one shop, in one or several places, and which of them is asked.
//!
//! Owns who is believed to write: the last that answered as a writer does. A server that names the
//! writer is followed to the places that the caller gave and to no other, since a token goes along.
//! Never sends. Next: `attempt` for one place, `retry` for when another is asked.

use super::attempt::Place;
use super::error::Error;
use super::origin::Origin;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Servers of one shop at most.
const SERVERS_MAX: usize = 16;

/// Where servers are that hold one history; one of them writes.
#[derive(Debug)]
pub(super) struct Servers {
    places: Vec<Place>,
    /// Who is believed to write: a place in the list.
    writer: AtomicUsize,
}

/// One way over the servers, each asked at most once; the one that is believed to write first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    at: usize,
    asked: [bool; SERVERS_MAX],
}

impl Servers {
    /// Servers at URLs that stand one after another, with commas in between.
    pub(super) fn new(
        urls: &str,
        authorities: Option<&Path>,
        token: Option<&str>,
    ) -> Result<Self, Error> {
        let mut places: Vec<Place> = Vec::new();
        for url in urls.split(',').map(str::trim) {
            if places.iter().any(|place| place.origin().is_at(url)) {
                return Err(Error::invalid("URL", format!("{url} stands twice")));
            }
            places.push(Place::new(Origin::new(url, authorities)?, token)?);
        }
        if places.len() > SERVERS_MAX {
            return Err(Error::invalid("URL", format!("there are more than {SERVERS_MAX}")));
        }
        Ok(Self { places, writer: AtomicUsize::new(0) })
    }

    pub(super) fn are_several(&self) -> bool {
        self.places.len() > 1
    }

    /// Begins with whom is believed to write.
    pub(super) fn round(&self) -> Round {
        let at = self.writer.load(Ordering::Relaxed);
        let mut asked = [false; SERVERS_MAX];
        asked[at] = true;
        Round { at, asked }
    }

    pub(super) fn place(&self, round: &Round) -> &Place {
        &self.places[round.at]
    }

    /// Notes that the one that was asked answers as the writer does.
    pub(super) fn writes(&self, round: &Round) {
        self.writer.store(round.at, Ordering::Relaxed);
    }

    /// The round gone on with: to the one that is named as the writer, or else to the next in the
    /// list that was not asked yet. None where all were asked.
    pub(super) fn next(&self, round: &Round, named: Option<&str>) -> Option<Round> {
        let count = self.places.len();
        let fresh = |at: &usize| !round.asked[*at];
        let named =
            named.and_then(|url| self.places.iter().position(|own| own.origin().is_at(url)));
        let next = || (1..count).map(|step| (round.at + step) % count).find(fresh);
        let at = named.filter(fresh).or_else(next)?;
        let mut asked = round.asked;
        asked[at] = true;
        Some(Round { at, asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "http://127.0.0.1:1, http://127.0.0.1:2,http://127.0.0.1:3";

    fn servers(urls: &str) -> Servers {
        Servers::new(urls, None, None).unwrap()
    }

    /// Who is asked, if every one names the same writer.
    fn asked(servers: &Servers, named: Option<&str>) -> Vec<usize> {
        let mut round = servers.round();
        let mut asked = vec![round.at];
        while let Some(next) = servers.next(&round, named) {
            asked.push(next.at);
            round = next;
        }
        asked
    }

    #[test]
    fn a_round_asks_each_server_once() {
        let servers = servers(THREE);
        assert_eq!(asked(&servers, None), [0, 1, 2]);
        let second = servers.next(&servers.round(), None).expect("there is a second");
        servers.writes(&second);
        assert_eq!(asked(&servers, None), [1, 2, 0]);
    }

    #[test]
    fn a_named_writer_is_asked_next_if_it_is_in_the_list() {
        let servers = servers(THREE);
        assert_eq!(asked(&servers, Some("http://127.0.0.1:3/")), [0, 2, 1]);
        assert_eq!(asked(&servers, Some("http://127.0.0.1:1")), [0, 1, 2]);
        for foreign in ["http://127.0.0.1:4", "https://127.0.0.1:3", "http://evil.example", ""] {
            assert_eq!(asked(&servers, Some(foreign)), [0, 1, 2], "{foreign}");
        }
    }

    #[test]
    fn one_server_is_asked_by_itself() {
        let servers = servers("http://127.0.0.1:1");
        assert!(!servers.are_several());
        assert_eq!(asked(&servers, Some("http://127.0.0.1:2")), [0]);
    }

    #[test]
    fn a_list_that_names_one_twice_or_too_many_is_refused() {
        let refused = |urls: &str| Servers::new(urls, None, None).unwrap_err().to_string();
        assert!(refused("http://a,http://A:80/").contains("stands twice"));
        assert!(refused("http://a,,http://b").contains("is not of the form"));
        let many: Vec<_> = (1..=17).map(|port| format!("http://a:{port}")).collect();
        assert!(refused(&many.join(",")).contains("more than 16"));
    }
}

//! Where the servers of a run are, one or several, and which of them is asked.
//!
//! Owns who is believed to write. A server that says that it does not is left for the one that it
//! names, if that is one of these, or else for the next. Never judges an answer beyond that. Next:
//! `connection`, `drive`.

use super::connection::Connection;
use super::wire::{Refused, Seen};
use crate::error::{BenchError, io_error};
use doorbuster::client::Origin;
use std::cell::Cell;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// One or several servers of one shop.
#[derive(Debug)]
pub(crate) struct Targets {
    places: Vec<(Origin, SocketAddr)>,
    /// Who is believed to write: a place in the list.
    writer: Cell<usize>,
}

impl Targets {
    /// Servers at URLs that stand one after another, with commas in between; names are looked up
    /// once.
    pub(crate) fn find(urls: &str, authorities: Option<&Path>) -> Result<Self, BenchError> {
        let mut places = Vec::new();
        for url in urls.split(',').map(str::trim) {
            let origin = Origin::new(url, authorities)?;
            let address = address(&origin)?;
            places.push((origin, address));
        }
        Ok(Self { places, writer: Cell::new(0) })
    }

    pub(crate) fn are_several(&self) -> bool {
        self.places.len() > 1
    }

    /// What `Host` says, of whichever is asked.
    pub(crate) fn host(&self) -> &str {
        self.places[0].0.host()
    }

    pub(crate) fn are_here(&self) -> bool {
        self.places.iter().all(|(_, address)| address.ip().is_loopback())
    }

    /// Connects to whom is believed to write; who cannot be reached is left for the next.
    pub(crate) async fn connection(&self) -> std::io::Result<Connection> {
        let mut others = self.places.len();
        loop {
            let at = self.writer.get();
            let (origin, address) = &self.places[at];
            let opened = Connection::open(origin, *address).await;
            others -= 1;
            if opened.is_ok() || others == 0 {
                return opened.map(|connection| connection.to(at));
            }
            self.leave(at, None);
        }
    }

    /// A server was asked in vain: the one that it names is asked from now on, or else the next;
    /// unless another request has found that before.
    pub(crate) fn leave(&self, at: usize, named: Option<&str>) {
        if self.writer.get() == at {
            let named =
                named.and_then(|url| self.places.iter().position(|(own, _)| own.is_at(url)));
            let next = (at + 1) % self.places.len();
            self.writer.set(named.filter(|named| *named != at).unwrap_or(next));
        }
    }

    /// Whether an answer only says that this server does not write, is going, or is cut off.
    pub(crate) fn left_for(&self, seen: &Seen<'_>) -> Option<Leaving> {
        if !self.are_several() || seen.status != 503 {
            return None;
        }
        let refused: Refused<'_> = serde_json::from_slice(seen.body).ok()?;
        let unknown = refused.code == "outcome_unknown";
        let codes = ["not_writer", "draining", "recovering", "unreplicated"];
        let going = codes.contains(&&*refused.code);
        (going || unknown).then(|| Leaving { writer: refused.writer.map(Into::into), unknown })
    }
}

/// Why another server is asked.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Who writes, as it says.
    pub(crate) writer: Option<String>,
    /// The request may have been decided all the same.
    pub(crate) unknown: bool,
}

fn address(origin: &Origin) -> Result<SocketAddr, BenchError> {
    let failed = || io_error(format!("find {}", origin.place()));
    let mut found = origin.place().to_socket_addrs().map_err(failed())?;
    found.next().ok_or_else(|| failed()(std::io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Targets {
        let urls = "http://127.0.0.1:1, http://127.0.0.1:2,http://127.0.0.1:3";
        Targets::find(urls, None).unwrap_or_else(|error| panic!("{error}"))
    }

    fn answer(status: u16, body: &str) -> Seen<'_> {
        Seen { status, replayed: false, closes: false, body: body.as_bytes() }
    }

    #[test]
    fn a_named_writer_is_asked_next_and_only_once() {
        let targets = three();
        targets.leave(0, Some("http://127.0.0.1:3"));
        assert_eq!(targets.writer.get(), 2);
        targets.leave(0, None);
        assert_eq!(targets.writer.get(), 2, "it was left before");
        targets.leave(2, Some("http://127.0.0.1:9"));
        assert_eq!(targets.writer.get(), 0, "a foreign one is not asked");
    }

    #[test]
    fn a_server_that_does_not_write_is_left() {
        let targets = three();
        let body = r#"{"code":"not_writer","writer":"http://127.0.0.1:2"}"#;
        let left = targets.left_for(&answer(503, body)).expect("it is left");
        assert_eq!((left.writer.as_deref(), left.unknown), (Some("http://127.0.0.1:2"), false));
        let unknown = answer(503, r#"{"code":"outcome_unknown"}"#);
        assert!(targets.left_for(&unknown).is_some_and(|left| left.unknown));
        for (status, code) in [(503, "overloaded"), (409, "sold_out")] {
            let body = format!(r#"{{"code":"{code}"}}"#);
            assert!(targets.left_for(&answer(status, &body)).is_none(), "{code}");
        }
    }
}

//! Links to other nodes: sockets that are accepted and dialled, by number.
//!
//! Owns how many there are, and that one of which nobody knows whose it is makes room for the next:
//! of those there are no more than nodes. Knows no message: bytes come and go. Next: `link`.

use super::link::{Link, LinkEvent, accepted, dialled};
use super::peer_tls::PeerTls;
use crate::cluster::node::Node;
use crate::copies::node::LinkId;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Pieces that were read and not taken yet, of all links.
pub const PIECES_MAX: usize = 64;
/// After an accept that failed for want of something.
const PAUSE: Duration = Duration::from_millis(100);

/// All links of this node.
pub(super) struct Links {
    listener: TcpListener,
    tls: Option<PeerTls>,
    half_open_max: usize,
    open: BTreeMap<LinkId, Link>,
    events: mpsc::Sender<LinkEvent>,
    happened: mpsc::Receiver<LinkEvent>,
    /// What was decided here, and is to be told.
    ended: VecDeque<LinkEvent>,
}

impl Links {
    /// None yet. So many nodes there are.
    pub(super) fn new(listener: TcpListener, tls: Option<PeerTls>, nodes: usize) -> Self {
        let (events, happened) = mpsc::channel(PIECES_MAX);
        Self {
            listener,
            tls,
            half_open_max: nodes,
            open: BTreeMap::new(),
            events,
            happened,
            ended: VecDeque::new(),
        }
    }

    /// Dials a node. It is told once the link is up, or when it will not be.
    pub(super) fn dial(&mut self, link: LinkId, to: Node, address: &str) {
        let up = dialled(address.to_owned(), self.tls.clone());
        self.open.insert(link, Link::start(link, Some(to), up, &self.events));
    }

    /// The next thing that happens; nothing is lost where the caller waits for something else
    /// meanwhile. A link that comes has the number that `next_link` gives.
    pub(super) async fn next(&mut self, next_link: impl Fn() -> LinkId) -> LinkEvent {
        loop {
            if let Some(event) = self.ended.pop_front() {
                return event;
            }
            tokio::select! {
                biased;
                event = self.happened.recv() => {
                    let event = event.expect("this end keeps a sender");
                    let known = self.open.contains_key(&event.link());
                    if let LinkEvent::Closed(link, _) = &event {
                        self.open.remove(link);
                    }
                    if known {
                        return event;
                    }
                }
                came = self.listener.accept() => self.take(came, &next_link).await,
            }
        }
    }

    async fn take(
        &mut self,
        came: io::Result<(TcpStream, SocketAddr)>,
        next_link: impl Fn() -> LinkId,
    ) {
        let socket = match came {
            Ok((socket, _)) => socket,
            // Of the connection that came, or of this process: another may come.
            Err(cause) => {
                tracing::warn!(cause = cause.to_string(), "cannot accept a link of another node");
                return sleep(PAUSE).await;
            }
        };
        let half_open: Vec<_> =
            self.open.iter().filter(|(_, link)| link.is_half_open()).map(|(id, _)| *id).collect();
        if half_open.len() >= self.half_open_max
            && let Some(oldest) = half_open.first()
        {
            self.end(*oldest, "others came, and it has not said whose it is");
        }
        let (link, tls) = (next_link(), self.tls.clone());
        let up = accepted(socket, tls);
        self.open.insert(link, Link::start(link, None, up, &self.events));
    }

    /// Has bytes written, behind those that wait. A link that takes none is ended.
    pub(super) fn send(&mut self, link: LinkId, bytes: Vec<u8>) {
        if let Some(open) = self.open.get(&link)
            && !open.send(bytes)
        {
            self.end(link, "it does not take what is sent");
        }
    }

    fn end(&mut self, link: LinkId, why: &str) {
        if self.close(link) {
            self.ended.push_back(LinkEvent::Closed(link, why.to_owned()));
        }
    }

    /// Ends a link once what waits is written; nothing more of it is told.
    pub(super) fn close(&mut self, link: LinkId) -> bool {
        self.open.remove(&link).map(Link::close).is_some()
    }

    /// Ends all, and waits until what was to be written is, or nobody takes it.
    pub(super) async fn finish(&mut self) {
        for (_, link) in std::mem::take(&mut self.open) {
            link.finish().await;
        }
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;

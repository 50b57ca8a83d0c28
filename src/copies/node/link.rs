//! One connection: how far its two ends know one another, and how much waits to be sent.
//!
//! Owns its bounds. Never says a word. Next: `conversation`.

use super::event::{LinkId, Output};
use crate::cluster::node::Node;
use crate::copies::receiver::Receiver;
use crate::copies::sender::Sender;
use crate::copies::wire::{Decoder, Message, encode};
use doorbuster_journal::Disk;

/// Bytes that wait to be sent on a connection, at most; one message more where it must be said.
pub const UNSENT_BYTES_MAX: usize = 1024 * 1024;

pub(super) struct Link<D: Disk> {
    pub(super) decoder: Decoder,
    pub(super) opened_ms: u64,
    /// When something came last.
    pub(super) heard_ms: u64,
    /// Bytes that were given out and are not known to be with the system.
    pub(super) unsent: usize,
    pub(super) step: Step<D>,
}

pub(super) enum Step<D: Disk> {
    /// It was asked for.
    Dialling(Node),
    /// This node has said who it is, and waits for the writer's welcome.
    Greeting(Node),
    /// This node follows the writer at the other end.
    Following(Node, Receiver),
    /// Another node has dialled, and has not said who it is.
    Accepted,
    /// It was welcomed, and has not said up to where it has everything.
    Welcomed(Node, bool),
    /// It is fed.
    Feeding(Box<Copy<D>>),
}

/// A copy that is fed.
pub(super) struct Copy<D: Disk> {
    pub(super) node: Node,
    pub(super) sender: Sender<D>,
    pub(super) beat_ms: u64,
}

impl<D: Disk> Link<D> {
    pub(super) fn new(now_ms: u64, step: Step<D>) -> Self {
        Self { decoder: Decoder::default(), opened_ms: now_ms, heard_ms: now_ms, unsent: 0, step }
    }

    /// The other node, once it has said who it is.
    pub(super) fn node(&self) -> Option<Node> {
        match &self.step {
            Step::Dialling(node) | Step::Greeting(node) | Step::Following(node, _) => Some(*node),
            Step::Accepted => None,
            Step::Welcomed(node, _) => Some(*node),
            Step::Feeding(copy) => Some(copy.node),
        }
    }

    /// The end at which this node dialled.
    pub(super) fn is_dialled(&self) -> bool {
        matches!(self.step, Step::Dialling(_) | Step::Greeting(_) | Step::Following(..))
    }

    /// Both sides know what they are to one another.
    pub(super) fn is_settled_in(&self) -> bool {
        matches!(self.step, Step::Following(..) | Step::Feeding(_))
    }

    /// Whether more may wait to be sent.
    pub(super) fn has_room(&self) -> bool {
        self.unsent < UNSENT_BYTES_MAX
    }

    pub(super) fn send(&mut self, link: LinkId, message: &Message, out: &mut Vec<Output>) {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        self.send_bytes(link, bytes, out);
    }

    pub(super) fn send_bytes(&mut self, link: LinkId, bytes: Vec<u8>, out: &mut Vec<Output>) {
        if !bytes.is_empty() {
            self.unsent += bytes.len();
            out.push(Output::Send { link, bytes });
        }
    }
}

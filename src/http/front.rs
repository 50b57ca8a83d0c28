//! What all IO threads share: the phase of the server, and what the server lends to HTTP.
//!
//! Owns recovering, following, serving and draining, and how many connections there are. Never
//! looks into a request. Next: `worker` (what one IO thread has), `connection::listener`.

use super::admission::SharedAdmission;
use super::auth::tokens::Tokens;
use super::connection::accept_errors::Accepting;
use super::connection::limits::HttpLimits;
use super::connection::tls::Handshakes;
use super::operations::news::News;
use crate::domain::model::lives::Lives;
use crate::edge::Edge;
use crate::metrics::Meters;
use crate::ring::Cursors;
use crate::shared::clock::Clock;
use crate::shared::feed::Feed;
use crate::shared::handover::Handover;
use crate::shared::reloadable::Reloadable;
use crate::shared::snapshots::Snapshots;
use crate::shared::standing::StandingCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// What the server as a whole is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The journal is being read: only `/livez` and `/readyz` answer.
    Recovering = 0,
    /// Everything answers.
    Serving = 1,
    /// What is being answered is finished; anything else but `/livez` is refused. Connections end
    /// after their current request.
    Draining = 2,
    /// Another node writes, and this one stores what it sends: how it stands is answered, and
    /// anything else is refused.
    Following = 3,
}

/// What all IO threads share.
#[derive(Debug)]
pub struct Front {
    pub(in crate::http) phase: AtomicU8,
    pub(in crate::http) drain_end_ms: AtomicU64,
    pub(in crate::http) drained: Notify,
    pub(in crate::http) known: OnceLock<Known>,
    /// In place of it until it is there.
    pub(in crate::http) unknown: Known,
    pub(in crate::http) connections: AtomicUsize,
    pub(in crate::http) ended: AtomicU64,
    /// Connections beyond those, in the reserve.
    pub(in crate::http) reserved: AtomicUsize,
    pub(in crate::http) accepting: Accepting,
    pub(in crate::http) leaving: AtomicBool,
    pub(in crate::http) introductions: News,
    pub(in crate::http) read_only: AtomicBool,
    pub(in crate::http) shared: Shared,
}

/// What recovery found, and nothing changes while the server serves.
#[derive(Debug, Default)]
pub(in crate::http) struct Known {
    hash_key: [u8; 16],
    lives: Arc<Lives>,
}

/// What the server lends to its front.
#[derive(Debug)]
pub struct Shared {
    /// The clock that deadlines of requests are told by.
    pub clock: Clock,
    /// The durability mode, as `/v1/status` shows it.
    pub durability: String,
    /// What a client may use up.
    pub limits: Arc<Reloadable<HttpLimits>>,
    /// A data sync that takes longer keeps new orders out, in milliseconds.
    pub stall_ms: u64,
    /// Where a drain is asked for.
    pub stop: Sender<()>,
    /// Who is let in while there are more than can be served.
    pub admission: SharedAdmission,
    /// Who may come in.
    pub tokens: Arc<Reloadable<Tokens>>,
    /// TLS, if that is what is spoken.
    pub handshakes: Option<Handshakes>,
    /// How far the journal is.
    pub cursors: Arc<Cursors>,
    /// What may be refused without the writer.
    pub edge: Arc<Edge>,
    /// How snapshots stand.
    pub snapshots: Arc<Snapshots>,
    /// Where events are asked for.
    pub feed: Feed,
    /// What is counted and timed.
    pub meters: Arc<Meters>,
    /// Requests are timed.
    pub timed: bool,
    /// How this node stands among the others.
    pub standing: Arc<StandingCell>,
    /// What is new is refused by it.
    pub replication: ReplicationLimits,
    /// Where a handover is asked for; none where nothing is replicated.
    pub handover: Option<Handover>,
}

/// What keeps new orders out, beside copies that are behind or missing for `stall_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicationLimits {
    /// More bytes of the journal than these wait for the copies.
    pub unsettled_bytes_max: u64,
    /// The writer alone is in sync.
    pub refuses_alone: bool,
}

impl Default for ReplicationLimits {
    /// Where nothing is replicated.
    fn default() -> Self {
        Self { unsettled_bytes_max: u64::MAX, refuses_alone: false }
    }
}

impl Deref for Front {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Front {
    /// A front page that is still recovering.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Recovering as u8),
            drain_end_ms: AtomicU64::new(u64::MAX),
            drained: Notify::new(),
            known: OnceLock::new(),
            unknown: Known::default(),
            connections: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            reserved: AtomicUsize::new(0),
            accepting: Accepting::default(),
            leaving: AtomicBool::new(false),
            introductions: News::default(),
            read_only: AtomicBool::new(false),
            shared,
        }
    }

    /// Recovery is over: serves, with the key that idempotency keys are hashed with, and the lives
    /// that ids are written with. Both belong to the journal; the key stays the same across starts,
    /// and a start adds its life before it serves. A second call changes nothing.
    pub fn serve_with(&self, hash_key: [u8; 16], lives: Arc<Lives>) {
        if self.known.set(Known { hash_key, lives }).is_ok() {
            self.go_on(Phase::Recovering, Phase::Serving);
            self.go_on(Phase::Following, Phase::Serving);
        }
    }

    /// The directory is read, and another node writes: this one tells how it stands, until
    /// [`serve_with`](Self::serve_with).
    pub fn follow(&self) {
        self.go_on(Phase::Recovering, Phase::Following);
    }

    /// A drain may have begun before: that one wins.
    fn go_on(&self, from: Phase, to: Phase) {
        let (from, to) = (from as u8, to as u8);
        let _ = self.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Turns readiness off and has each answer be its connection's last, while everything is served
    /// still: clients and balancers learn to send their requests elsewhere before the drain.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Says whether the server drains, or is about to.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire) || self.phase() == Phase::Draining
    }

    /// Turns readiness off, refuses what is new and lets every accept loop end within `within_ms`.
    pub fn drain(&self, within_ms: u64) {
        let end = self.clock.elapsed_ms().saturating_add(within_ms);
        self.drain_end_ms.store(end, Ordering::Release);
        self.phase.store(Phase::Draining as u8, Ordering::Release);
        self.drained.notify_waiters();
    }

    /// The key that idempotency keys are hashed with. Until recovery is over it is none of a
    /// journal's; the phase lets no request past that would need it.
    pub(in crate::http) fn hash_key(&self) -> &[u8; 16] {
        &self.known.get().unwrap_or(&self.unknown).hash_key
    }

    /// What ids are written with; as for the key, none until recovery is over.
    pub(in crate::http) fn lives(&self) -> &Arc<Lives> {
        &self.known.get().unwrap_or(&self.unknown).lives
    }

    /// When a drain that has begun must be over, on `clock`.
    #[must_use]
    pub fn drain_end_ms(&self) -> u64 {
        self.drain_end_ms.load(Ordering::Acquire)
    }

    /// What the server is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Recovering,
            1 => Phase::Serving,
            3 => Phase::Following,
            _ => Phase::Draining,
        }
    }

    /// Connections that have ended since the start.
    #[must_use]
    pub fn ended_connections(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Open connections on all IO threads, those of the reserve too.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed) + self.reserved.load(Ordering::Relaxed)
    }
}

//! What one IO thread serves with.
//!
//! Owns what its connections share: the lane to the writer, tokens, limits, admission, the list of
//! connections, and what it counts. What is done with it stands where it belongs: the sweep in
//! `connection::listener`, admission in `admission::permit`. Next: `front`.

use super::admission::{AdmissionControl, Reason};
use super::auth::tokens::Tokens;
use super::connection::connection_state::{CloseRequest, ConnectionState};
use super::connection::limits::Held;
use super::connection::reserve::Reserve;
use super::front::Front;
use super::handlers::sold_out_responder::SoldOutResponder;
use super::handlers::submit::Submit;
use crate::metrics::{Hot, IoMeter};
use crate::shared::reloadable::Kept;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Notify;

/// Connections that are looked at for an idle one when there is no place left, at a newcomer's cost
/// of some microseconds.
const LOOKED_AT_TOGETHER: usize = 64;

/// What one IO thread serves with.
#[derive(Debug)]
pub(in crate::http) struct Worker<A> {
    pub(in crate::http) front: Arc<Front>,
    pub(in crate::http) lane: Rc<A>,
    pub(in crate::http) tokens: Rc<Kept<Tokens>>,
    pub(in crate::http) admission: AdmissionControl,
    /// What a client may use up.
    pub(in crate::http) limits: Held,
    pub(in crate::http) peers: RefCell<Vec<Rc<ConnectionState>>>,
    pub(in crate::http) now_ms: Rc<Cell<u64>>,
    /// What buyers ask for, and when that was last halved.
    pub(in crate::http) hot: RefCell<Hot>,
    pub(in crate::http) hot_since_ms: Cell<u64>,
    /// When streams were looked after last.
    pub(in crate::http) streams_ms: Cell<u64>,
    /// What this thread refuses by itself.
    pub(in crate::http) sold_out: SoldOutResponder,
    /// A connection came.
    pub(in crate::http) registered: Notify,
    /// Answers to lines of batches that clients have not taken yet, in bytes.
    pub(in crate::http) answers_bytes: Rc<Cell<usize>>,
    /// Connections that came when all places were taken.
    pub(in crate::http) reserve: Reserve,
    /// Where the next look for an idle connection begins.
    pub(in crate::http) looked_at: Cell<usize>,
    /// Bodies of which a part is there, in bytes of these parts.
    pub(in crate::http) bodies_bytes: Cell<usize>,
    /// Bodies of refused requests that are read past just now.
    pub(in crate::http) bodies_passed_by: Cell<usize>,
}

impl<A: Submit> Worker<A> {
    pub(in crate::http) fn new(front: Arc<Front>, lane: Rc<A>) -> Rc<Self> {
        let now_ms = Rc::new(Cell::new(front.clock.elapsed_ms()));
        Rc::new(Self {
            tokens: Rc::new(Kept::new(front.tokens.clone())),
            admission: AdmissionControl::new(&front.admission, now_ms.get()),
            sold_out: SoldOutResponder::at(&front.edge),
            limits: Held::new(front.limits.clone()),
            front,
            lane,
            peers: RefCell::default(),
            hot: RefCell::default(),
            hot_since_ms: Cell::new(now_ms.get()),
            streams_ms: Cell::new(now_ms.get()),
            now_ms,
            registered: Notify::new(),
            answers_bytes: Rc::default(),
            reserve: Reserve::default(),
            looked_at: Cell::default(),
            bodies_bytes: Cell::default(),
            bodies_passed_by: Cell::default(),
        })
    }

    /// What this thread counts.
    pub(in crate::http) fn meter(&self) -> &IoMeter {
        self.front.meters.io(self.lane.number())
    }

    /// When the connections were last looked at, in milliseconds.
    pub(in crate::http) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// Says whether this thread has other connections.
    pub(in crate::http) fn has_others(&self) -> bool {
        self.peers.borrow().len() > 1
    }

    /// Counts SKUs that an order asks for.
    pub(in crate::http) fn count_hot<'n>(&self, skus: impl Iterator<Item = &'n str>) {
        let mut hot = self.hot.borrow_mut();
        skus.for_each(|sku| hot.count(sku));
    }

    pub(in crate::http) fn count_refused(&self, reason: Reason) {
        self.meter().count_refused(reason as usize);
    }

    /// Has the idlest of some connections of this thread make room for a newcomer; false if none of
    /// those is idle. Looks at other ones each time, and at a bounded number.
    pub(in crate::http) fn end_an_idle_one(&self) -> bool {
        let peers = self.peers.borrow();
        let from = self.looked_at.get() % peers.len().max(1);
        self.looked_at.set(from + LOOKED_AT_TOGETHER);
        let some = peers.iter().cycle().skip(from).take(LOOKED_AT_TOGETHER.min(peers.len()));
        let idle = some.filter_map(|peer| peer.idleness().map(|idleness| (idleness, peer)));
        let Some((_, idlest)) = idle.max_by_key(|(idleness, _)| *idleness) else { return false };
        idlest.request_close(CloseRequest::Now);
        self.count_refused(Reason::IdleReplaced);
        true
    }
}

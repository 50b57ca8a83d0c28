//! Places beyond `http.connections_max`, for probes and operators when all others are taken.
//!
//! Owns how many connections an IO thread takes then, and which of them goes for the next one: a
//! client is not known before its head is read, so each is taken, has a short time to ask one
//! thing, and is closed after its answer. One that has not asked yet makes room for a newcomer, so
//! silent ones keep no other client out. Never reads a request: `service` refuses what it is not
//! for. Next: `listener`.

pub use super::connection_state::RESERVED_HEAD_MS;
use super::connection_state::{CloseRequest, ConnectionState};
use crate::http::auth::identity::Identity;
use crate::http::auth::roles::{Permission, Role};
use crate::http::routes::Route;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places of one IO thread.
pub const RESERVED_PLACES: usize = 16;
/// Places of all of them, out of the descriptors that connections leave to the server.
pub const ALL_RESERVED_PLACES: usize = 64;
/// The connections of one IO thread that have such a place, in the order in which they came.
#[derive(Debug, Default)]
pub(in crate::http) struct Reserve(RefCell<Vec<Rc<ConnectionState>>>);

/// What a newcomer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Found {
    Free,
    /// One that has asked for nothing yet ends for it. Until it has, there is one more.
    Replaced,
    /// All of them are being answered.
    Nothing,
}

impl Reserve {
    /// Takes a place for a newcomer, which is to `enter` next; `all` counts them over all threads.
    pub(in crate::http) fn take(&self, all: &AtomicUsize) -> Found {
        let peers = self.0.borrow();
        if peers.len() < RESERVED_PLACES {
            if all.fetch_add(1, Ordering::Relaxed) < ALL_RESERVED_PLACES {
                return Found::Free;
            }
            all.fetch_sub(1, Ordering::Relaxed);
        }
        let silent = |peer: &&Rc<ConnectionState>| {
            peer.requests.get() == 0 && peer.close_request() != CloseRequest::Now
        };
        let Some(silent) = peers.iter().find(silent) else { return Found::Nothing };
        silent.request_close(CloseRequest::Now);
        all.fetch_add(1, Ordering::Relaxed);
        Found::Replaced
    }

    pub(in crate::http) fn enter(&self, peer: Rc<ConnectionState>) {
        self.0.borrow_mut().push(peer);
    }

    pub(in crate::http) fn leave(&self, peer: &Rc<ConnectionState>, all: &AtomicUsize) {
        self.0.borrow_mut().retain(|other| !Rc::ptr_eq(other, peer));
        all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether this is what the reserve is for: a probe, or one who operates or watches the server.
/// Without tokens everybody is an operator, and what is asked for decides. What lasts is not: it
/// would hold the place.
pub(in crate::http) fn is_for(
    place: &Route<'_>,
    permission: Option<Permission>,
    identity: &Identity,
    open: bool,
) -> bool {
    match place {
        Route::Live | Route::Ready => true,
        Route::Batch | Route::Events | Route::Contract | Route::Root => false,
        _ if open => matches!(permission, Some(Permission::ViewMetrics | Permission::Administer)),
        _ => matches!(identity.role, Role::Admin | Role::Metrics),
    }
}

//! Requests in, answers out.

mod outcome;

use crate::domain::command::Request;
pub use outcome::{NotTaken, Outcome};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// One IO thread's way to the writer; not `Send`.
pub struct Lane {
    _here: std::marker::PhantomData<*const ()>,
}

impl Lane {
    /// Publishes a request. `deadline_ms` is on `Clock::elapsed_ms`.
    pub fn ask(&self, _request: Request, _deadline_ms: Option<u64>) -> Result<Waiting, NotTaken> {
        Err(NotTaken::Overloaded)
    }
}

/// A request on its way.
pub struct Waiting {}

impl Future for Waiting {
    type Output = Outcome;
    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Outcome> {
        Poll::Pending
    }
}

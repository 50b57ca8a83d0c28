//! The addresses of the server, and which of them is asked.
//!
//! Owns that the next one is asked when one does not answer, and that the token is read anew for each
//! connection. Next: `reader`, `lists`.

use crate::config::{SourceSettings, read_secret};
use crate::failure::Failure;
use doorbuster::client::{Client, Error, Options, Policy};
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One attempt: who tries again, and at which address, is decided here.
const POLICY: Policy = Policy {
    attempts_max: 1,
    attempt_ms_max: 10_000,
    deadline_ms: 10_000,
    waits_for_change: false,
};

/// Where the feed is, and at which of its addresses it was found last.
#[derive(Debug)]
pub(crate) struct Source {
    settings: RwLock<SourceSettings>,
    current: AtomicUsize,
}

impl Source {
    pub(crate) fn new(settings: SourceSettings) -> Self {
        Self { settings: RwLock::new(settings), current: AtomicUsize::new(0) }
    }

    /// Takes settings that were read again.
    pub(crate) fn reload(&self, settings: SourceSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    fn settings(&self) -> SourceSettings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address that is asked now.
    pub(crate) fn url(&self) -> String {
        let urls = self.settings().urls;
        urls[self.current.load(Ordering::Relaxed) % urls.len()].clone()
    }

    /// A client of the address that is asked now; the token is read anew.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let settings = self.settings();
        let token = settings.token_file.as_deref().map(read_secret).transpose();
        let token = token.map_err(Failure::refused)?;
        let options = Options { token, authorities: settings.ca_file, policy: POLICY };
        let url = &settings.urls[self.current.load(Ordering::Relaxed) % settings.urls.len()];
        Client::new(url, options).map_err(Failure::refused)
    }

    /// From now on the address after this one is asked, unless that was decided already.
    pub(crate) fn leave(&self, url: &str) {
        let at = self.current.load(Ordering::Relaxed);
        let urls = self.settings().urls;
        if urls[at % urls.len()] == url {
            let next = (at + 1) % urls.len();
            let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Each address may be asked once.
    pub(super) fn turn(&self) -> Turn {
        Turn { url: self.url(), left: self.settings().urls.len() }
    }
}

/// One question to one address after another.
pub(super) struct Turn {
    url: String,
    left: usize,
}

impl Turn {
    /// The next address is asked, unless there is none or it would say the same.
    pub(super) fn failed(&mut self, source: &Source, error: Error) -> Result<(), Failure> {
        if is_final(&error) {
            return Err(Failure::refused(error));
        }
        source.leave(&self.url);
        self.left -= 1;
        if self.left == 0 {
            return Err(Failure::away(format!("{}: {error}", self.url)));
        }
        self.url = source.url();
        Ok(())
    }
}

/// Whether every address would say the same.
pub(super) fn is_final(error: &Error) -> bool {
    match error {
        Error::Refused(problem) => !problem.retryable && problem.status < 500,
        Error::Invalid { .. } => true,
        _ => false,
    }
}

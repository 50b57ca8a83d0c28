//! The client itself: a handle to one server, and how long it tries.
//!
//! Owns the loop over attempts. What may be repeated is the request's to say, when is `retry`'s.
//! Next: `request`, `attempt`, `retry`.

use super::answer::Answer;
use super::attempt::{Attempt, Place, Whole};
use super::error::Error;
use super::origin::Origin;
use super::request::Ask;
use super::retry::{Failure, Next, Policy, Tries};
use crate::shared::clock::Clock;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a client connects, and how often it tries.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The bearer token; none where the server has no tokens.
    pub token: Option<String>,
    /// For `https`: a PEM file of the certificate authorities to believe; none means the system's.
    pub authorities: Option<PathBuf>,
    /// How often and how long to try.
    pub policy: Policy,
}

/// A client of one server; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) place: Arc<Place>,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:7070`. Connects when first asked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL that is not `http(s)://host[:port]`, certificate authorities
    /// that cannot be read, a token that is not printable ASCII, or a policy without any attempt.
    pub fn new(url: &str, options: Options) -> Result<Self, Error> {
        let Options { token, authorities, policy } = options;
        if policy.attempts_max == 0 || policy.attempt_ms_max == 0 || policy.deadline_ms == 0 {
            return Err(Error::invalid("policy", "attempts and times must be at least 1"));
        }
        let place =
            Arc::new(Place::new(Origin::new(url, authorities.as_deref())?, token.as_deref())?);
        Ok(Self { place, policy, clock: Clock::start() })
    }

    /// The same server and connections, asked with another policy.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self {
        Self { policy, ..self.clone() }
    }

    pub(super) async fn ask<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Answer<T>, Error> {
        self.settle(ask, |accepted, attempts| Ok(accepted.read(attempts))).await
    }

    /// Asks until there is an answer to use; `read` looks at a 2xx and may find that it says too
    /// little.
    pub(super) async fn settle<T>(
        &self,
        ask: &Ask,
        read: impl Fn(Whole, u32) -> Result<Result<T, Error>, Failure>,
    ) -> Result<T, Error> {
        let begun_ms = self.clock.elapsed_ms();
        let mut tries = Tries::new(self.policy, ask.repeats);
        loop {
            let spent_ms = self.clock.elapsed_ms() - begun_ms;
            let within_ms = tries.within_ms(spent_ms);
            let attempt = self.place.attempt(ask, Duration::from_millis(within_ms)).await;
            let failure = match attempt {
                Attempt::Answered(answer) => match answer.accepted() {
                    Ok(accepted) => match read(accepted, tries.count() + 1) {
                        Ok(settled) => return settled,
                        Err(failure) => failure,
                    },
                    Err(problem) => Failure::Refused(problem),
                },
                Attempt::NotSent(cause) => Failure::NotSent(cause),
                Attempt::NoAnswer(cause) => Failure::NoAnswer(cause),
            };
            let spent_ms = self.clock.elapsed_ms() - begun_ms;
            match tries.after(failure, spent_ms, ask.key.as_ref()) {
                Next::Wait { wait_ms } => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                Next::Stop(error) => return Err(error),
            }
        }
    }
}

//! The client itself: a handle to one server or to several of one shop, and how long it tries.
//!
//! Owns the loop over attempts. What may be repeated is the request's to say, when is `retry`'s,
//! and whom to ask is `servers`'. Next: `request`, `attempt`, `retry`.

use super::answer::Answer;
use super::attempt::{Attempt, Whole};
use super::error::Error;
use super::request::Ask;
use super::retry::{Failure, Next, Policy, Tries};
use super::servers::{Round, Servers};
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

/// A client of one server, or of several that hold one history; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) servers: Arc<Servers>,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
}

impl Client {
    /// A client of the server at a URL such as `http://127.0.0.1:7070`, or of several, with commas
    /// in between: then requests go to the one that writes. It is found by asking: where one is
    /// gone, or says that it does not write, the next is asked with the same key; what it names as
    /// the writer is believed if it is one of these. Connects when first asked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL that is not `http(s)://host[:port]` or stands twice,
    /// certificate authorities that cannot be read, a token that is not printable ASCII, or a
    /// policy without any attempt.
    pub fn new(urls: &str, options: Options) -> Result<Self, Error> {
        let Options { token, authorities, policy } = options;
        let times = [policy.attempt_ms_max, policy.move_on_ms, policy.deadline_ms];
        if policy.attempts_max == 0 || times.contains(&0) {
            return Err(Error::invalid("policy", "attempts and times must be at least 1"));
        }
        let servers = Servers::new(urls, authorities.as_deref(), token.as_deref())?;
        Ok(Self { servers: Arc::new(servers), policy, clock: Clock::start() })
    }

    /// The same servers and connections, asked with another policy.
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
        let mut tries = Tries::new(self.policy, ask.repeats, self.servers.are_several());
        let mut round = self.servers.round();
        loop {
            let spent_ms = self.clock.elapsed_ms() - begun_ms;
            let attempt = self.servers.place(&round).attempt(ask, tries.limits(spent_ms)).await;
            let failure = match attempt {
                Attempt::Answered(answer) => match answer.accepted() {
                    Ok(accepted) => {
                        self.learn(ask, &round);
                        match read(accepted, tries.count() + 1) {
                            Ok(settled) => return settled,
                            Err(failure) => failure,
                        }
                    }
                    Err(problem) => Failure::Refused(problem),
                },
                Attempt::NotSent(cause) => Failure::NotSent(cause),
                Attempt::NoAnswer(cause) => Failure::NoAnswer(cause),
            };
            if !failure.is_of_this_server() {
                self.learn(ask, &round);
            }
            let spent_ms = self.clock.elapsed_ms() - begun_ms;
            let next = self.servers.next(&round, failure.named_writer().as_deref());
            match (tries.after(failure, spent_ms, ask.key.as_ref(), next.is_some()), next) {
                (Next::Stop(error), _) => return Err(error),
                (Next::Elsewhere, Some(next)) => round = next,
                (Next::Elsewhere, None) => unreachable!("there is another server"),
                (Next::Wait { wait_ms }, _) => {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    round = self.servers.round();
                }
            }
        }
    }

    /// Whoever answers as a writer does is asked first from now on.
    fn learn(&self, ask: &Ask, round: &Round) {
        if !ask.is_of_a_node {
            self.servers.writes(round);
        }
    }
}

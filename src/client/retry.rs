//! When to ask again, and what to say when not.
//!
//! Owns the judgement, as plain values: no socket, no clock. A decision ends it: any 2xx, any
//! refusal that is not retryable. A lost answer makes the outcome unknown until an answer settles
//! it: one with a sequence was decided after looking the key up, any other settles nothing. Next:
//! `attempt`.

use super::error::{Error, Problem};
use super::key::Key;
use std::hash::{BuildHasher, Hasher, RandomState};

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, at least 1. Default 8.
    pub attempts_max: u32,
    /// For one attempt, connecting included, in milliseconds. The server is told, and does not
    /// decide later than that. Default 10,000.
    pub attempt_ms_max: u64,
    /// For everything, waits included, in milliseconds. No wait is begun that would end later.
    /// Default 30,000.
    pub deadline_ms: u64,
    /// Also waits where the server decided and said that it may change: a sale that is about to
    /// open, units held by others. Default true; false hands such a refusal over at once.
    pub waits_for_change: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts_max: 8,
            attempt_ms_max: 10_000,
            deadline_ms: 30_000,
            waits_for_change: true,
        }
    }
}

impl Policy {
    /// One attempt, and whatever it says.
    #[must_use]
    pub fn once() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }
}

/// The first wait where the server named none, in milliseconds; doubled each time.
const WAIT_MS: u64 = 50;
const WAIT_MS_MAX: u64 = 2_000;

/// Why an attempt did not do.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(Box<Problem>),
    NotSent(String),
    NoAnswer(String),
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Next {
    Wait { wait_ms: u64 },
    Stop(Error),
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Tries {
    policy: Policy,
    repeats: bool,
    failed: u32,
    /// An attempt went out whose outcome is not known yet.
    unsettled: bool,
}

impl Tries {
    pub(super) fn new(policy: Policy, repeats: bool) -> Self {
        Self { policy, repeats, failed: 0, unsettled: false }
    }

    /// Attempts that failed.
    pub(super) fn count(&self) -> u32 {
        self.failed
    }

    /// How long the next attempt may take.
    pub(super) fn within_ms(&self, spent_ms: u64) -> u64 {
        let left_ms = self.policy.deadline_ms.saturating_sub(spent_ms);
        left_ms.clamp(1, self.policy.attempt_ms_max)
    }

    pub(super) fn after(&mut self, failure: Failure, spent_ms: u64, key: Option<&Key>) -> Next {
        self.failed += 1;
        self.settle(&failure);
        if let Some(wait_ms) = self.wait_ms(&failure) {
            let in_time = spent_ms.saturating_add(wait_ms) < self.policy.deadline_ms;
            if self.failed < self.policy.attempts_max && in_time {
                return Next::Wait { wait_ms };
            }
        }
        Next::Stop(self.error(failure, key))
    }

    fn settle(&mut self, failure: &Failure) {
        match failure {
            Failure::NoAnswer(_) => self.unsettled = true,
            Failure::Refused(problem) if problem.code == "outcome_unknown" => self.unsettled = true,
            Failure::Refused(problem) if problem.seq.is_some() => self.unsettled = false,
            Failure::Refused(_) | Failure::NotSent(_) => {}
        }
    }

    /// How long to wait, if there is any sense in asking again.
    fn wait_ms(&self, failure: &Failure) -> Option<u64> {
        match failure {
            Failure::NotSent(_) => Some(self.backoff_ms()),
            Failure::NoAnswer(_) => self.repeats.then(|| self.backoff_ms()),
            Failure::Refused(problem) => {
                let known = problem.code != "outcome_unknown";
                let later = problem.retryable && (problem.status != 409 || self.waits());
                let again = later && (known || self.repeats);
                again.then(|| problem.retry_after_ms.unwrap_or_else(|| self.backoff_ms()))
            }
        }
    }

    fn waits(&self) -> bool {
        self.policy.waits_for_change
    }

    /// Doubled each time, and somewhere in its upper half, so that clients that were cut off
    /// together do not come back together.
    fn backoff_ms(&self) -> u64 {
        let doubled = WAIT_MS << self.failed.saturating_sub(1).min(16);
        let wait_ms = doubled.min(WAIT_MS_MAX);
        let roll = RandomState::new().build_hasher().finish();
        wait_ms / 2 + roll % (wait_ms / 2 + 1)
    }

    fn error(&self, failure: Failure, key: Option<&Key>) -> Error {
        let attempts = self.failed;
        if self.unsettled {
            let cause = match failure {
                Failure::Refused(problem) => problem.detail,
                Failure::NotSent(cause) | Failure::NoAnswer(cause) => cause,
            };
            return Error::OutcomeUnknown { key: key.cloned(), attempts, cause };
        }
        match failure {
            Failure::Refused(problem) => Error::Refused(problem),
            Failure::NotSent(cause) | Failure::NoAnswer(cause) => {
                Error::NotReached { attempts, cause }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: &str, retry_after_ms: Option<u64>, seq: Option<u64>) -> Failure {
        Failure::Refused(Box::new(Problem {
            status,
            code: code.to_owned(),
            detail: String::new(),
            retryable: retry_after_ms.is_some(),
            retry_after_ms,
            seq,
            members: Default::default(),
        }))
    }

    fn lost() -> Failure {
        Failure::NoAnswer("reset".to_owned())
    }

    fn tries() -> Tries {
        Tries::new(Policy::default(), true)
    }

    fn stopped(next: Next) -> Error {
        match next {
            Next::Stop(error) => error,
            Next::Wait { .. } => panic!("{next:?}"),
        }
    }

    #[test]
    fn what_was_decided_is_not_asked_again() {
        for (status, code) in [(409, "user_limit"), (422, "invalid"), (500, "internal")] {
            let error = stopped(tries().after(problem(status, code, None, Some(7)), 0, None));
            assert_eq!(error.code(), Some(code));
        }
    }

    #[test]
    fn the_server_says_how_long_to_stay_away() {
        for (status, code) in [(503, "overloaded"), (409, "sold_out"), (503, "outcome_unknown")] {
            let next = tries().after(problem(status, code, Some(1234), None), 0, None);
            assert!(matches!(next, Next::Wait { wait_ms: 1234 }), "{code}: {next:?}");
        }
    }

    #[test]
    fn no_wait_is_begun_that_ends_past_the_deadline() {
        let failure = || problem(503, "overloaded", Some(1000), None);
        assert!(matches!(tries().after(failure(), 28_999, None), Next::Wait { .. }));
        assert_eq!(stopped(tries().after(failure(), 29_000, None)).code(), Some("overloaded"));
        assert_eq!((tries().within_ms(0), tries().within_ms(29_500)), (10_000, 500));
    }

    #[test]
    fn attempts_are_bounded() {
        let mut tries = tries();
        for _ in 1..8 {
            let next = tries.after(Failure::NotSent("refused".to_owned()), 0, None);
            assert!(matches!(next, Next::Wait { wait_ms: 25..=2000 }), "{next:?}");
        }
        let error = stopped(tries.after(Failure::NotSent("refused".to_owned()), 0, None));
        assert!(matches!(error, Error::NotReached { attempts: 8, .. }), "{error}");
    }

    #[test]
    fn whoever_does_not_wait_for_change_gets_the_refusal_at_once() {
        let policy = Policy { waits_for_change: false, ..Policy::default() };
        let mut tries = Tries::new(policy, true);
        let next = tries.after(problem(503, "overloaded", Some(1), None), 0, None);
        assert!(matches!(next, Next::Wait { .. }), "{next:?}");
        let next = tries.after(problem(409, "sold_out", Some(1), Some(3)), 0, None);
        assert_eq!(stopped(next).code(), Some("sold_out"));
    }

    /// What must not happen twice is not repeated after a lost answer.
    #[test]
    fn what_must_not_happen_twice_is_not_repeated() {
        for failure in [lost(), problem(503, "outcome_unknown", Some(1), None)] {
            let mut tries = Tries::new(Policy::default(), false);
            let error = stopped(tries.after(failure, 0, None));
            assert!(matches!(error, Error::OutcomeUnknown { key: None, .. }), "{error}");
        }
        // What was refused, or never sent, may be.
        let mut tries = Tries::new(Policy::default(), false);
        let failure = problem(503, "overloaded", Some(1), None);
        assert!(matches!(tries.after(failure, 0, None), Next::Wait { .. }));
    }

    /// After a lost answer only one with a sequence settles what happened.
    #[test]
    fn only_an_answer_with_a_sequence_settles_a_lost_one() {
        let key = Key::new("k").unwrap();
        let mut unsettled = tries();
        unsettled.after(lost(), 0, Some(&key));
        let failure = problem(503, "draining", Some(60_000), None);
        let error = stopped(unsettled.after(failure, 0, Some(&key)));
        assert!(
            matches!(&error, Error::OutcomeUnknown { key: Some(own), attempts: 2, .. } if *own == key),
            "{error}"
        );
        let mut settled = tries();
        settled.after(lost(), 0, Some(&key));
        let failure = problem(409, "sold_out", None, Some(9));
        assert_eq!(stopped(settled.after(failure, 0, Some(&key))).code(), Some("sold_out"));
    }
}

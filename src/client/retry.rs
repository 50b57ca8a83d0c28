//! When to ask again, and what to say when not.
//!
//! Owns the judgement, as plain values: no socket, no clock. A decision ends it: any 2xx, any
//! refusal that is not retryable. A lost answer makes the outcome unknown until an answer settles
//! it: one with a sequence was decided after looking the key up, any other settles nothing. Where
//! there are several servers, what the writer alone can answer is asked of the next one at once,
//! and only after all of them is there a wait. Next: `attempt`, `servers`.

use super::error::{Error, Problem};
use super::key::Key;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, at least 1; of several servers each is asked so often. Default 8.
    pub attempts_max: u32,
    /// For one attempt, connecting included, in milliseconds. The server is told, and does not
    /// decide later than that. Default 10,000.
    pub attempt_ms_max: u64,
    /// With several servers: how long one may take to be connected, and to answer what may be asked
    /// again, until the next one is asked, in milliseconds. Default 2,000.
    pub move_on_ms: u64,
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
            move_on_ms: 2_000,
            deadline_ms: 30_000,
            waits_for_change: true,
        }
    }
}

impl Policy {
    /// One attempt, at each server if there are several, and whatever it says.
    #[must_use]
    pub fn once() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }
}

/// The first wait where the server named none, in milliseconds; doubled each time.
const WAIT_MS: u64 = 50;
const WAIT_MS_MAX: u64 = 2_000;

/// How long an attempt may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For everything.
    pub(super) whole: Duration,
    /// For a connection.
    pub(super) connect: Duration,
    /// What the server is told: it does not decide later.
    pub(super) decide: Duration,
}

/// Why an attempt did not do.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(Box<Problem>),
    NotSent(String),
    NoAnswer(String),
}

impl Failure {
    /// Another server may have more to say: this one is gone, going, not the writer, or cut off
    /// from those that may have made another one the writer.
    pub(super) fn is_of_this_server(&self) -> bool {
        const CODES: [&str; 5] =
            ["not_writer", "draining", "recovering", "unreplicated", "outcome_unknown"];
        match self {
            Self::NotSent(_) | Self::NoAnswer(_) => true,
            Self::Refused(problem) => CODES.contains(&&*problem.code),
        }
    }

    /// The writer's URL, if the server is another one and knows it.
    pub(super) fn named_writer(&self) -> Option<String> {
        match self {
            Self::Refused(problem) if problem.code == "not_writer" => {
                problem.members.get("writer")?.as_str().map(str::to_owned)
            }
            _ => None,
        }
    }
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask another server, at once.
    Elsewhere,
    Wait {
        wait_ms: u64,
    },
    Stop(Error),
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Tries {
    policy: Policy,
    repeats: bool,
    several: bool,
    failed: u32,
    /// How often there was nobody left to ask but after a wait.
    rounds: u32,
    /// The shortest wait that was asked for in this round.
    soonest_ms: u64,
    /// An attempt went out whose outcome is not known yet.
    unsettled: bool,
}

impl Tries {
    pub(super) fn new(policy: Policy, repeats: bool, several: bool) -> Self {
        let (failed, rounds, soonest_ms, unsettled) = (0, 0, u64::MAX, false);
        Self { policy, repeats, several, failed, rounds, soonest_ms, unsettled }
    }

    /// Attempts that failed.
    pub(super) fn count(&self) -> u32 {
        self.failed
    }

    /// How long the next attempt may take: whole, for a connection, and until a decision.
    pub(super) fn limits(&self, spent_ms: u64) -> Limits {
        let left_ms = self.policy.deadline_ms.saturating_sub(spent_ms);
        let decide_ms = left_ms.clamp(1, self.policy.attempt_ms_max);
        let connect_ms = match self.several {
            true => decide_ms.min(self.policy.move_on_ms),
            false => decide_ms,
        };
        let whole_ms = if self.repeats { connect_ms } else { decide_ms };
        Limits {
            whole: Duration::from_millis(whole_ms),
            connect: Duration::from_millis(connect_ms),
            decide: Duration::from_millis(decide_ms),
        }
    }

    /// What follows a failed attempt; `others` says whether some server was not asked yet in this
    /// round.
    pub(super) fn after(
        &mut self,
        failure: Failure,
        spent_ms: u64,
        key: Option<&Key>,
        others: bool,
    ) -> Next {
        self.failed += 1;
        self.settle(&failure);
        if let Some(mut wait_ms) = self.wait_ms(&failure) {
            if failure.is_of_this_server() {
                wait_ms = wait_ms.min(self.soonest_ms);
                if others && spent_ms < self.policy.deadline_ms {
                    self.soonest_ms = wait_ms;
                    return Next::Elsewhere;
                }
            }
            self.rounds += 1;
            self.soonest_ms = u64::MAX;
            let in_time = spent_ms.saturating_add(wait_ms) < self.policy.deadline_ms;
            if self.rounds < self.policy.attempts_max && in_time {
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
                let wait_ms = problem.retry_after_ms.unwrap_or_else(|| self.backoff_ms());
                // That long this server will not write; one of the others may begin at any time.
                let sought = self.several && problem.code == "not_writer";
                let wait_ms = if sought { wait_ms.min(self.backoff_ms()) } else { wait_ms };
                again.then_some(wait_ms)
            }
        }
    }

    fn waits(&self) -> bool {
        self.policy.waits_for_change
    }

    /// Doubled each time, and somewhere in its upper half, so that clients that were cut off
    /// together do not come back together.
    fn backoff_ms(&self) -> u64 {
        let doubled = WAIT_MS << self.rounds.min(16);
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
        Tries::new(Policy::default(), true, false)
    }

    fn stopped(next: Next) -> Error {
        match next {
            Next::Stop(error) => error,
            Next::Wait { .. } | Next::Elsewhere => panic!("{next:?}"),
        }
    }

    #[test]
    fn what_was_decided_is_not_asked_again() {
        for (status, code) in [(409, "user_limit"), (422, "invalid"), (500, "internal")] {
            let error =
                stopped(tries().after(problem(status, code, None, Some(7)), 0, None, false));
            assert_eq!(error.code(), Some(code));
        }
    }

    #[test]
    fn the_server_says_how_long_to_stay_away() {
        for (status, code) in [(503, "overloaded"), (409, "sold_out"), (503, "outcome_unknown")] {
            let next = tries().after(problem(status, code, Some(1234), None), 0, None, false);
            assert!(matches!(next, Next::Wait { wait_ms: 1234 }), "{code}: {next:?}");
        }
    }

    #[test]
    fn no_wait_is_begun_that_ends_past_the_deadline() {
        let failure = || problem(503, "overloaded", Some(1000), None);
        assert!(matches!(tries().after(failure(), 28_999, None, false), Next::Wait { .. }));
        assert_eq!(
            stopped(tries().after(failure(), 29_000, None, false)).code(),
            Some("overloaded")
        );
        let decide_ms = |spent_ms| tries().limits(spent_ms).decide.as_millis();
        assert_eq!((decide_ms(0), decide_ms(29_500)), (10_000, 500));
    }

    #[test]
    fn attempts_are_bounded() {
        let mut tries = tries();
        for _ in 1..8 {
            let next = tries.after(Failure::NotSent("refused".to_owned()), 0, None, false);
            assert!(matches!(next, Next::Wait { wait_ms: 25..=2000 }), "{next:?}");
        }
        let error = stopped(tries.after(Failure::NotSent("refused".to_owned()), 0, None, false));
        assert!(matches!(error, Error::NotReached { attempts: 8, .. }), "{error}");
    }

    #[test]
    fn whoever_does_not_wait_for_change_gets_the_refusal_at_once() {
        let policy = Policy { waits_for_change: false, ..Policy::default() };
        let mut tries = Tries::new(policy, true, false);
        let next = tries.after(problem(503, "overloaded", Some(1), None), 0, None, false);
        assert!(matches!(next, Next::Wait { .. }), "{next:?}");
        let next = tries.after(problem(409, "sold_out", Some(1), Some(3)), 0, None, false);
        assert_eq!(stopped(next).code(), Some("sold_out"));
    }

    /// What must not happen twice is not repeated after a lost answer.
    #[test]
    fn what_must_not_happen_twice_is_not_repeated() {
        for failure in [lost(), problem(503, "outcome_unknown", Some(1), None)] {
            let mut tries = Tries::new(Policy::default(), false, false);
            let error = stopped(tries.after(failure, 0, None, false));
            assert!(matches!(error, Error::OutcomeUnknown { key: None, .. }), "{error}");
        }
        // What was refused, or never sent, may be.
        let mut tries = Tries::new(Policy::default(), false, false);
        let failure = problem(503, "overloaded", Some(1), None);
        assert!(matches!(tries.after(failure, 0, None, false), Next::Wait { .. }));
    }

    /// After a lost answer only one with a sequence settles what happened.
    #[test]
    fn only_an_answer_with_a_sequence_settles_a_lost_one() {
        let key = Key::new("k").unwrap();
        let mut unsettled = tries();
        unsettled.after(lost(), 0, Some(&key), false);
        let failure = problem(503, "draining", Some(60_000), None);
        let error = stopped(unsettled.after(failure, 0, Some(&key), false));
        assert!(
            matches!(&error, Error::OutcomeUnknown { key: Some(own), attempts: 2, .. } if *own == key),
            "{error}"
        );
        let mut settled = tries();
        settled.after(lost(), 0, Some(&key), false);
        let failure = problem(409, "sold_out", None, Some(9));
        assert_eq!(stopped(settled.after(failure, 0, Some(&key), false)).code(), Some("sold_out"));
    }

    fn of_several() -> Tries {
        Tries::new(Policy::default(), true, true)
    }

    fn not_writer() -> Failure {
        problem(503, "not_writer", Some(1_000), None)
    }

    #[test]
    fn another_server_is_asked_at_once_and_no_wait_is_between() {
        let failures = [
            lost(),
            Failure::NotSent("refused".to_owned()),
            not_writer(),
            problem(503, "draining", Some(9_000), None),
            problem(503, "recovering", Some(9_000), None),
            problem(503, "unreplicated", Some(9_000), None),
            problem(503, "outcome_unknown", Some(9_000), None),
        ];
        for failure in failures {
            let told = format!("{failure:?}");
            let next = of_several().after(failure, 0, None, true);
            assert!(matches!(next, Next::Elsewhere), "{told}: {next:?}");
        }
    }

    #[test]
    fn what_the_writer_says_is_not_asked_elsewhere() {
        for (status, code) in [(503, "overloaded"), (503, "no_space"), (429, "rate_limited")] {
            let next = of_several().after(problem(status, code, Some(700), None), 0, None, true);
            assert!(matches!(next, Next::Wait { wait_ms: 700 }), "{code}: {next:?}");
        }
        let refused = problem(409, "user_limit", None, Some(7));
        let error = stopped(of_several().after(refused, 0, None, true));
        assert_eq!(error.code(), Some("user_limit"));
    }

    /// A request without a key whose answer was lost is not asked of another server either.
    #[test]
    fn what_must_not_happen_twice_is_not_asked_elsewhere() {
        let mut tries = Tries::new(Policy::default(), false, true);
        let error = stopped(tries.after(lost(), 0, None, true));
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
        let mut tries = Tries::new(Policy::default(), false, true);
        assert!(matches!(tries.after(not_writer(), 0, None, true), Next::Elsewhere));
    }

    #[test]
    fn a_round_counts_as_one_attempt_and_waits_as_its_soonest() {
        let mut tries = of_several();
        for round in 1..8 {
            let draining = problem(503, "draining", Some(9_000), None);
            assert!(matches!(tries.after(not_writer(), 0, None, true), Next::Elsewhere));
            let next = tries.after(draining, 0, None, false);
            assert!(matches!(next, Next::Wait { wait_ms: 25..=1000 }), "{round}: {next:?}");
        }
        assert!(matches!(tries.after(not_writer(), 0, None, true), Next::Elsewhere));
        let error = stopped(tries.after(Failure::NotSent("refused".to_owned()), 0, None, false));
        assert!(matches!(error, Error::NotReached { attempts: 16, .. }), "{error}");
    }

    #[test]
    fn one_server_that_does_not_write_is_left_alone_as_it_says() {
        let next = tries().after(not_writer(), 0, None, false);
        assert!(matches!(next, Next::Wait { wait_ms: 1_000 }), "{next:?}");
    }

    /// What may be asked again is not waited for as long as what may not.
    #[test]
    fn several_servers_are_left_sooner_than_one() {
        let ms = |tries: Tries| {
            let limits = tries.limits(0);
            [limits.whole, limits.connect, limits.decide].map(|limit| limit.as_millis())
        };
        assert_eq!(ms(tries()), [10_000, 10_000, 10_000]);
        assert_eq!(ms(of_several()), [2_000, 2_000, 10_000]);
        assert_eq!(ms(Tries::new(Policy::default(), false, true)), [10_000, 2_000, 10_000]);
    }
}

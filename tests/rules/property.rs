//! Over random histories the engine answers what the model answers, event for event.
//!
//! Compared are whole answers with their sequences, every view of the state after each sweep, and
//! a state replayed from the records, with which each start goes on. Replayed answers must equal
//! the first ones field by field.
//!
//! `PROPTEST_CASES=5000` runs more histories (default 400 of each kind), `RULES_SEED=17` others
//! (default 1). A failure prints the line that reruns it, and the shortest history found. Next:
//! `history`, `asking`, `model`.

use crate::asking::Clients;
use crate::draw_history::draw_history;
use crate::harness::{BASE, Engine};
use crate::history::{History, Step, history};
use crate::wording::say;
use doorbuster::domain::model::answer::{Answer, Answered, Refusal};
use doorbuster::domain::model::command::{Command, Request};
use doorbuster::domain::model::ids::Stamp;
use doorbuster_witness::model::Model;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::collections::BTreeMap;

/// Histories of each kind, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 400;

/// Windows may begin a little earlier than a history.
const START: Stamp = BASE + 1_000;

/// How often each kind of answer was given.
type Tally = BTreeMap<String, u32>;

/// One history on both sides.
struct Run {
    engine: Engine,
    model: Model,
    clients: Clients,
    first_answers: BTreeMap<u128, Answered>,
    now: Stamp,
    tally: Tally,
}

impl Run {
    fn of(history: &History) -> Result<Tally, String> {
        let settings = history.settings.clone();
        let mut run = Self {
            engine: Engine::start(settings.clone(), START),
            model: Model::start(settings, START),
            clients: Clients::default(),
            first_answers: BTreeMap::new(),
            now: START,
            tally: Tally::new(),
        };
        for (number, step) in history.steps.iter().enumerate() {
            run.step(step).map_err(|why| format!("step {number}, {step:?}: {why}"))?;
        }
        run.compare_everything()?;
        run.engine.check_replay();
        Ok(run.tally)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let now = self.now;
        match step {
            Step::Pass(time) => self.now += time,
            Step::Ask { who, key, ask } => {
                let request = self.clients.request(*who, *key, ask, now);
                return self.ask(&request);
            }
            Step::Repeat(age) => {
                if let Some(request) = self.clients.again(*age) {
                    return self.ask(&request);
                }
            }
            Step::Expire => {
                self.engine.expire(now);
                self.model.expire_due(now);
                return self.compare_everything();
            }
            Step::Tidy => {
                self.engine.tidy(now);
                self.model.tidy(now);
                return self.compare_everything();
            }
            Step::CountRefusals => {
                self.engine.count_refusals(now);
                self.model.count_refusals();
            }
            Step::Restart => {
                self.engine.restart(now);
                self.model.restart(now);
                return self.compare_everything();
            }
            Step::Change(settings) => {
                self.engine.change_settings(settings.clone(), now);
                self.model.change_settings(settings.clone());
            }
        }
        Ok(())
    }

    fn ask(&mut self, request: &Request) -> Result<(), String> {
        let answered = self.compare(request)?;
        if let Some(claim) = request.key {
            if answered.replayed {
                let first = Answered { replayed: true, ..self.first_answers[&claim.hash].clone() };
                if first != answered {
                    return Err(format!("first answered {first:?}\n   replayed {answered:?}"));
                }
            } else if !matches!(answered.answer, Answer::Refused(_)) {
                self.first_answers.insert(claim.hash, answered.clone());
            }
        }
        *self.tally.entry(kind(&request.command, &answered)).or_default() += 1;
        self.clients.hear(request, &answered);
        Ok(())
    }

    /// Asks both.
    fn compare(&mut self, request: &Request) -> Result<Answered, String> {
        let got = self.engine.request(request, self.now);
        let expected = self.model.request(request, self.now);
        if without_words(&got) != without_words(&expected) {
            return Err(format!("{request:?}\n   model {expected:?}\n  engine {got:?}"));
        }
        Ok(got)
    }

    fn compare_everything(&mut self) -> Result<(), String> {
        for request in self.clients.look_everywhere() {
            self.compare(&request)?;
        }
        Ok(())
    }
}

/// What is wrong with a member is said to people; which member it is, to programs.
fn without_words(answered: &Answered) -> Answered {
    let mut answered = answered.clone();
    if let Answer::Refused(Refusal::Invalid { reason, .. }) = &mut answered.answer {
        *reason = "";
    }
    answered
}

/// An answer's kind: what was asked, status, code, and which table is full.
fn kind(command: &Command, answered: &Answered) -> String {
    let asked = match command {
        Command::CreateOrder(_) => "create",
        Command::ActOnOrder(..) => "act",
        Command::PutSku(_) => "put",
        Command::PatchSku(_) => "patch",
        Command::AdjustSku(_) => "adjust",
        Command::DeleteSku(_) => "delete",
        Command::PutDraw(_) => "draw",
        Command::EnterDraw(_) => "enter",
        Command::CloseDraw(_) => "close",
        Command::DeleteDraw(_) => "drop",
        Command::Read(_) => "read",
    };
    if let Answer::Entered(entry) = &answered.answer {
        let replayed = if answered.replayed { " replayed" } else { "" };
        return format!("enter 201 {}{replayed}", entry.reason.as_str());
    }
    let said = say(answered, &|id| format!("{}-{}", id.epoch, id.sequence));
    let words = match &answered.answer {
        Answer::Refused(Refusal::Capacity(_) | Refusal::Invalid { .. }) => 3,
        Answer::Refused(_) | Answer::Order(_) | Answer::Created(_) => 2,
        _ => 1,
    };
    let said: Vec<&str> = said.split(' ').take(words).collect();
    format!("{asked} {}{}", said.join(" "), if answered.replayed { " replayed" } else { "" })
}

fn seed() -> u64 {
    std::env::var("RULES_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn check(name: &str, histories: impl Strategy<Value = History>) {
    let (cases, seed) = (cases(), seed());
    let outcome = runner(cases, seed)
        .run(&histories, |history| Run::of(&history).map(|_| ()).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, history)) => {
            let steps: Vec<String> = history.steps.iter().map(|step| format!("{step:?}")).collect();
            let (settings, steps) = (history.settings, steps.join("\n"));
            let rerun = format!("cargo test --test rules property::{name}");
            panic!(
                "{settings:?}\n{steps}\n{why}\n\nto rerun: \
                 RULES_SEED={seed} PROPTEST_CASES={cases} {rerun}\n"
            )
        }
        Err(aborted) => panic!("{aborted}"),
    }
}

#[test]
fn the_engine_answers_as_the_model_with_room() {
    check("the_engine_answers_as_the_model_with_room", history(1..400, false));
}

#[test]
fn the_engine_answers_as_the_model_with_full_tables() {
    check("the_engine_answers_as_the_model_with_full_tables", history(1..400, true));
}

#[test]
fn the_engine_answers_as_the_model_with_draws() {
    check("the_engine_answers_as_the_model_with_draws", draw_history(1..300, false));
}

#[test]
fn the_engine_answers_as_the_model_with_draws_and_full_tables() {
    check("the_engine_answers_as_the_model_with_draws_and_full_tables", draw_history(1..300, true));
}

/// What the generator must reach, and how often at least, in the histories counted below.
const REACHED: &[(&str, u32)] = &[
    ("act 200 cancelled", 40),
    ("act 200 cancelled replayed", 3),
    ("act 200 completed", 30),
    ("act 200 completed replayed", 2),
    ("act 200 confirmed", 580),
    ("act 200 confirmed replayed", 70),
    ("act 200 expired", 40),
    ("act 200 expired replayed", 2),
    ("act 200 held", 30),
    ("act 200 held replayed", 7),
    ("act 200 refunded", 130),
    ("act 200 refunded replayed", 15),
    ("act 200 shipped", 200),
    ("act 200 shipped replayed", 28),
    ("act 404 unknown_order", 1040),
    ("act 404 unknown_sku", 13),
    ("act 409 invalid_transition", 970),
    ("act 409 sold_out", 1),
    ("act 409 user_limit", 3),
    ("act 410 hold_expired", 70),
    ("act 422 idempotency_key_reused", 210),
    ("act 422 invalid lines", 180),
    ("act 503 capacity keys", 20),
    ("adjust 200", 130),
    ("adjust 200 replayed", 30),
    ("adjust 404 unknown_sku", 140),
    ("adjust 409 stock_below_committed", 13),
    ("adjust 412 version_mismatch", 80),
    ("adjust 422 idempotency_key_reused", 60),
    ("adjust 428 if_match_required", 17),
    ("adjust 503 capacity answers", 12),
    ("adjust 503 capacity keys", 4),
    ("create 201 confirmed", 410),
    ("create 201 confirmed replayed", 60),
    ("create 201 held", 410),
    ("create 201 held replayed", 60),
    ("create 404 unknown_sku", 1090),
    ("create 409 hold_limit", 16),
    ("create 409 not_open", 40),
    ("create 409 paused", 170),
    ("create 409 sold_out", 90),
    ("create 409 user_limit", 370),
    ("create 410 closed", 80),
    ("create 422 idempotency_key_reused", 160),
    ("create 503 capacity keys", 13),
    ("create 503 capacity orders", 70),
    ("create 503 capacity users", 40),
    ("create 503 capacity uses", 40),
    ("delete 204", 200),
    ("delete 404 unknown_sku", 30),
    ("delete 409 in_use", 70),
    ("delete 412 version_mismatch", 19),
    ("delete 428 if_match_required", 11),
    ("patch 200", 170),
    ("patch 404 unknown_sku", 130),
    ("patch 412 version_mismatch", 50),
    ("put 200", 140),
    ("put 201", 310),
    ("put 409 stock_below_committed", 16),
    ("put 412 version_mismatch", 130),
    ("put 428 if_match_required", 80),
    ("put 503 capacity skus", 30),
    ("read 200", 800),
    ("read 200 cancelled", 4),
    ("read 200 confirmed", 40),
    ("read 200 expired", 12),
    ("read 200 held", 14),
    ("read 200 refunded", 10),
    ("read 200 shipped", 7),
    ("read 201", 8),
    ("read 404 unknown_order", 120),
    ("read 404 unknown_request", 210),
    ("read 404 unknown_sku", 90),
];

/// The same where draws happen.
const REACHED_WITH_DRAWS: &[(&str, u32)] = &[
    ("act 409 draw_only", 10),
    ("close 200", 260),
    ("close 200 replayed", 10),
    ("close 404 unknown_draw", 370),
    ("close 422 idempotency_key_reused", 40),
    ("close 503 capacity answers", 20),
    ("close 503 capacity keys", 4),
    ("create 409 draw_only", 800),
    ("draw 200", 140),
    ("draw 201", 200),
    ("draw 404 unknown_sku", 360),
    ("draw 409 in_use", 220),
    ("draw 410 closed", 100),
    ("draw 412 version_mismatch", 330),
    ("draw 428 if_match_required", 180),
    ("draw 503 capacity draws", 20),
    ("drop 204", 80),
    ("drop 404 unknown_draw", 240),
    ("drop 409 in_use", 120),
    ("drop 412 version_mismatch", 50),
    ("enter 201 blank", 310),
    ("enter 201 blank replayed", 60),
    ("enter 201 closed", 20),
    ("enter 201 closed replayed", 2),
    ("enter 201 no_stock", 10),
    ("enter 201 no_stock replayed", 1),
    ("enter 201 not_open", 10),
    ("enter 201 not_open replayed", 1),
    ("enter 201 paused", 40),
    ("enter 201 paused replayed", 10),
    ("enter 201 user_limit", 30),
    ("enter 201 user_limit replayed", 5),
    ("enter 201 won", 350),
    ("enter 201 won replayed", 50),
    ("enter 404 unknown_draw", 3080),
    ("enter 409 entry_limit", 230),
    ("enter 409 hold_limit", 20),
    ("enter 409 not_open", 10),
    ("enter 410 closed", 1530),
    ("enter 422 idempotency_key_reused", 1820),
    ("enter 503 capacity entries", 60),
    ("enter 503 capacity keys", 30),
    ("enter 503 capacity orders", 60),
    ("enter 503 capacity users", 40),
    ("enter 503 capacity uses", 40),
    ("read 404 unknown_draw", 1080),
];

#[test]
fn the_histories_reach_every_kind_of_answer() {
    check_reached(REACHED, |tight| history(300..400, tight).boxed());
}

#[test]
fn the_histories_with_draws_reach_every_kind_of_answer_of_draws() {
    check_reached(REACHED_WITH_DRAWS, |tight| draw_history(200..300, tight).boxed());
}

fn check_reached(reach: &[(&str, u32)], histories: impl Fn(bool) -> BoxedStrategy<History>) {
    let mut tally = Tally::new();
    for tight in [false, true] {
        let mut runner = runner(1, 1);
        for _ in 0..60 {
            let drawn = histories(tight).new_tree(&mut runner).expect("a history");
            for (kind, count) in Run::of(&drawn.current()).expect("both agree") {
                *tally.entry(kind).or_default() += count;
            }
        }
    }
    let reached = |kind: &str| tally.get(kind).copied().unwrap_or(0);
    let missed: Vec<_> = reach.iter().filter(|(kind, least)| reached(kind) < *least).collect();
    assert!(missed.is_empty(), "too seldom: {missed:?} in {tally:#?}");
}

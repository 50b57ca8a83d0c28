//! No wake is lost and nothing arrives before what it brings, in any order of the steps; and the
//! same checks find each planted mistake, so that they can fail.

use doorbuster_loom::sound::scenarios::Closing;
use doorbuster_loom::{fenceless, relaxed, sound};
use std::env;
use std::process::Command;

/// Says to a process of this test that it is to run into the mistake.
const RUN_INTO_IT: &str = "DOORBUSTER_LOOM_MISTAKE";

/// Panics unless the model checker finds something wrong, and describes it like this. It cannot be
/// caught, since what it interrupts drops things that it watches: so it ends a process of its own.
fn check_found(test: &str, expected: &str, scenario: fn()) {
    if env::var_os(RUN_INTO_IT).is_some() {
        loom::model(scenario);
        return;
    }
    let mut again = Command::new(env::current_exe().expect("this test is a program"));
    let ended = again.args([test, "--exact", "--nocapture"]).env(RUN_INTO_IT, "1").output();
    let ended = ended.expect("it runs once more");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "the mistake was not found");
    assert!(told.contains(expected), "found something else: {told}");
}

#[test]
fn no_request_waits_while_the_writer_sleeps() {
    loom::model(|| sound::scenarios::the_writer_sees_every_request(1));
    // With two lanes every order would take minutes; a mistake needs few threads cut off.
    let mut some = loom::model::Builder::new();
    some.preemption_bound = Some(2);
    some.check(|| sound::scenarios::the_writer_sees_every_request(2));
}

#[test]
fn a_call_brings_what_was_published_before_it() {
    loom::model(sound::scenarios::a_call_brings_what_was_published_before_it);
}

#[test]
fn the_writer_ends_when_the_last_lane_closes() {
    let closing = Closing::GoesThenCalls;
    loom::model(move || sound::scenarios::the_writer_ends_when_the_last_lane_closes(closing));
}

#[test]
fn an_answer_leaves_once_it_is_durable() {
    loom::model(sound::scenarios::an_answer_leaves_once_it_is_durable);
}

#[test]
fn the_later_of_the_writer_and_the_copies_wakes_the_lane() {
    let mut some = loom::model::Builder::new();
    some.preemption_bound = Some(3);
    some.check(sound::scenarios::the_later_of_the_writer_and_the_copies_wakes_the_lane);
}

#[test]
fn a_follower_hears_that_the_journal_moved() {
    loom::model(sound::scenarios::a_follower_hears_that_the_journal_moved);
}

#[test]
fn all_that_wait_hear_that_the_writer_stopped() {
    loom::model(sound::scenarios::all_that_wait_hear_that_the_writer_stopped);
}

#[test]
fn who_waits_for_room_gets_it() {
    loom::model(sound::scenarios::who_waits_for_room_gets_it);
}

#[test]
fn who_begins_to_ship_the_journal_hears_of_the_turn() {
    let mut some = loom::model::Builder::new();
    some.preemption_bound = Some(3);
    some.check(sound::scenarios::who_begins_to_ship_the_journal_hears_of_the_turn);
}

#[test]
fn who_ships_the_journal_hears_what_is_appended() {
    loom::model(sound::scenarios::who_ships_the_journal_hears_what_is_appended);
}

#[test]
fn a_lane_that_misses_the_lease_hears_of_the_next() {
    loom::model(sound::scenarios::a_lane_that_misses_the_lease_hears_of_the_next);
}

#[test]
fn without_fences_an_extended_lease_leaves_a_lane_asleep() {
    let scenario = fenceless::scenarios::a_lane_that_misses_the_lease_hears_of_the_next;
    check_found("without_fences_an_extended_lease_leaves_a_lane_asleep", "deadlock", scenario);
}

#[test]
fn without_fences_who_ships_the_journal_sleeps_for_ever() {
    let scenario = fenceless::scenarios::who_begins_to_ship_the_journal_hears_of_the_turn;
    check_found("without_fences_who_ships_the_journal_sleeps_for_ever", "deadlock", scenario);
}

#[test]
fn without_fences_a_request_is_left_to_a_sleeping_writer() {
    check_found("without_fences_a_request_is_left_to_a_sleeping_writer", "deadlock", || {
        fenceless::scenarios::the_writer_sees_every_request(1);
    });
}

#[test]
fn without_fences_an_answer_is_left_to_a_sleeping_lane() {
    let scenario = fenceless::scenarios::the_later_of_the_writer_and_the_copies_wakes_the_lane;
    check_found("without_fences_an_answer_is_left_to_a_sleeping_lane", "deadlock", scenario);
}

#[test]
fn without_fences_who_waits_for_room_waits_for_ever() {
    let scenario = fenceless::scenarios::who_waits_for_room_gets_it;
    check_found("without_fences_who_waits_for_room_waits_for_ever", "deadlock", scenario);
}

#[test]
fn with_relaxed_steps_a_call_overtakes_its_request() {
    let scenario = relaxed::scenarios::a_call_brings_what_was_published_before_it;
    let expected = "the call came before the request";
    check_found("with_relaxed_steps_a_call_overtakes_its_request", expected, scenario);
}

#[test]
fn with_relaxed_steps_a_cursor_overtakes_the_answer() {
    let scenario = relaxed::scenarios::an_answer_leaves_once_it_is_durable;
    let expected = "what is durable was answered before";
    check_found("with_relaxed_steps_a_cursor_overtakes_the_answer", expected, scenario);
}

#[test]
fn a_lane_that_calls_before_it_goes_leaves_the_writer_asleep() {
    check_found("a_lane_that_calls_before_it_goes_leaves_the_writer_asleep", "deadlock", || {
        sound::scenarios::the_writer_ends_when_the_last_lane_closes(Closing::CallsThenGoes);
    });
}

//! The rules of the node that writes, one fact each.

use super::event::{EndReason, NodeRole, RoleAction, RoleEvent, Seen, SwapOutcome};
use super::timing::Timing;
use super::{Found, RoleMachine, RoleSettings};
use crate::cluster::node::{Node, NodeSet};
use crate::cluster::register::{Held, Membership, OperationId};

fn node(place: usize) -> Node {
    Node::at(place).expect("it is a place")
}

fn set(places: &[usize]) -> NodeSet {
    places.iter().map(|place| node(*place)).collect()
}

const START_MS: u64 = 10_000;

/// The first node, elected in epoch 6, with these in sync and so many wanted.
fn elected(in_sync: &[usize], copies: usize) -> RoleMachine {
    let timing = Timing::default();
    let settings = RoleSettings { own: node(0), nodes: 3, copies, timing, process: 7 };
    let seen = Some(Seen { epoch: 5, version: 8, began_empty: false });
    let mut machine = RoleMachine::start(settings, Found { log_epoch: 5, seen }, START_MS);
    let operation = OperationId { process: 1, number: 1 };
    let membership = Membership { epoch: 5, writer: node(0), in_sync: set(in_sync), operation };
    let read = RoleEvent::Read(Some(Held { version: 9, membership }));
    let (_, proposal) = change_of(&machine.handle(START_MS, read)).expect("it claims");
    let done = RoleEvent::Swapped(proposal.operation, SwapOutcome::Done(10));
    assert!(machine.handle(START_MS, done).contains(&RoleAction::Begin(6)));
    machine
}

/// The same, with `Started` at 11 and synced here, and its copies connected at 10.
fn begun(in_sync: &[usize], copies: usize) -> RoleMachine {
    let mut machine = elected(in_sync, copies);
    machine.handle(START_MS, RoleEvent::Began { started: 11, settled: 5 });
    machine.handle(START_MS, RoleEvent::Synced(11));
    for place in in_sync.iter().filter(|place| **place != 0) {
        join(&mut machine, *place, 10);
    }
    machine
}

fn join(machine: &mut RoleMachine, place: usize, end: u64) -> Vec<RoleAction> {
    let joined = RoleEvent::Joined { copy: node(place), end, began_empty: false };
    machine.handle(START_MS, joined)
}

fn acknowledge(machine: &mut RoleMachine, place: usize, end: u64, sent_ms: u64) -> Vec<RoleAction> {
    let event = RoleEvent::Acknowledged { copy: node(place), epoch: 6, end, sent_ms };
    machine.handle(START_MS, event)
}

/// The same, serving.
fn serving(in_sync: &[usize], copies: usize) -> RoleMachine {
    let mut machine = begun(in_sync, copies);
    for place in in_sync.iter().filter(|place| **place != 0) {
        acknowledge(&mut machine, *place, 11, START_MS);
    }
    assert_eq!(machine.role(), NodeRole::Writing);
    machine
}

fn change_of(actions: &[RoleAction]) -> Option<(u64, Membership)> {
    actions.iter().find_map(|action| match action {
        RoleAction::Swap { version, proposal } => Some((*version, *proposal)),
        _ => None,
    })
}

#[test]
fn settled_is_what_all_have_synced() {
    let mut machine = begun(&[0, 1, 2], 3);
    acknowledge(&mut machine, 1, 11, START_MS);
    assert_eq!(machine.settled(), 10);
    acknowledge(&mut machine, 2, 11, START_MS);
    assert_eq!(machine.settled(), 11);
}

#[test]
fn settled_waits_for_the_own_sync() {
    let mut machine = serving(&[0, 1], 2);
    machine.handle(START_MS, RoleEvent::Appended(12));
    acknowledge(&mut machine, 1, 12, START_MS);
    assert_eq!(machine.settled(), 11);
    machine.handle(START_MS, RoleEvent::Synced(12));
    assert_eq!(machine.settled(), 12);
}

#[test]
fn an_acknowledgement_of_another_epoch_does_not_count() {
    let mut machine = begun(&[0, 1], 2);
    let old = RoleEvent::Acknowledged { copy: node(1), epoch: 5, end: 11, sent_ms: START_MS };
    machine.handle(START_MS, old);
    assert_eq!(machine.settled(), 10);
}

#[test]
fn nothing_is_served_before_the_own_start_is_settled() {
    let mut machine = begun(&[0, 1], 2);
    acknowledge(&mut machine, 1, 10, START_MS);
    assert_eq!((machine.role(), machine.good_until_ms()), (NodeRole::Elected, None));
    acknowledge(&mut machine, 1, 11, START_MS);
    assert_eq!(machine.good_until_ms(), Some(START_MS + 500));
}

#[test]
fn a_lease_runs_from_when_the_oldest_was_sent() {
    let mut machine = serving(&[0, 1, 2], 3);
    acknowledge(&mut machine, 1, 11, START_MS + 300);
    acknowledge(&mut machine, 2, 11, START_MS + 200);
    assert_eq!(machine.good_until_ms(), Some(START_MS + 700));
    acknowledge(&mut machine, 1, 11, START_MS + 100);
    assert_eq!(machine.good_until_ms(), Some(START_MS + 700));
}

#[test]
fn alone_there_is_no_lease_to_wait_for() {
    assert_eq!(serving(&[0], 1).good_until_ms(), Some(u64::MAX));
}

#[test]
fn a_closed_copy_is_required_until_it_is_dropped() {
    let mut machine = serving(&[0, 1], 2);
    let actions = machine.handle(START_MS, RoleEvent::Left(node(1)));
    let (version, proposal) = change_of(&actions).expect("it asks");
    assert_eq!((version, proposal.in_sync, proposal.epoch), (10, set(&[0]), 6));
    machine.handle(START_MS, RoleEvent::Appended(12));
    machine.handle(START_MS, RoleEvent::Synced(12));
    assert_eq!(machine.settled(), 11);
    machine.handle(START_MS, RoleEvent::Swapped(proposal.operation, SwapOutcome::Done(11)));
    assert_eq!((machine.settled(), machine.in_sync()), (12, Some(set(&[0]))));
}

#[test]
fn a_silent_copy_is_dropped_after_the_lag() {
    let mut machine = serving(&[0, 1], 2);
    assert_eq!(machine.handle(START_MS + 999, RoleEvent::Tick), []);
    let actions = machine.handle(START_MS + 1_000, RoleEvent::Tick);
    assert_eq!(change_of(&actions).map(|(_, proposal)| proposal.in_sync), Some(set(&[0])));
}

#[test]
fn a_copy_is_required_before_it_is_taken_in() {
    let mut machine = serving(&[0], 2);
    assert_eq!(change_of(&join(&mut machine, 1, 10)), None);
    let actions = acknowledge(&mut machine, 1, 11, START_MS);
    let (_, proposal) = change_of(&actions).expect("it asks");
    assert_eq!(proposal.in_sync, set(&[0, 1]));
    machine.handle(START_MS, RoleEvent::Appended(12));
    machine.handle(START_MS, RoleEvent::Synced(12));
    assert_eq!((machine.settled(), machine.in_sync()), (11, Some(set(&[0]))));
    acknowledge(&mut machine, 1, 12, START_MS);
    assert_eq!(machine.settled(), 12);
}

#[test]
fn no_more_copies_are_taken_in_than_are_wanted() {
    let mut machine = serving(&[0, 1], 2);
    assert_eq!(change_of(&join(&mut machine, 2, 11)), None);
}

#[test]
fn a_lost_copy_is_swapped_for_one_that_is_ready() {
    let mut machine = serving(&[0, 1], 2);
    join(&mut machine, 2, 11);
    let actions = machine.handle(START_MS, RoleEvent::Left(node(1)));
    assert_eq!(change_of(&actions).map(|(_, proposal)| proposal.in_sync), Some(set(&[0, 2])));
}

#[test]
fn a_change_of_unknown_outcome_is_asked_again() {
    let mut machine = serving(&[0, 1], 2);
    let actions = machine.handle(START_MS, RoleEvent::Left(node(1)));
    let (version, proposal) = change_of(&actions).expect("it asks");
    let unknown = RoleEvent::Swapped(proposal.operation, SwapOutcome::Unknown);
    machine.handle(START_MS, unknown);
    assert_eq!(machine.handle(START_MS + 99, RoleEvent::Tick), []);
    let again = machine.handle(START_MS + 100, RoleEvent::Tick);
    assert_eq!(again, [RoleAction::Swap { version, proposal }]);
}

#[test]
fn a_change_that_finds_another_version_deposes() {
    let mut machine = serving(&[0, 1], 2);
    let actions = machine.handle(START_MS, RoleEvent::Left(node(1)));
    let (_, proposal) = change_of(&actions).expect("it asks");
    let operation = OperationId { process: 3, number: 1 };
    let other = Membership { epoch: 7, writer: node(1), in_sync: set(&[1]), operation };
    let refused = SwapOutcome::Refused(Some(Held { version: 11, membership: other }));
    let actions = machine.handle(START_MS, RoleEvent::Swapped(proposal.operation, refused));
    assert_eq!(actions, [RoleAction::End(EndReason::Deposed)]);
    assert_eq!((machine.good_until_ms(), machine.settled()), (None, 0));
}

#[test]
fn a_higher_epoch_of_a_peer_deposes() {
    let mut machine = serving(&[0, 1], 2);
    assert_eq!(machine.handle(START_MS, RoleEvent::Outdated(6)), []);
    let actions = machine.handle(START_MS, RoleEvent::Outdated(7));
    assert_eq!(actions, [RoleAction::End(EndReason::Deposed)]);
}

#[test]
fn a_copy_that_lost_its_disk_is_dropped_and_comes_again() {
    let mut machine = serving(&[0, 1], 2);
    let actions = join(&mut machine, 1, 3);
    let (_, proposal) = change_of(&actions).expect("it asks");
    assert_eq!(proposal.in_sync, set(&[0]));
    assert_eq!(acknowledge(&mut machine, 1, 11, START_MS), []);
    let done = RoleEvent::Swapped(proposal.operation, SwapOutcome::Done(11));
    let actions = machine.handle(START_MS, done);
    assert!(actions.contains(&RoleAction::Disconnect(node(1))), "{actions:?}");
    assert!(change_of(&join(&mut machine, 1, 11)).is_some());
}

#[test]
fn a_directory_that_began_empty_is_dropped_first() {
    let mut machine = begun(&[0, 1], 2);
    let joined = RoleEvent::Joined { copy: node(1), end: 11, began_empty: true };
    let actions = machine.handle(START_MS, joined);
    assert_eq!(change_of(&actions).map(|(_, proposal)| proposal.in_sync), Some(set(&[0])));
}

#[test]
fn a_hand_over_waits_until_all_is_settled() {
    let mut machine = serving(&[0, 1], 2);
    machine.handle(START_MS, RoleEvent::Appended(12));
    machine.handle(START_MS, RoleEvent::Synced(12));
    assert_eq!(machine.handle(START_MS, RoleEvent::HandOver), []);
    let actions = acknowledge(&mut machine, 1, 12, START_MS);
    let surrender = RoleAction::Surrender { to: node(1), epoch: 6 };
    assert_eq!(actions, [surrender, RoleAction::End(EndReason::Surrendered)]);
    assert_eq!(machine.good_until_ms(), None);
}

#[test]
fn without_a_copy_the_writer_stays() {
    let mut machine = serving(&[0], 1);
    assert_eq!(machine.handle(START_MS, RoleEvent::HandOver), [RoleAction::StayWriter]);
    assert_eq!(machine.handle(START_MS, RoleEvent::Tick), []);
    assert_eq!(machine.role(), NodeRole::Writing);
}

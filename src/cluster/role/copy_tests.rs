//! The rules of a node that does not write, one fact each.

use super::event::{EndReason, Meeting, NodeRole, RoleAction, RoleEvent, Seen, SwapOutcome};
use super::timing::Timing;
use super::{Found, RoleMachine, RoleSettings};
use crate::cluster::node::Node;
use crate::cluster::register::{Epoch, Held, Membership, OperationId};

fn node(place: usize) -> Node {
    Node::at(place).expect("it is a place")
}

/// A register in which the first node writes.
fn held(version: u64, epoch: Epoch, in_sync: &[usize]) -> Held {
    let in_sync = in_sync.iter().map(|place| node(*place)).collect();
    let operation = OperationId { process: 99, number: version };
    Held { version, membership: Membership { epoch, writer: node(0), in_sync, operation } }
}

const KNOWN: Seen = Seen { epoch: 1, version: 1, began_empty: false };
const START_MS: u64 = 10_000;

fn started(own: usize, found: Found) -> RoleMachine {
    let timing = Timing::default();
    let settings = RoleSettings { own: node(own), nodes: 3, copies: 2, timing, process: 7 };
    RoleMachine::start(settings, found, START_MS)
}

/// The second node, which holds what epoch 5 wrote.
fn copy() -> RoleMachine {
    started(1, Found { log_epoch: 5, seen: Some(KNOWN) })
}

fn meeting(epoch: Epoch) -> RoleEvent {
    RoleEvent::Met(Meeting { writer: node(0), epoch, version: 9, common_end: 40, settled: 30 })
}

/// The same, following epoch 5.
fn follower() -> RoleMachine {
    let mut machine = copy();
    machine.handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    machine.handle(START_MS, meeting(5));
    assert_eq!(machine.role(), NodeRole::Following);
    machine
}

fn claim_of(actions: &[RoleAction]) -> Option<(u64, Membership)> {
    actions.iter().find_map(|action| match action {
        RoleAction::Swap { version, proposal } => Some((*version, *proposal)),
        _ => None,
    })
}

/// The same, claiming.
fn claimant() -> (RoleMachine, Membership) {
    let mut machine = follower();
    let actions = machine.handle(START_MS + 1_000, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    let (_, proposal) = claim_of(&actions).expect("it claims");
    assert_eq!(machine.role(), NodeRole::Claiming);
    (machine, proposal)
}

const STORED: RoleEvent = RoleEvent::Stored { epoch: 5, end: 41, sent_ms: 3 };

#[test]
fn a_start_reads_the_register_before_it_follows_anybody() {
    let mut machine = copy();
    assert_eq!(machine.handle(START_MS, meeting(5)), []);
    assert_eq!(machine.handle(START_MS, RoleEvent::Tick), [RoleAction::Read]);
}

#[test]
fn the_writer_that_the_register_names_is_sought() {
    let actions = copy().handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    assert!(actions.contains(&RoleAction::Connect(node(0))), "{actions:?}");
}

#[test]
fn a_writer_that_is_met_is_followed_from_the_common_end() {
    let mut machine = copy();
    machine.handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    let actions = machine.handle(START_MS, meeting(5));
    assert_eq!(actions, [RoleAction::Follow { epoch: 5, cut_to: 40 }]);
}

#[test]
fn an_old_writer_is_refused() {
    let mut machine = copy();
    machine.handle(START_MS, RoleEvent::Read(Some(held(9, 6, &[0, 1]))));
    assert_eq!(machine.handle(START_MS, meeting(5)), [RoleAction::Refuse(6)]);
}

#[test]
fn a_writer_that_lacks_what_is_settled_ends_the_process() {
    let mut machine = copy();
    machine.handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    let foreign = Meeting { writer: node(0), epoch: 5, version: 9, common_end: 29, settled: 30 };
    let actions = machine.handle(START_MS, RoleEvent::Met(foreign));
    assert_eq!(actions, [RoleAction::End(EndReason::ForeignHistory)]);
}

#[test]
fn what_is_stored_is_acknowledged_to_the_followed_epoch() {
    let mut machine = follower();
    let acknowledged = RoleAction::Acknowledge { epoch: 5, end: 41, sent_ms: 3 };
    assert_eq!(machine.handle(START_MS, STORED), [acknowledged]);
    let other = RoleEvent::Stored { epoch: 4, end: 41, sent_ms: 3 };
    assert_eq!(machine.handle(START_MS, other), []);
}

#[test]
fn silence_counts_from_the_last_acknowledgement() {
    let mut machine = follower();
    machine.handle(START_MS + 500, STORED);
    let read = RoleEvent::Read(Some(held(9, 5, &[0, 1])));
    assert_eq!(claim_of(&machine.handle(START_MS + 1_499, read)), None);
    assert!(claim_of(&machine.handle(START_MS + 1_500, read)).is_some());
}

#[test]
fn silence_counts_from_the_start() {
    let mut machine = started(1, Found { log_epoch: 4, seen: Some(Seen { epoch: 5, ..KNOWN }) });
    let read = RoleEvent::Read(Some(held(9, 5, &[0, 1])));
    assert_eq!(claim_of(&machine.handle(START_MS + 999, read)), None);
    assert!(claim_of(&machine.handle(START_MS + 1_000, read)).is_some());
}

#[test]
fn a_writer_that_is_new_is_given_the_whole_silence() {
    let mut machine = follower();
    let (late_ms, read) = (START_MS + 5_000, RoleEvent::Read(Some(held(10, 6, &[0, 1]))));
    assert_eq!(claim_of(&machine.handle(late_ms, read)), None);
    assert_eq!(claim_of(&machine.handle(late_ms + 999, read)), None);
    assert!(claim_of(&machine.handle(late_ms + 1_000, read)).is_some());
}

#[test]
fn after_a_closed_connection_the_wait_is_shorter() {
    let mut machine = follower();
    assert_eq!(machine.handle(START_MS + 10, RoleEvent::Closed), [RoleAction::Read]);
    let read = RoleEvent::Read(Some(held(9, 5, &[0, 1])));
    assert_eq!(claim_of(&machine.handle(START_MS + 624, read)), None);
    assert!(claim_of(&machine.handle(START_MS + 625, read)).is_some());
}

#[test]
fn after_a_surrender_there_is_no_wait() {
    let mut machine = follower();
    assert_eq!(machine.handle(START_MS, RoleEvent::Surrendered(5)), [RoleAction::Read]);
    let read = RoleEvent::Read(Some(held(9, 5, &[0, 1])));
    assert!(claim_of(&machine.handle(START_MS, read)).is_some());
}

#[test]
fn a_surrender_of_another_epoch_waives_nothing() {
    let mut machine = follower();
    assert_eq!(machine.handle(START_MS, RoleEvent::Surrendered(4)), []);
    machine.handle(START_MS, RoleEvent::Surrendered(5));
    let read = RoleEvent::Read(Some(held(10, 6, &[0, 1])));
    assert_eq!(claim_of(&machine.handle(START_MS, read)), None);
}

#[test]
fn the_last_writer_claims_at_once() {
    let mut machine = started(0, Found { log_epoch: 5, seen: Some(KNOWN) });
    let actions = machine.handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    assert!(claim_of(&actions).is_some());
}

#[test]
fn to_be_named_is_not_enough_to_claim_at_once() {
    let mut machine = started(0, Found { log_epoch: 4, seen: Some(KNOWN) });
    let actions = machine.handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    assert_eq!(claim_of(&actions), None);
}

#[test]
fn a_node_that_is_not_in_sync_never_claims() {
    let actions = copy().handle(START_MS * 9, RoleEvent::Read(Some(held(9, 5, &[0, 2]))));
    assert_eq!(claim_of(&actions), None);
}

#[test]
fn an_empty_directory_claims_after_it_was_outside() {
    let mut machine = started(1, Found { log_epoch: 0, seen: None });
    let far_ms = START_MS * 9;
    let counted = RoleEvent::Read(Some(held(9, 5, &[0, 1])));
    assert_eq!(claim_of(&machine.handle(far_ms, counted)), None);
    machine.handle(far_ms, counted);
    let outside = RoleEvent::Read(Some(held(10, 5, &[0])));
    machine.handle(far_ms, outside);
    assert!(machine.seen().began_empty, "nobody has compared it");
    let met = Meeting { writer: node(0), epoch: 5, version: 10, common_end: 0, settled: 0 };
    machine.handle(far_ms, RoleEvent::Met(met));
    let actions = machine.handle(far_ms, outside);
    assert!(actions.contains(&RoleAction::Connect(node(0))), "it comes again: {actions:?}");
    assert!(!machine.seen().began_empty);
    let again = RoleEvent::Read(Some(held(11, 5, &[0, 1])));
    assert!(claim_of(&machine.handle(far_ms * 2, again)).is_some());
}

#[test]
fn an_epoch_is_above_all_that_are_known() {
    let mut machine = started(1, Found { log_epoch: 8, seen: Some(KNOWN) });
    let actions = machine.handle(START_MS * 2, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    let (version, proposal) = claim_of(&actions).expect("it claims");
    assert_eq!((version, proposal.epoch, proposal.writer), (9, 9, node(1)));
    assert_eq!(proposal.operation, OperationId { process: 7, number: 1 });
}

#[test]
fn a_claimant_acknowledges_nothing() {
    let (mut machine, _) = claimant();
    assert_eq!(machine.handle(START_MS + 1_001, STORED), []);
    assert_eq!(machine.handle(START_MS + 1_001, meeting(5)), []);
}

#[test]
fn a_claim_that_worked_begins_its_epoch() {
    let (mut machine, proposal) = claimant();
    let done = RoleEvent::Swapped(proposal.operation, SwapOutcome::Done(10));
    let actions = machine.handle(START_MS + 1_001, done);
    assert!(actions.contains(&RoleAction::Begin(6)), "{actions:?}");
    assert_eq!(machine.role(), NodeRole::Elected);
}

#[test]
fn a_claim_of_unknown_outcome_is_asked_again_and_found() {
    let (mut machine, proposal) = claimant();
    let now_ms = START_MS + 1_001;
    let unknown = RoleEvent::Swapped(proposal.operation, SwapOutcome::Unknown);
    assert_eq!(machine.handle(now_ms, unknown), []);
    assert_eq!(machine.handle(now_ms + 99, RoleEvent::Tick), []);
    let again = machine.handle(now_ms + 100, RoleEvent::Tick);
    assert_eq!(again, [RoleAction::Swap { version: 9, proposal }]);
    let found = Held { version: 10, membership: proposal };
    let refused = RoleEvent::Swapped(proposal.operation, SwapOutcome::Refused(Some(found)));
    assert!(machine.handle(now_ms + 101, refused).contains(&RoleAction::Begin(6)));
}

#[test]
fn a_claim_that_another_was_before_joins_that_one() {
    let (mut machine, proposal) = claimant();
    let other = held(10, 6, &[0]);
    let refused = RoleEvent::Swapped(proposal.operation, SwapOutcome::Refused(Some(other)));
    let actions = machine.handle(START_MS + 1_001, refused);
    assert!(actions.contains(&RoleAction::Connect(node(0))), "{actions:?}");
    assert_eq!(machine.role(), NodeRole::Joining);
}

#[test]
fn an_outcome_of_another_operation_says_nothing() {
    let (mut machine, _) = claimant();
    let other = OperationId { process: 7, number: 44 };
    let done = RoleEvent::Swapped(other, SwapOutcome::Done(10));
    assert_eq!(machine.handle(START_MS + 1_001, done), []);
    assert_eq!(machine.role(), NodeRole::Claiming);
}

#[test]
fn a_register_that_is_gone_or_older_ends_the_process() {
    let ended = [RoleAction::End(EndReason::RegisterForgot)];
    assert_eq!(copy().handle(START_MS, RoleEvent::Read(None)), ended);
    let mut machine = follower();
    let older = RoleEvent::Read(Some(held(8, 5, &[0, 1])));
    assert_eq!(machine.handle(START_MS, older), ended);
    assert_eq!(follower().handle(START_MS, RoleEvent::Read(Some(held(11, 4, &[0])))), ended);
}

#[test]
fn what_was_seen_of_the_register_is_kept() {
    let actions = copy().handle(START_MS, RoleEvent::Read(Some(held(9, 5, &[0, 1]))));
    let kept = Seen { epoch: 5, version: 9, began_empty: false };
    assert!(actions.contains(&RoleAction::Keep(kept)), "{actions:?}");
}

#[test]
fn a_follower_looks_at_the_register_now_and_then() {
    let mut machine = follower();
    machine.handle(START_MS + 900, STORED);
    assert_eq!(machine.handle(START_MS + 999, RoleEvent::Tick), []);
    assert_eq!(machine.handle(START_MS + 1_000, RoleEvent::Tick), [RoleAction::Read]);
}

#[test]
fn a_follower_leaves_a_writer_that_was_replaced() {
    let mut machine = follower();
    machine.handle(START_MS, RoleEvent::Read(Some(held(10, 6, &[0, 1]))));
    assert_eq!(machine.handle(START_MS, STORED), []);
    assert_eq!(machine.role(), NodeRole::Joining);
}

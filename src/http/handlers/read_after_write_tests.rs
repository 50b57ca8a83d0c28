//! Looks up after requests that are on their way, over real rings.

use super::*;
use crate::domain::model::answer::{Answered, Created};
use crate::domain::model::command::{Action, Principal, Reach};
use crate::domain::model::ids::{KeyClaim, OrderId, PrincipalName};
use crate::domain::model::order::Status;
use crate::ring::{Cursors, DecisionTimes, Inbox, Lane, Outbox, QueuedRequest, build};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

const KEY: u128 = 7;
const ORDER: OrderId = OrderId { epoch: 1, sequence: 2 };

fn request(key: Option<u128>, command: Command) -> Request {
    Request {
        principal: Principal { name: PrincipalName::local(), reach: Reach::All },
        key: key.map(|hash| KeyClaim { hash, fingerprint: 1 }),
        traceparent: None,
        command,
    }
}

fn keyed() -> Request {
    request(Some(KEY), Command::ActOnOrder(ORDER, Action::Cancel))
}

fn a_look() -> Request {
    request(None, Command::Read(Box::new(Query::Remembered(KEY))))
}

/// A writer that remembers one key, and a lane to it.
struct Writer {
    inbox: Inbox,
    outbox: Outbox,
    lane: Lane,
    remembers: bool,
}

impl Writer {
    fn new() -> Self {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, inbox, outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        Self { inbox, outbox, lane, remembers: false }
    }

    /// A turn; before each of its answers, something else happens.
    fn turn(&mut self, mut meanwhile: impl FnMut(&Lane)) {
        let Self { inbox, outbox, lane, remembers } = self;
        inbox.poll(u64::MAX, |together| {
            for QueuedRequest { request, address, .. } in together {
                meanwhile(lane);
                *remembers |= request.key.is_some();
                let created = Created {
                    order: ORDER,
                    status: Status::Confirmed,
                    created_at: 0,
                    expires_at: None,
                };
                let answer = match *remembers {
                    true => Answer::Created(created),
                    false => Answer::Refused(Refusal::UnknownRequest),
                };
                let answered = Answered { sequence: 0, replayed: false, answer };
                outbox.answer(*address, 0, Outcome::Answered(answered), DecisionTimes::default());
            }
        });
        lane.pump(&Context::from_waker(Waker::noop()), || 0);
    }
}

/// Whether a look has ended, and what it has found.
fn found(look: Pin<&mut impl Future<Output = Result<WriterReply, SubmitError>>>) -> Option<bool> {
    match look.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => None,
        Poll::Ready(arrived) => Some(!is_missing(&arrived.expect("there is room").outcome)),
    }
}

#[test]
fn a_look_comes_behind_the_lines_of_batches_whoever_asks() {
    let mut writer = Writer::new();
    let lane = writer.lane.clone();
    assert!(!may_be_coming(&lane, &a_look()), "nothing is on its way");
    let _line = lane.offer(&mut Some(keyed()), None).expect("there is room");
    assert!(may_be_coming(&lane, &a_look()) && !may_be_coming(&lane, &keyed()));
    let mut look = pin!(look(&lane, a_look(), None));
    assert_eq!(found(look.as_mut()), None);
    writer.turn(|_| ());
    assert_eq!(found(look), Some(true));
    assert!(!may_be_coming(&lane, &a_look()), "it has been answered");
}

/// A look comes behind what went into a ring that this turn has drained.
#[test]
fn a_look_comes_behind_what_a_drained_ring_held() {
    let mut writer = Writer::new();
    let lane = writer.lane.clone();
    let mut look = pin!(look(&lane, a_look(), None));
    let _preferred = lane.ask(a_look(), Rank::Preferred, None).expect("there is room");
    let mut urgent = None;
    writer.turn(|lane| {
        if urgent.is_none() {
            // The urgent ring was found empty; the ordinary one is looked at next.
            urgent = Some(lane.ask(keyed(), Rank::Urgent, None).expect("there is room"));
            assert_eq!(found(look.as_mut()), None);
        }
    });
    assert_eq!(found(look.as_mut()), None, "not found, and looked for once more");
    writer.turn(|_| ());
    assert_eq!(found(look), Some(true));
}

#[test]
fn what_never_comes_is_missing_in_the_end() {
    let mut writer = Writer::new();
    let lane = writer.lane.clone();
    let mut look = pin!(look(&lane, a_look(), None));
    for ended in [None, None, Some(false)] {
        assert_eq!(found(look.as_mut()), ended);
        writer.turn(|_| ());
    }
}

//! What becomes of charges and counts when a later check refuses.

use super::super::{Quota, Rules};
use super::*;
use crate::domain::model::command::Request;
use crate::domain::model::ids::UserId;
use crate::http::operations::request_metrics;
use crate::http::response::problem::Code;
use crate::http::testing::front;
use crate::metrics::Format;
use crate::ring::{Load, Rank, RefusalReport, Syncs, TurnedAway, WriterReply};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

/// A lane with so many requests under way, of which so many are not decided.
struct Busy {
    load: Load,
    undecided: Cell<usize>,
}

impl Busy {
    fn with(unanswered: usize) -> Self {
        let load = Load { unanswered, ..Load::default() };
        Self { load, undecided: Cell::new(unanswered) }
    }
}

impl Submit for Busy {
    type PendingReply = std::future::Ready<WriterReply>;

    fn ask(&self, _: Request, _: Rank, _: Option<u64>) -> Result<Self::PendingReply, SubmitError> {
        Err(SubmitError::Overloaded)
    }

    fn offer(
        &self,
        _: &mut Option<Request>,
        _: Option<u64>,
    ) -> Result<Self::PendingReply, SubmitError> {
        Err(SubmitError::Overloaded)
    }

    fn wake_when_room(&self, _: &Waker) {}

    fn load(&self) -> Load {
        self.load
    }

    fn undecided(&self) -> usize {
        self.undecided.get()
    }

    fn may_be_in_flight(&self, _: u128) -> bool {
        false
    }

    fn keep(&self, _: TurnedAway) {
        unreachable!("nothing is refused here")
    }

    fn report_refusals(&self, _: &mut Vec<RefusalReport>, _: bool) -> bool {
        false
    }

    fn number(&self) -> u16 {
        0
    }
}

/// What is shed or finds no room was never charged and is counted.
#[test]
fn what_is_shed_or_finds_no_room_was_never_charged() {
    let front = front();
    let per_user = Some(Quota { requests: 1, window_s: 3600 });
    front.admission.rules.replace(Rules { per_user, wait_ms_max: 100, ..Rules::default() });
    let worker = Worker::new(Arc::new(front), Rc::new(Busy::with(8000)));
    let user = UserId::parse("u").unwrap();
    let admit = |rank| {
        let requester = Requester { principal: "shop", user: Some(&user), rank };
        worker.admit(requester, &mut RequestRecord::default()).map_err(|refused| {
            assert!(refused.retryable && refused.retry_after_ms.is_some(), "{refused:?}");
            refused.code
        })
    };
    for rank in [Rank::List, Rank::Ordinary, Rank::List] {
        assert_eq!(admit(rank).err(), Some(Code::Overloaded), "{rank:?}");
    }
    // The user's one request is still there, for a token of the priority class.
    for _ in 0..3 {
        let admitted = admit(Rank::Preferred).expect("it is let in");
        worker.not_taken(&admitted, SubmitError::Overloaded);
    }
    admit(Rank::Preferred).expect("it is let in");
    assert_eq!(admit(Rank::Preferred).err(), Some(Code::RateLimited));
    // What is urgent is not shed, and has as much again.
    admit(Rank::Urgent).expect("it is let in");
    assert_eq!(admit(Rank::Urgent).err(), Some(Code::RateLimited));
    let text = request_metrics::exposition(&worker.front, Format::OpenMetrics).body;
    let text = std::str::from_utf8(&text).unwrap();
    for (reason, count) in [("shed", 3), ("ring_full", 3), ("user_rate", 2), ("connections", 0)] {
        let row = format!("doorbuster_admission_refusals_total{{reason=\"{reason}\"}} {count}\n");
        assert!(text.contains(&row), "{row}{text}");
    }
}

#[test]
fn only_those_who_wait_to_be_decided_stand_in_the_way_of_others() {
    let front = front();
    front.admission.rules.replace(Rules { wait_ms_max: 100, ..Rules::default() });
    let lane = Rc::new(Busy::with(5000));
    let worker = Worker::new(Arc::new(front), lane.clone());
    // Deciding took all of an interval, long after the test: 2,000 are decided in half of the
    // bound.
    for (answers, deciding_ns, now_ms) in [(0, 0, 1 << 40), (4000, 100_000_000, (1 << 40) + 100)] {
        let load = Load { unanswered: 0, answers, deciding_ns };
        let looks = (|| 0, Syncs::default);
        worker.admission.pass(Rank::Ordinary, load, looks, now_ms).expect("nobody is there");
    }
    let admit = || {
        let requester = Requester { principal: "shop", user: None, rank: Rank::Ordinary };
        worker
            .admit(requester, &mut RequestRecord::default())
            .map(drop)
            .map_err(|refused| refused.code)
    };
    assert_eq!(admit(), Err(Code::Overloaded));
    lane.undecided.set(1000);
    assert_eq!(admit(), Ok(()));
}

//! Requests in, answers out: the only place that names disruptor.
//!
//! One multi-producer ring carries requests from all lanes to the writer, its only consumer; one
//! single-producer ring a lane carries answers back. All are bounded, nothing in them locks, and a
//! full one refuses at once (`try_publish`; the library's `publish` would spin). Read `lane`, then
//! `inbox`, then `parking`.

mod cursors;
mod inbox;
mod lane;
mod outcome;
mod parking;
mod slot;
mod tickets;

pub use cursors::Cursors;
pub use inbox::{Alarm, Inbox, Outbox, Polled, ReturnAddress};
pub use lane::{Lane, LaneEnd, Waiting};
pub use outcome::{NotTaken, Outcome};

use atomic_waker::AtomicWaker;
use disruptor::{BusySpin, build_multi_producer};
use inbox::LanePort;
use parking::Parking;
use slot::Slot;
use std::sync::Arc;

/// Requests that may wait for the writer: a power of two, at least 64 (the ring's own bound).
pub const RING_SLOTS: usize = 8192;
/// Requests of one lane that may wait for their answer.
pub const TICKETS_PER_LANE: usize = 8192;

const _: () = assert!(RING_SLOTS.is_power_of_two() && RING_SLOTS >= 64);

/// A ring with the given number of lanes: their ends, and the writer's.
#[must_use]
pub fn build(lanes: u16, cursors: &Arc<Cursors>) -> (Vec<LaneEnd>, Inbox, Outbox) {
    // The wait strategy belongs to threads of the library's own; there are none.
    let builder = build_multi_producer(RING_SLOTS, Slot::default, BusySpin);
    let (poller, builder) = builder.new_event_poller();
    let producer = builder.build();
    let parking = Arc::new(Parking::new());
    let mut ports = Vec::new();
    let mut ends = Vec::new();
    for number in 0..lanes {
        let (sender, receiver) = rtrb::RingBuffer::new(TICKETS_PER_LANE);
        let waker = Arc::new(AtomicWaker::new());
        ports.push(LanePort { answers: sender, waker: waker.clone(), answered: false });
        ends.push(LaneEnd {
            number,
            producer: producer.clone(),
            answers: receiver,
            waker,
            cursors: cursors.clone(),
            parking: parking.clone(),
            ticket_count: TICKETS_PER_LANE,
        });
    }
    let outbox = Outbox { lanes: ports, cursors: cursors.clone() };
    (ends, Inbox { poller, parking }, outbox)
}

//! How a lane that waits for room is heard: flag, fence, look again, as in `parking`.
//!
//! The lane says that it waits and then looks whether there is room; the writer makes room and then
//! looks whether a caller waits. Between the two steps of each stands a fence, so at least one of
//! them sees the other. Never wakes a caller itself. Next: `lane`, `inbox`.

use super::seam::{AtomicBool, Ordering, fence};

/// Something in a lane waits for room.
#[derive(Debug, Default)]
pub(super) struct CapacityFlag(AtomicBool);

impl CapacityFlag {
    /// The lane's half; a caller that waits looks for room once more afterwards.
    pub(super) fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
        // Pairs with `made_room`: the writer sees this, or we see the room.
        fence(Ordering::SeqCst);
    }

    /// The writer's half: once for all lanes, after the room that a turn has made.
    pub(super) fn made_room() {
        fence(Ordering::SeqCst);
    }

    /// Says whether a caller waits that was not woken yet. To be asked after `made_room`.
    pub(super) fn heard(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

//! A change of some settings of a SKU, as tests make them up.
//!
//! Never says which settings: whoever asks brings them. Next: `model::skus`.

use doorbuster::domain::model::command::{Patch, SkuChanges, SkuSettings};

/// Each bit names one member; one that has its default is reset to it.
#[must_use]
pub fn changes(members: u8, settings: SkuSettings) -> SkuChanges {
    fn patch<T: Default + PartialEq>(members: u8, bit: u8, value: T) -> Patch<T> {
        match (members >> bit & 1, value == T::default()) {
            (0, _) => Patch::Keep,
            (_, true) => Patch::Reset,
            (_, false) => Patch::Set(value),
        }
    }
    SkuChanges {
        per_user_limit: patch(members, 0, settings.per_user_limit),
        limit_group: patch(members, 1, settings.limit_group),
        opens_at: patch(members, 2, settings.opens_at),
        closes_at: patch(members, 3, settings.closes_at),
        hold_ms: patch(members, 4, settings.hold_ms),
        paused: patch(members, 5, settings.paused),
        direct: patch(members, 6, settings.direct),
    }
}

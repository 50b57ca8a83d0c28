//! Which refusals are counted against which SKU: the demand that a shop could not serve.
//!
//! Counting changes no outcome. Next: `writer`, which gathers them and tells some once a second.

use crate::domain::model::answer::Refusal;
use crate::domain::model::command::Command;
use crate::domain::model::ids::SkuId;
use crate::domain::model::sku::RefusalReason;
use smallvec::SmallVec;

/// The SKUs that a refusal of a command counts at, and why.
#[must_use]
pub fn counted<'a>(
    command: &'a Command,
    refusal: &'a Refusal,
) -> SmallVec<[(&'a SkuId, RefusalReason); 1]> {
    let mut counted = SmallVec::new();
    match refusal {
        Refusal::SoldOut(lines) => {
            counted.extend(lines.iter().map(|line| (&line.sku, RefusalReason::SoldOut)));
        }
        Refusal::UserLimit(limit) => counted.push((&limit.sku, RefusalReason::UserLimit)),
        Refusal::NotOpen(window) => counted.push((&window.sku, RefusalReason::NotOpen)),
        Refusal::Closed(window) => counted.push((&window.sku, RefusalReason::Closed)),
        Refusal::DrawOnly(sku) => counted.push((sku, RefusalReason::DrawOnly)),
        Refusal::Paused(sku) => counted.push((sku, RefusalReason::Paused)),
        Refusal::HoldLimit { .. } => {
            if let Command::CreateOrder(create) = command {
                counted.push((&create.lines[0].sku, RefusalReason::HoldLimit));
            }
        }
        _ => {}
    }
    counted
}

//! Mistakes in the rules: what is decided, and what comes of it.
//!
//! Owns these rows. Next: `engine`.

use crate::mutant::{Mutant, edit, edited};

pub(super) const MUTANTS: &[Mutant] = &[
    edited(
        "StockOffByOne",
        "one unit more is sold than there is",
        &[edit(
            "src/domain/rules/checks.rs",
            "if «sku.available() < line.units» {",
            "sku.available() + 1 < line.units",
        )],
    ),
    edited(
        "LimitAfterStock",
        "stock is checked before the user's limit",
        &[edit(
            "src/domain/rules/decide.rs",
            "let user = state.users.find(&create.user);\n    «»limits::user_limits",
            "check_stock(state, &lines)?;",
        )],
    ),
    edited(
        "GroupNotSummed",
        "a group's limit counts each SKU alone",
        &[edit("src/domain/rules/limits.rs", "match «group» {", "None")],
    ),
    edited(
        "LinesReversed",
        "an order's lines are recorded in another order",
        &[edit(
            "src/domain/rules/decide.rs",
            "lines: «create.lines.clone()»,",
            "create.lines.iter().rev().cloned().collect()",
        )],
    ),
    edited(
        "DoubleRelease",
        "a hold that ends is given back twice",
        &[edit(
            "src/domain/rules/apply_order.rs",
            "state.skus[line.sku].held -= u64::from(line.quantity);«»",
            "state.skus[line.sku].held =
                state.skus[line.sku].held.saturating_sub(u64::from(line.quantity));",
        )],
    ),
    edited(
        "UseKept",
        "a hold that ends still counts for its user",
        &[edit(
            "src/domain/rules/apply_order.rs",
            "state.skus[line.sku].held -= u64::from(line.quantity);
        «give_back_use(state, user, line.sku, u64::from(line.quantity));»",
            "",
        )],
    ),
    edited(
        "ConfirmAfterExpiry",
        "a hold that ran out can still be confirmed",
        &[edit(
            "src/domain/rules/decide.rs",
            "(Transition::Gone, _) => «Err(Refusal::HoldExpired.into())»,",
            "match action {
                Action::Confirm { .. } => reacquire(state, request, slot, now),
                _ => Err(Refusal::HoldExpired.into()),
            }",
        )],
    ),
    edited(
        "RefundUnchecked",
        "more can be refunded than is left",
        &[edit(
            "src/domain/rules/decide.rs",
            "if u64::from(asked.quantity) > «Order::left(line)» {",
            "u64::from(line.quantity)",
        )],
    ),
    edited(
        "FingerprintIgnored",
        "a key answers whatever is asked with it",
        &[edit(
            "src/domain/rules/decide.rs",
            "if «kept.fingerprint == claim.fingerprint» {",
            "true",
        )],
    ),
    edited(
        "GraceTwice",
        "a hold is given its grace at every start",
        &[edit(
            "src/domain/rules/sweep.rs",
            "due.into_iter().filter(|slot| «!state.orders[*slot].graced»);",
            "true",
        )],
    ),
    edited(
        "RollBiased",
        "a roll uses the low half of its digest",
        &[edit(
            "src/domain/model/draw.rs",
            "    «fair % total»\n}",
            "(fair & u64::from(u32::MAX)) % total",
        )],
    ),
];

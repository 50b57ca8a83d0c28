//! Refusals that were kept whole, as an operator reads them: what was asked, and why not.
//!
//! Owns the words, which are those of the contract. Never prints a key, which is known by its hash
//! alone. Next: `events`, `explain`.

use crate::members::{self, Members};
use doorbuster::domain::model::answer::{Refusal, ShortLine, Window};
use doorbuster::domain::model::command::{Action, Adjustment, Command, Take};
use doorbuster::domain::model::kept::KeptRefusal;
use doorbuster::domain::model::lives::Lives;
use serde_json::{Value, json};

/// The problem's code, as the client saw it.
pub(crate) fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::KeyReused => "idempotency_key_reused",
        Refusal::UnknownSku(_) => "unknown_sku",
        Refusal::UnknownOrder => "unknown_order",
        Refusal::UnknownDraw => "unknown_draw",
        Refusal::UnknownRequest => "unknown_request",
        Refusal::VersionMismatch(_) => "version_mismatch",
        Refusal::IfMatchRequired(_) => "if_match_required",
        Refusal::InvalidTransition(_) => "invalid_transition",
        Refusal::HoldExpired => "hold_expired",
        Refusal::Closed(_) | Refusal::DrawClosed { .. } => "closed",
        Refusal::NotOpen(_) | Refusal::DrawNotOpen { .. } => "not_open",
        Refusal::Paused(_) => "paused",
        Refusal::UserLimit(_) => "user_limit",
        Refusal::HoldLimit { .. } => "hold_limit",
        Refusal::DrawOnly(_) => "draw_only",
        Refusal::EntryLimit { .. } => "entry_limit",
        Refusal::DrawFixed | Refusal::DrawUnclosed | Refusal::InUse { .. } => "in_use",
        Refusal::SoldOut(_) => "sold_out",
        Refusal::StockBelowCommitted { .. } => "stock_below_committed",
        Refusal::Invalid { .. } => "invalid",
        Refusal::Capacity(_) => "capacity",
    }
}

/// What was short, in numbers.
pub(crate) fn shortage(refusal: &Refusal) -> Members {
    let window = |window: &Window, edge| {
        vec![("sku", window.sku.as_str().into()), (edge, members::instant(Some(window.edge)))]
    };
    match refusal {
        Refusal::UnknownSku(sku) | Refusal::Paused(sku) | Refusal::DrawOnly(sku) => {
            vec![("sku", sku.as_str().into())]
        }
        Refusal::VersionMismatch(version) => vec![("version", (*version).into())],
        Refusal::IfMatchRequired(version) => vec![("version", (*version).into())],
        Refusal::InvalidTransition(status) => vec![("order_status", status.as_str().into())],
        Refusal::Closed(of) => window(of, "closes_at"),
        Refusal::NotOpen(of) => window(of, "opens_at"),
        Refusal::DrawClosed { closes_at, .. } => {
            vec![("closes_at", members::instant(Some(*closes_at)))]
        }
        Refusal::DrawNotOpen { opens_at, .. } => {
            vec![("opens_at", members::instant(Some(*opens_at)))]
        }
        Refusal::UserLimit(limit) => vec![
            ("sku", limit.sku.as_str().into()),
            ("limit", limit.limit.into()),
            ("used", limit.used.into()),
            ("requested", limit.requested.into()),
        ],
        Refusal::HoldLimit { used, limit } => {
            vec![("limit", (*limit).into()), ("used", (*used).into())]
        }
        Refusal::EntryLimit { used, limit } => {
            vec![("limit", (*limit).into()), ("used", (*used).into())]
        }
        Refusal::SoldOut(lines) => {
            let line = |line: &ShortLine| {
                json!({
                    "sku": line.sku.as_str(), "requested": line.requested,
                    "available": line.available, "held": line.held,
                })
            };
            vec![("lines", lines.iter().map(|short| line(short)).collect())]
        }
        Refusal::StockBelowCommitted { held, sold } => {
            vec![("held", (*held).into()), ("sold", (*sold).into())]
        }
        Refusal::InUse { held } => vec![("held", (*held).into())],
        Refusal::Invalid { field, .. } => vec![("field", (*field).into())],
        Refusal::Capacity(table) => vec![("table", (*table).into())],
        Refusal::KeyReused
        | Refusal::UnknownOrder
        | Refusal::UnknownDraw
        | Refusal::UnknownRequest
        | Refusal::HoldExpired
        | Refusal::DrawFixed
        | Refusal::DrawUnclosed => Vec::new(),
    }
}

/// What was asked.
pub(crate) fn asked(command: &Command, lives: &Lives) -> Members {
    let mut members: Members = vec![("op", op(command).into())];
    match command {
        Command::CreateOrder(create) => {
            members.push(("user", create.user.as_str().into()));
            members.push(("lines", members::lines(&create.lines)));
            members.push(("reference", create.reference.as_deref().into()));
            match create.take {
                Take::Hold(hold_ms) => members.push(("hold_ms", hold_ms.into())),
                Take::Sell => members.push(("confirm", true.into())),
            }
        }
        Command::ActOnOrder(order, action) => {
            members.push(("order", lives.text(*order).to_string().into()));
            match action {
                Action::Extend(hold_ms) => members.push(("hold_ms", (*hold_ms).into())),
                Action::Refund(refund) => members.push(("lines", members::lines(&refund.lines))),
                _ => {}
            }
        }
        Command::PutSku(put) => {
            members.push(("sku", put.sku.as_str().into()));
            members.push(("stock", put.stock.into()));
        }
        Command::PatchSku(patch) => members.push(("sku", patch.sku.as_str().into())),
        Command::AdjustSku(adjust) => {
            members.push(("sku", adjust.sku.as_str().into()));
            members.push(match adjust.adjustment {
                Adjustment::Delta(delta) => ("delta", delta.into()),
                Adjustment::Stock(stock) => ("stock", stock.into()),
            });
        }
        Command::DeleteSku(delete) => members.push(("sku", delete.sku.as_str().into())),
        Command::PutDraw(put) => members.push(("draw", put.draw.as_str().into())),
        Command::EnterDraw(enter) => {
            members.push(("draw", enter.draw.as_str().into()));
            members.push(("user", enter.user.as_str().into()));
        }
        Command::CloseDraw(draw) => members.push(("draw", draw.as_str().into())),
        Command::DeleteDraw(delete) => members.push(("draw", delete.draw.as_str().into())),
        Command::Read(_) => {}
    }
    members.retain(|(_, value)| !value.is_null());
    members
}

fn op(command: &Command) -> &'static str {
    match command {
        Command::CreateOrder(_) => "order",
        Command::ActOnOrder(_, action) => action.verb().as_str(),
        Command::PutSku(_) => "put_sku",
        Command::PatchSku(_) => "patch_sku",
        Command::AdjustSku(_) => "adjust",
        Command::DeleteSku(_) => "delete_sku",
        Command::PutDraw(_) => "put_draw",
        Command::EnterDraw(_) => "entry",
        Command::CloseDraw(_) => "close_draw",
        Command::DeleteDraw(_) => "delete_draw",
        Command::Read(_) => "read",
    }
}

/// A refusal as one object.
pub(crate) fn object(kept: &KeptRefusal, lives: &Lives) -> Value {
    let mut members: Members = vec![
        ("at", members::instant(Some(kept.at))),
        ("seen_seq", kept.seen.into()),
        ("at_edge", kept.at_edge.into()),
        ("principal", kept.principal.as_str().into()),
    ];
    if let Some(key) = kept.key {
        members.push(("key_hash", format!("{:032x}", key.hash).into()));
    }
    members.push(("asked", members::object(asked(&kept.command, lives))));
    members.push(("code", code(&kept.refusal).into()));
    members.extend(shortage(&kept.refusal));
    members::object(members)
}

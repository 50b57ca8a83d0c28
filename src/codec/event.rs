//! Stored shapes of events. Variants and members are only ever appended, never reordered.

use super::CodecError;
use super::action::{StoredAction, StoredLines, StoredTake, read_lines, store_lines};
use super::draw::{StoredDrawPut, StoredEntryMade, draw_id};
use super::kept::StoredKept;
use super::sku::{
    StoredAdjustment, StoredPatchSku, StoredPrecondition, StoredSettings, reason, sku_id,
};
use super::values::{self, StoredOrderId, StoredRules, principal_names, read_ids, store_ids};
use crate::domain::model::event::{
    AnswerRepeated, DrawDeleted, EntriesPurged, Event, HoldsGraced, OrderCreated, OrderExtended,
    OrderRefunded, RefusalCount, SkuAdjusted, SkuDeleted, SkuPatched, SkuPut, Started, UsesPurged,
};
use crate::domain::model::ids::{PrincipalName, UserId};
use crate::domain::model::kept::NotKept;
use crate::domain::model::lives::Life;
use crate::domain::model::settings::{Caps, Settings};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) enum StoredEvent<'a> {
    Started {
        epoch: u32,
        hash_key: [u8; 16],
        answers_before_sync: bool,
        lost_from: Option<u64>,
    },
    SettingsChanged(StoredRules),
    SkuPut {
        sku: &'a str,
        stock: u64,
        #[serde(borrow)]
        settings: StoredSettings<'a>,
        precondition: StoredPrecondition,
        created: bool,
    },
    SkuPatched {
        #[serde(borrow)]
        patch: StoredPatchSku<'a>,
        #[serde(borrow)]
        settings: StoredSettings<'a>,
    },
    SkuAdjusted {
        sku: &'a str,
        adjustment: StoredAdjustment,
        reason: &'a str,
        precondition: StoredPrecondition,
        total: u64,
    },
    SkuDeleted {
        sku: &'a str,
        precondition: StoredPrecondition,
    },
    OrderCreated {
        user: &'a str,
        #[serde(borrow)]
        lines: StoredLines<'a>,
        reference: Option<&'a str>,
        take: StoredTake,
        expires_at: Option<u64>,
    },
    OrderConfirmed(StoredOrderId),
    OrderReacquired(StoredOrderId),
    OrderCancelled(StoredOrderId),
    OrderExpired(StoredOrderId),
    OrderExtended {
        order: StoredOrderId,
        hold_ms: u64,
        expires_at: u64,
    },
    HoldsGraced {
        orders: Vec<StoredOrderId>,
        expires_at: u64,
    },
    OrderShipped(StoredOrderId),
    OrderCompleted(StoredOrderId),
    OrderRefunded {
        order: StoredOrderId,
        #[serde(borrow)]
        lines: StoredLines<'a>,
        restock: bool,
    },
    AnswerRepeated {
        order: StoredOrderId,
        #[serde(borrow)]
        action: StoredAction<'a>,
    },
    KeysForgotten(u32),
    OrdersArchived(Vec<StoredOrderId>),
    UsesPurged {
        created_sequence: u64,
        count: u32,
    },
    RefusalsCounted(#[serde(borrow)] Vec<(&'a str, u8, u64)>),
    /// Settings whose caps of draws and entries are not the defaults.
    SettingsChangedWithDraws {
        rules: StoredRules,
        draws: u32,
        entries: u32,
    },
    DrawPut(#[serde(borrow)] StoredDrawPut<'a>),
    DrawClosed(&'a str),
    DrawCloseRepeated(&'a str),
    DrawDeleted {
        draw: &'a str,
        precondition: StoredPrecondition,
    },
    EntryMade(#[serde(borrow)] StoredEntryMade<'a>),
    EntriesPurged {
        created_sequence: u64,
        count: u32,
    },
    /// A start that drew a life.
    StartedWithLife {
        epoch: u32,
        hash_key: [u8; 16],
        answers_before_sync: bool,
        lost_from: Option<u64>,
        life: u64,
    },
    AdjustmentRepeated {
        sku: &'a str,
        adjustment: StoredAdjustment,
        reason: &'a str,
        precondition: StoredPrecondition,
        total: u64,
    },
    /// Written by `kept::encode_refusals` too, which knows its number.
    RefusalsKept(#[serde(borrow)] Vec<StoredKept<'a>>),
    RefusalsNotKept {
        count: u64,
        since: u64,
    },
    /// Settings that name principals.
    SettingsChangedWithPrincipals {
        rules: StoredRules,
        draws: u32,
        entries: u32,
        #[serde(borrow)]
        principals: Vec<&'a str>,
    },
}

impl<'a> From<&'a Event> for StoredEvent<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::Started(started) => store_started(started),
            Event::SettingsChanged(settings) => store_settings(settings),
            Event::SkuPut(put) => Self::SkuPut {
                sku: put.sku.as_str(),
                stock: put.stock,
                settings: (&put.settings).into(),
                precondition: (&put.precondition).into(),
                created: put.created,
            },
            Event::SkuPatched(patched) => Self::SkuPatched {
                patch: (&patched.patch).into(),
                settings: (&patched.settings).into(),
            },
            Event::SkuAdjusted(adjusted) => Self::SkuAdjusted {
                sku: adjusted.sku.as_str(),
                adjustment: adjusted.adjustment.into(),
                reason: &adjusted.reason,
                precondition: (&adjusted.precondition).into(),
                total: adjusted.total,
            },
            Event::SkuDeleted(deleted) => Self::SkuDeleted {
                sku: deleted.sku.as_str(),
                precondition: (&deleted.precondition).into(),
            },
            Event::OrderCreated(created) => Self::OrderCreated {
                user: created.user.as_str(),
                lines: store_lines(&created.lines),
                reference: created.reference.as_deref(),
                take: created.take.into(),
                expires_at: created.expires_at,
            },
            Event::KeysForgotten(count) => Self::KeysForgotten(*count),
            Event::OrdersArchived(orders) => Self::OrdersArchived(store_ids(orders)),
            Event::UsesPurged(purged) => {
                Self::UsesPurged { created_sequence: purged.created_sequence, count: purged.count }
            }
            Event::RefusalsCounted(counts) => Self::RefusalsCounted(
                counts.iter().map(|of| (of.sku.as_str(), of.reason as u8, of.count)).collect(),
            ),
            Event::AdjustmentRepeated(adjusted) => Self::AdjustmentRepeated {
                sku: adjusted.sku.as_str(),
                adjustment: adjusted.adjustment.into(),
                reason: &adjusted.reason,
                precondition: (&adjusted.precondition).into(),
                total: adjusted.total,
            },
            Event::RefusalsKept(kept) => {
                Self::RefusalsKept(kept.iter().map(StoredKept::from).collect())
            }
            Event::RefusalsNotKept(lost) => {
                Self::RefusalsNotKept { count: lost.count, since: lost.since }
            }
            Event::DrawPut(_)
            | Event::DrawClosed(_)
            | Event::DrawCloseRepeated(_)
            | Event::DrawDeleted(_)
            | Event::EntryMade(_)
            | Event::EntriesPurged(_) => store_draw_event(event),
            event => store_order_event(event),
        }
    }
}

/// In the oldest shape that holds them: journals without draws or tokens keep the bytes they had.
fn store_settings(settings: &Settings) -> StoredEvent<'_> {
    let (draws, entries) = settings.caps.of_draws();
    let rules = settings.into();
    if !settings.principals.is_empty() {
        let principals = settings.principals.iter().map(PrincipalName::as_str).collect();
        return StoredEvent::SettingsChangedWithPrincipals { rules, draws, entries, principals };
    }
    match settings.caps.of_draws() {
        Caps::OF_DRAWS => StoredEvent::SettingsChanged(rules),
        (draws, entries) => StoredEvent::SettingsChangedWithDraws { rules, draws, entries },
    }
}

fn store_started(started: &Started) -> StoredEvent<'_> {
    let Started { epoch, hash_key, answers_before_sync, lost_from, life } = *started;
    match life.map(Life::bits) {
        None => StoredEvent::Started { epoch, hash_key, answers_before_sync, lost_from },
        Some(life) => {
            StoredEvent::StartedWithLife { epoch, hash_key, answers_before_sync, lost_from, life }
        }
    }
}

fn store_draw_event(event: &Event) -> StoredEvent<'_> {
    match event {
        Event::DrawPut(put) => StoredEvent::DrawPut((&**put).into()),
        Event::DrawClosed(draw) => StoredEvent::DrawClosed(draw.as_str()),
        Event::DrawCloseRepeated(draw) => StoredEvent::DrawCloseRepeated(draw.as_str()),
        Event::DrawDeleted(deleted) => StoredEvent::DrawDeleted {
            draw: deleted.draw.as_str(),
            precondition: (&deleted.precondition).into(),
        },
        Event::EntryMade(made) => StoredEvent::EntryMade((&**made).into()),
        Event::EntriesPurged(purged) => StoredEvent::EntriesPurged {
            created_sequence: purged.created_sequence,
            count: purged.count,
        },
        _ => unreachable!("only events of draws come here"),
    }
}

fn store_order_event(event: &Event) -> StoredEvent<'_> {
    match event {
        Event::OrderConfirmed(order) => StoredEvent::OrderConfirmed((*order).into()),
        Event::OrderReacquired(order) => StoredEvent::OrderReacquired((*order).into()),
        Event::OrderCancelled(order) => StoredEvent::OrderCancelled((*order).into()),
        Event::OrderExpired(order) => StoredEvent::OrderExpired((*order).into()),
        Event::OrderShipped(order) => StoredEvent::OrderShipped((*order).into()),
        Event::OrderCompleted(order) => StoredEvent::OrderCompleted((*order).into()),
        Event::OrderExtended(extended) => StoredEvent::OrderExtended {
            order: extended.order.into(),
            hold_ms: extended.hold_ms,
            expires_at: extended.expires_at,
        },
        Event::HoldsGraced(graced) => StoredEvent::HoldsGraced {
            orders: store_ids(&graced.orders),
            expires_at: graced.expires_at,
        },
        Event::OrderRefunded(refunded) => StoredEvent::OrderRefunded {
            order: refunded.order.into(),
            lines: store_lines(&refunded.lines),
            restock: refunded.restock,
        },
        Event::AnswerRepeated(repeated) => StoredEvent::AnswerRepeated {
            order: repeated.order.into(),
            action: (&repeated.action).into(),
        },
        _ => unreachable!("all other events were taken before"),
    }
}

impl StoredEvent<'_> {
    pub(super) fn read(self) -> Result<Event, CodecError> {
        Ok(match self {
            Self::Started { epoch, hash_key, answers_before_sync, lost_from } => {
                let life = None;
                Event::Started(Started { epoch, hash_key, answers_before_sync, lost_from, life })
            }
            Self::StartedWithLife { epoch, hash_key, answers_before_sync, lost_from, life } => {
                let life = Some(values::life(life)?);
                Event::Started(Started { epoch, hash_key, answers_before_sync, lost_from, life })
            }
            Self::SettingsChanged(rules) => Event::SettingsChanged(Box::new(rules.into())),
            Self::SkuPut { sku, stock, settings, precondition, created } => {
                let (sku, settings) = (sku_id(sku)?, settings.read()?);
                let precondition = precondition.into();
                Event::SkuPut(Box::new(SkuPut { sku, stock, settings, precondition, created }))
            }
            Self::SkuPatched { patch, settings } => {
                let (patch, settings) = (patch.read()?, settings.read()?);
                Event::SkuPatched(Box::new(SkuPatched { patch, settings }))
            }
            Self::SkuAdjusted { sku, adjustment, reason, precondition, total } => {
                Event::SkuAdjusted(Box::new(SkuAdjusted {
                    sku: sku_id(sku)?,
                    adjustment: adjustment.into(),
                    reason: reason.to_owned(),
                    precondition: precondition.into(),
                    total,
                }))
            }
            Self::AdjustmentRepeated { sku, adjustment, reason, precondition, total } => {
                Event::AdjustmentRepeated(Box::new(SkuAdjusted {
                    sku: sku_id(sku)?,
                    adjustment: adjustment.into(),
                    reason: reason.to_owned(),
                    precondition: precondition.into(),
                    total,
                }))
            }
            Self::SkuDeleted { sku, precondition } => Event::SkuDeleted(SkuDeleted {
                sku: sku_id(sku)?,
                precondition: precondition.into(),
            }),
            Self::OrderCreated { user, lines, reference, take, expires_at } => {
                Event::OrderCreated(OrderCreated {
                    user: UserId::parse(user).map_err(|_| CodecError::Value("user id"))?,
                    lines: read_lines(lines)?,
                    reference: reference.map(Into::into),
                    take: take.into(),
                    expires_at,
                })
            }
            Self::OrderConfirmed(order) => Event::OrderConfirmed(order.into()),
            Self::OrderReacquired(order) => Event::OrderReacquired(order.into()),
            Self::OrderCancelled(order) => Event::OrderCancelled(order.into()),
            Self::OrderExpired(order) => Event::OrderExpired(order.into()),
            Self::OrderShipped(order) => Event::OrderShipped(order.into()),
            Self::OrderCompleted(order) => Event::OrderCompleted(order.into()),
            Self::OrderExtended { order, hold_ms, expires_at } => {
                Event::OrderExtended(OrderExtended { order: order.into(), hold_ms, expires_at })
            }
            Self::HoldsGraced { orders, expires_at } => {
                Event::HoldsGraced(HoldsGraced { orders: read_ids(orders), expires_at })
            }
            Self::OrderRefunded { order, lines, restock } => {
                let (order, lines) = (order.into(), read_lines(lines)?);
                Event::OrderRefunded(Box::new(OrderRefunded { order, lines, restock }))
            }
            Self::AnswerRepeated { order, action } => {
                let (order, action) = (order.into(), action.read()?);
                Event::AnswerRepeated(Box::new(AnswerRepeated { order, action }))
            }
            Self::KeysForgotten(count) => Event::KeysForgotten(count),
            Self::OrdersArchived(orders) => Event::OrdersArchived(read_ids(orders)),
            Self::UsesPurged { created_sequence, count } => {
                Event::UsesPurged(UsesPurged { created_sequence, count })
            }
            Self::RefusalsCounted(counts) => {
                let read = |(sku, number, count)| {
                    Ok(RefusalCount { sku: sku_id(sku)?, reason: reason(number)?, count })
                };
                let counts: Result<_, CodecError> = counts.into_iter().map(read).collect();
                Event::RefusalsCounted(counts?)
            }
            Self::SettingsChangedWithDraws { rules, draws, entries } => {
                let mut settings = Settings::from(rules);
                (settings.caps.draws, settings.caps.entries) = (draws, entries);
                Event::SettingsChanged(Box::new(settings))
            }
            Self::DrawPut(put) => Event::DrawPut(Box::new(put.read()?)),
            Self::DrawClosed(draw) => Event::DrawClosed(draw_id(draw)?),
            Self::DrawCloseRepeated(draw) => Event::DrawCloseRepeated(draw_id(draw)?),
            Self::DrawDeleted { draw, precondition } => {
                let (draw, precondition) = (draw_id(draw)?, precondition.into());
                Event::DrawDeleted(Box::new(DrawDeleted { draw, precondition }))
            }
            Self::EntryMade(made) => Event::EntryMade(Box::new(made.read()?)),
            Self::EntriesPurged { created_sequence, count } => {
                Event::EntriesPurged(EntriesPurged { created_sequence, count })
            }
            Self::SettingsChangedWithPrincipals { rules, draws, entries, principals } => {
                let mut settings = Settings::from(rules);
                (settings.caps.draws, settings.caps.entries) = (draws, entries);
                settings.principals = principal_names(principals)?;
                Event::SettingsChanged(Box::new(settings))
            }
            Self::RefusalsKept(kept) => {
                let kept: Result<_, CodecError> = kept.into_iter().map(StoredKept::read).collect();
                Event::RefusalsKept(kept?)
            }
            Self::RefusalsNotKept { count, since } => {
                Event::RefusalsNotKept(NotKept { count, since })
            }
        })
    }
}

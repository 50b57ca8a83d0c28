//! A refusal that was written as it was given is read back as it was, and a record put together
//! from such bytes is the record that the general way writes.

use super::super::{decode_record, encode_record};
use super::*;
use crate::domain::model::command::{
    Action, Adjustment, PatchSku, Precondition, Principal, Refund, SkuChanges, SkuSettings, Take,
};
use crate::domain::model::draw::{Admission, Odds, Prize, Terms};
use crate::domain::model::event::{Event, Record};
use crate::domain::model::ids::{DrawId, LineRequest, OrderId, SkuId, UserId};
use crate::domain::model::order::Status;
use smallvec::smallvec;

fn sku() -> SkuId {
    SkuId::parse("sku").unwrap()
}

fn commands() -> Vec<Command> {
    let user = UserId::parse("u|1").unwrap();
    let draw = DrawId::parse("draw").unwrap();
    let line = || LineRequest { sku: sku(), quantity: 3 };
    let order = OrderId { epoch: 2, sequence: 9 };
    let precondition = Precondition::Version(Some(4));
    let refund = Refund { lines: smallvec![line()], restock: false };
    let settings = SkuSettings { per_user_limit: 2, opens_at: Some(5), ..SkuSettings::default() };
    let changes = SkuChanges::default();
    let (adjustment, reason) = (Adjustment::Delta(-5), "broken".to_owned());
    let odds = Odds::new(vec![Prize { sku: sku(), weight: 1 }], 2).unwrap();
    let terms = Terms { odds, hold_ms: Some(7), sell: false };
    let admission = Admission { entries_per_user: 1, opens_at: None, closes_at: Some(8) };
    let create = |take| {
        let reference = Some("shop 17".into());
        Command::CreateOrder(CreateOrder {
            user: user.clone(),
            lines: smallvec![line(), line()],
            reference,
            take,
        })
    };
    let put = PutSku { sku: sku(), stock: 1, settings, precondition: precondition.clone() };
    let draw_id = || draw.clone();
    let put_draw = PutDraw {
        draw: draw_id(),
        terms,
        admission,
        seed: Seed([7; 32]),
        precondition: precondition.clone(),
    };
    let client_seed = Some("of my own".into());
    vec![
        create(Take::Hold(Some(5))),
        create(Take::Sell),
        Command::ActOnOrder(order, Action::Confirm { reacquire: true }),
        Command::ActOnOrder(order, Action::Refund(refund)),
        Command::PutSku(Box::new(put)),
        Command::PatchSku(Box::new(PatchSku {
            sku: sku(),
            changes,
            precondition: precondition.clone(),
        })),
        Command::AdjustSku(Box::new(AdjustSku {
            sku: sku(),
            adjustment,
            reason,
            precondition: precondition.clone(),
        })),
        Command::DeleteSku(Box::new(DeleteSku { sku: sku(), precondition: precondition.clone() })),
        Command::PutDraw(Box::new(put_draw)),
        Command::EnterDraw(EnterDraw { draw: draw_id(), user: user.clone(), client_seed }),
        Command::CloseDraw(draw_id()),
        Command::DeleteDraw(Box::new(DeleteDraw { draw: draw_id(), precondition })),
    ]
}

fn refusals() -> Vec<Refusal> {
    let window = || Box::new(Window { sku: sku(), edge: 5, now: 6 });
    let limit = UserLimit { sku: sku(), limit: 1, used: 1, requested: 2 };
    let short = ShortLine { sku: sku(), requested: 3, available: 1, held: 2 };
    vec![
        Refusal::KeyReused,
        Refusal::UnknownSku(sku()),
        Refusal::UnknownOrder,
        Refusal::UnknownDraw,
        Refusal::UnknownRequest,
        Refusal::VersionMismatch(None),
        Refusal::IfMatchRequired(4),
        Refusal::InvalidTransition(Status::Shipped),
        Refusal::HoldExpired,
        Refusal::Closed(window()),
        Refusal::NotOpen(window()),
        Refusal::Paused(sku()),
        Refusal::UserLimit(Box::new(limit)),
        Refusal::HoldLimit { used: 8, limit: 8 },
        Refusal::DrawOnly(sku()),
        Refusal::DrawClosed { closes_at: 1, now: 2 },
        Refusal::DrawNotOpen { opens_at: 3, now: 2 },
        Refusal::EntryLimit { used: 1, limit: 1 },
        Refusal::DrawFixed,
        Refusal::DrawUnclosed,
        Refusal::SoldOut(smallvec![Box::new(short.clone()), Box::new(short)]),
        Refusal::StockBelowCommitted { held: 1, sold: 2 },
        Refusal::InUse { held: 3 },
        Refusal::Invalid { field: "lines", reason: "some words" },
        Refusal::Capacity("keys"),
    ]
}

#[test]
fn every_refusal_of_every_command_is_read_back_as_it_was_kept() {
    let principal = Principal { name: PrincipalName::local(), reach: Reach::Own };
    let key = Some(KeyClaim { hash: u128::MAX / 3, fingerprint: 5 });
    let (mut bytes, mut kept, mut seen) = (Vec::new(), Vec::new(), 0);
    for command in commands() {
        for refusal in refusals() {
            seen += 1;
            let request = Request {
                principal: principal.clone(),
                key,
                traceparent: None,
                command: command.clone(),
            };
            let at_edge = seen % 2 == 0;
            let given = Given { request: &request, refusal: &refusal, seen, at: 2 * seen, at_edge };
            assert!(encode_refusal(&given, &mut bytes));
            let (principal, reach_all) = (principal.name.clone(), false);
            let command = command.clone();
            let one = KeptRefusal {
                principal,
                reach_all,
                key,
                command,
                refusal,
                seen,
                at: 2 * seen,
                at_edge,
            };
            kept.push(one.stored());
        }
    }
    let count = u32::try_from(kept.len()).unwrap();
    let mut record = Vec::new();
    encode_refusals(count, &bytes, &mut record);
    let expected = Record { origin: None, event: Event::RefusalsKept(kept) };
    assert_eq!(decode_record(&record).unwrap(), expected);
    let mut in_general = Vec::new();
    encode_record(&expected, &mut in_general);
    assert_eq!(record, in_general, "both ways write the same");
}

#[test]
fn a_read_is_not_kept() {
    let principal = Principal { name: PrincipalName::local(), reach: Reach::Own };
    let query = crate::domain::model::command::Query::Sku(sku());
    let command = Command::Read(Box::new(query));
    let request = Request { principal, key: None, traceparent: None, command };
    let (refusal, mut bytes) = (Refusal::UnknownSku(sku()), Vec::new());
    let given = Given { request: &request, refusal: &refusal, seen: 1, at: 1, at_edge: false };
    assert!(!encode_refusal(&given, &mut bytes) && bytes.is_empty());
}

//! Draws and entries as they go out: names and order of their members (API 4). Next: `json_writer`.

use super::json_writer::{self, Json};
use crate::domain::model::answer::{DrawView, EntryView};
use crate::domain::model::draw::{Admission, Terms};
use crate::domain::model::ids::Sequence;
use crate::domain::model::lives::Lives;

pub(in crate::http) fn draw(json: &mut Json, view: &DrawView, sequence: Sequence) {
    json.raw("{\"draw\":");
    json.id(view.draw.as_str());
    json.raw(",");
    terms(json, &view.terms, &view.admission);
    json.raw(",\"commitment\":");
    json.hex(&view.commitment);
    json.raw(",\"seed\":");
    json.maybe(view.seed, |json, seed| json.hex(&seed.0));
    json.raw(",\"closed_at\":");
    json.maybe(view.closed_at, Json::instant);
    json.raw(",\"entries\":");
    json.number(u64::from(view.entries));
    json.raw(",\"version\":");
    json.number(view.version);
    json.raw(",\"seq\":");
    json.number(sequence);
    json.raw(",\"now\":");
    json.instant(view.now);
    json.raw("}");
}

/// What is fixed and what may change, as members.
pub(in crate::http) fn terms(json: &mut Json, terms: &Terms, admission: &Admission) {
    json.raw("\"prizes\":");
    json.list(terms.odds.prizes(), |json, prize| {
        json.raw("{\"sku\":");
        json.id(prize.sku.as_str());
        json.raw(",\"weight\":");
        json.number(prize.weight);
        json.raw("}");
    });
    json.raw(",\"blank_weight\":");
    json.number(terms.odds.blank_weight());
    json.raw(",\"entries_per_user\":");
    json.number(admission.entries_per_user);
    let window = (admission.opens_at, admission.closes_at);
    json_writer::window_and_hold(json, window, terms.hold_ms);
    json.raw(",\"confirm\":");
    json.boolean(terms.sell);
}

/// `order_sequence` is that of the state in which the order is shown; the entry's own never
/// changes.
pub(in crate::http) fn entry(
    json: &mut Json,
    lives: &Lives,
    view: &EntryView,
    order_sequence: Sequence,
) {
    json.raw("{\"draw\":");
    json.id(view.draw.as_str());
    json.raw(",\"entry\":");
    json.number(u64::from(view.number));
    json.raw(",\"user\":");
    json.id(view.user.as_str());
    json.raw(",\"client_seed\":");
    json.maybe(view.client_seed.as_deref(), Json::text);
    json.raw(",\"outcome\":");
    json.id(view.reason.outcome());
    json.raw(",\"pick\":");
    json.maybe(view.pick.as_ref(), |json, sku| json.id(sku.as_str()));
    json.raw(",\"reason\":");
    json.id(view.reason.as_str());
    json.raw(",\"order\":");
    json.maybe(view.order.as_ref(), |json, order| {
        json_writer::order_view(json, lives, order, order_sequence);
    });
    json_writer::end(json, view.sequence);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::answer::{LineView, OrderView};
    use crate::domain::model::draw::{Admission, Odds, Prize, Reason, Seed, Terms};
    use crate::domain::model::ids::{DrawId, OrderId, SkuId, UserId};
    use crate::domain::model::order::Status;
    use crate::http::testing::lives;
    use smallvec::smallvec;

    const AT: u64 = 1_800_000_000_000;

    fn text(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::new();
        write(&mut json);
        String::from_utf8(json.into_bytes().to_vec()).unwrap()
    }

    fn sku(id: &str) -> SkuId {
        SkuId::parse(id).unwrap()
    }

    #[test]
    fn a_draw_shows_its_seed_only_where_the_answer_has_it() {
        let prizes =
            vec![Prize { sku: sku("phone"), weight: 1 }, Prize { sku: sku("coupon"), weight: 99 }];
        let odds = Odds::new(prizes, 900).unwrap();
        let mut view = DrawView {
            draw: DrawId::parse("spring").unwrap(),
            terms: Terms { odds, hold_ms: Some(60_000), sell: false },
            admission: Admission { entries_per_user: 1, opens_at: Some(AT), closes_at: None },
            commitment: [0x0F; 32],
            seed: None,
            entries: 12,
            closed_at: None,
            version: 7,
            now: AT,
        };
        let commitment = "0f".repeat(32);
        let before = format!(
            r#"{{"draw":"spring","prizes":[{{"sku":"phone","weight":1}},{{"sku":"coupon","weight":99}}],"blank_weight":900,"entries_per_user":1,"opens_at":"2027-01-15T08:00:00.000Z","closes_at":null,"hold_ms":60000,"confirm":false,"commitment":"{commitment}","seed":null,"closed_at":null,"entries":12,"version":7,"seq":17,"now":"2027-01-15T08:00:00.000Z"}}"#
        );
        assert_eq!(text(|json| draw(json, &view, 17)), before);
        view.seed = Some(Seed([0xA1; 32]));
        view.closed_at = Some(AT);
        let seed =
            format!(r#""seed":"{}","closed_at":"2027-01-15T08:00:00.000Z""#, "a1".repeat(32));
        assert!(text(|json| draw(json, &view, 17)).contains(&seed));
    }

    #[test]
    fn an_entry_shows_its_order_or_why_there_is_none() {
        let order = OrderView {
            order: OrderId { epoch: 4, sequence: 26 },
            user: UserId::parse("u1").unwrap(),
            status: Status::Confirmed,
            lines: smallvec![LineView { sku: sku("phone"), quantity: 1, refunded: 0 }],
            reference: None,
            created_at: AT,
            expires_at: None,
            changed_sequence: 16,
        };
        let mut view = EntryView {
            draw: DrawId::parse("spring").unwrap(),
            number: 5,
            user: UserId::parse("u1").unwrap(),
            client_seed: Some("a \"b\"".into()),
            pick: Some(sku("phone")),
            reason: Reason::Won,
            order: Some(order),
            sequence: 16,
        };
        assert_eq!(
            text(|json| entry(json, &lives(), &view, 17)),
            r#"{"draw":"spring","entry":5,"user":"u1","client_seed":"a \"b\"","outcome":"won","pick":"phone","reason":"won","order":{"id":"7k3v9q2m-26","user":"u1","status":"confirmed","lines":[{"sku":"phone","qty":1,"refunded_qty":0}],"reference":null,"created_at":"2027-01-15T08:00:00.000Z","expires_at":null,"changed_seq":16,"seq":17},"seq":16}"#
        );
        view =
            EntryView { client_seed: None, pick: None, reason: Reason::Blank, order: None, ..view };
        assert_eq!(
            text(|json| entry(json, &lives(), &view, 17)),
            r#"{"draw":"spring","entry":5,"user":"u1","client_seed":null,"outcome":"lost","pick":null,"reason":"blank","order":null,"seq":16}"#
        );
    }
}

//! `draw verify`: fair draws pass, and whatever was changed is told.

use crate::run::ctl;
use crate::story::{put, settings, sku};
use crate::writer::{START, Writer};
use doorbuster::domain::model::command::{Command, DeleteDraw, EnterDraw, Precondition, Take};
use doorbuster::domain::model::command::{CreateOrder, PutDraw};
use doorbuster::domain::model::draw::{
    Admission, Odds, Prize, Reason, Seed, SeedCommitment, Terms,
};
use doorbuster::domain::model::event::{DrawPut, EntryMade, Event, Origin};
use doorbuster::domain::model::ids::{DrawId, LineRequest, PrincipalName, UserId};
use serde_json::{Value, json};

const SEED: Seed = Seed([0x5E; 32]);

fn draw() -> DrawId {
    DrawId::parse("spring").expect("a draw's id")
}

fn terms() -> Terms {
    let prize = |id, weight| Prize { sku: sku(id), weight };
    let odds = Odds::new(vec![prize("A", 1), prize("B", 2)], 3).expect("odds");
    Terms { odds, hold_ms: None, sell: true }
}

const ADMISSION: Admission = Admission { entries_per_user: 2, opens_at: None, closes_at: None };

fn origin() -> Option<Origin> {
    let principal = PrincipalName::parse("shop").expect("a name");
    Some(Origin { principal, reach_all: true, key: None, traceparent: None })
}

impl Writer {
    fn enter(&mut self, number: u128) {
        let user = UserId::parse(&format!("user{}", number % 12)).expect("a user's id");
        let client_seed = number.is_multiple_of(3).then(|| format!("luck{number}").into());
        let enter = EnterDraw { draw: draw(), user, client_seed };
        self.ask("shop", Some(number), Command::EnterDraw(enter));
    }
}

/// Two SKUs, and a draw of both with this secret.
fn begin(sealed: SeedCommitment) -> Writer {
    let mut writer = Writer::create(settings());
    writer.turn(START + 1, |writer| {
        writer.ask("boss", None, put("A", 1, 0));
        writer.ask("boss", None, put("B", 3, 1));
        let precondition = Precondition::None;
        let (terms, admission) = (terms(), ADMISSION);
        if sealed == SeedCommitment::new(sealed.seed) {
            let seed = sealed.seed;
            let put = PutDraw { draw: draw(), terms, admission, seed, precondition };
            writer.ask("boss", None, Command::PutDraw(Box::new(put)));
        } else {
            // What the rules would never record.
            let sealed = Some(sealed);
            let put = DrawPut { draw: draw(), terms, admission, precondition, sealed };
            writer.append(origin(), Event::DrawPut(Box::new(put)));
        }
    });
    writer.turn(START + 2, |writer| (1..=20).for_each(|number| writer.enter(number)));
    writer
}

fn close(writer: &mut Writer) {
    writer.turn(START + 3, |writer| writer.ask("boss", None, Command::CloseDraw(draw())));
    writer.seal();
}

fn counts(shown: &Value) -> [u64; 4] {
    ["entries", "picks_different", "reasons_different", "reasons_not_in_journal"]
        .map(|name| shown[name].as_u64().unwrap_or_else(|| panic!("no {name} in {shown}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_fair_draw_is_verified_entry_by_entry() {
    let mut writer = begin(SeedCommitment::new(SEED));
    close(&mut writer);
    let shown = ctl(writer.path(), "draw verify spring --json", 0).object();
    assert_eq!(counts(&shown), [20, 0, 0, 0]);
    assert_eq!(shown["seed"], hex(&SEED.0));
    assert_eq!(
        (&shown["status"], &shown["seed_fits_commitment"]),
        (&json!("closed"), &json!(true))
    );
    let checked = shown["checked"].as_array().expect("a table");
    assert!(checked.iter().all(|entry| entry["ok"] == true), "{shown}");
    let reasons: std::collections::BTreeSet<&str> =
        checked.iter().map(|entry| entry["reason"].as_str().unwrap()).collect();
    assert!(["blank", "no_stock", "won"].iter().all(|it| reasons.contains(it)), "{reasons:?}");
    assert_eq!(checked[2]["client_seed"], "luck3");
    let text = ctl(writer.path(), "draw verify spring", 0).out;
    assert!(text.contains("seed_fits_commitment") && text.contains("luck3"), "{text}");
}

#[test]
fn the_published_commitment_is_compared() {
    let mut writer = begin(SeedCommitment::new(SEED));
    close(&mut writer);
    let check = |commitment: String, code, told: bool| {
        let asked = format!("draw verify spring --json --commitment {commitment}");
        let shown = ctl(writer.path(), &asked, code).object();
        assert_eq!(shown["commitment_as_published"], told);
    };
    check(hex(&SEED.commitment()), 0, true);
    check(hex(&SEED.commitment()).to_uppercase(), 0, true);
    check(hex(&Seed([0; 32]).commitment()), 1, false);
}

#[test]
fn a_seed_is_not_shown_before_the_draw_is_closed_but_checked() {
    let mut writer = begin(SeedCommitment::new(SEED));
    writer.seal();
    let ran = ctl(writer.path(), "draw verify spring --json", 0);
    assert_eq!((counts(&ran.object()), &ran.object()["seed"]), ([20, 0, 0, 0], &Value::Null));
    for asked in ["draw verify spring", "journal dump", "journal dump --json", "replay --recheck"] {
        let out = ctl(writer.path(), asked, 0).out;
        assert!(!out.contains(&hex(&SEED.0)) && !out.contains("94, 94"), "{asked}: {out}");
    }
    assert!(ran.out.contains(&hex(&SEED.commitment())));
    assert!(!ran.out.contains(&hex(&SEED.0)));
}

#[test]
fn a_changed_seed_fails_against_the_commitment() {
    // The picks are those of the new seed: only the commitment tells.
    let changed = SeedCommitment { seed: Seed([7; 32]), commitment: SEED.commitment() };
    let mut writer = begin(changed);
    close(&mut writer);
    let shown = ctl(writer.path(), "draw verify spring --json", 1).object();
    assert_eq!((counts(&shown), &shown["seed_fits_commitment"]), ([20, 0, 0, 0], &json!(false)));
    ctl(writer.path(), "replay --recheck", 1);
}

#[test]
fn a_pick_or_a_reason_that_was_changed_is_told() {
    let mut writer = begin(SeedCommitment::new(SEED));
    writer.turn(START + 3, |writer| {
        // Everything that entry 21 could honestly be is refused: picks of both kinds, with a reason
        // that the stock does not bear out.
        let made = |number, pick, reason| EntryMade {
            draw: draw(),
            user: UserId::parse(&format!("guest{number}")).expect("a user's id"),
            client_seed: None,
            number,
            pick,
            reason,
            expires_at: None,
        };
        for (number, pick) in [(21, Some(0)), (22, Some(1))] {
            let event = Event::EntryMade(Box::new(made(number, pick, Reason::Paused)));
            writer.append(origin(), event);
        }
        for number in 23..31 {
            let event = Event::EntryMade(Box::new(made(number, None, Reason::Blank)));
            writer.append(origin(), event);
        }
    });
    close(&mut writer);
    let shown = ctl(writer.path(), "draw verify spring --json", 1).object();
    let [entries, picks, reasons, missing] = counts(&shown);
    assert_eq!((entries, reasons, missing), (30, 2, 0));
    // Eight blanks in a row are not what this seed says.
    assert!((1..10).contains(&picks), "{picks}");
    let checked = shown["checked"].as_array().expect("a table");
    assert!(checked[..20].iter().all(|entry| entry["ok"] == true), "{shown}");
    let told = |entry: &Value| {
        entry["pick"] == entry["pick_again"] && entry["reason"] == entry["reason_again"]
    };
    assert!(checked.iter().all(|entry| entry["ok"] == told(entry)), "{shown}");
}

#[test]
fn a_draw_that_was_deleted_is_verified_from_the_journal() {
    let mut writer = begin(SeedCommitment::new(SEED));
    close(&mut writer);
    writer.turn(START + 4, |writer| {
        let delete = DeleteDraw { draw: draw(), precondition: Precondition::None };
        writer.ask("boss", None, Command::DeleteDraw(Box::new(delete)));
    });
    // So late that no key names its entries.
    writer.turn(START + 400_000, |_| ());
    writer.turn(START + 400_001, |_| ());
    writer.seal();
    assert_eq!(writer.state.draws.len(), 0);
    let shown = ctl(writer.path(), "draw verify spring --json", 0).object();
    assert_eq!((counts(&shown), &shown["status"]), ([20, 0, 0, 0], &json!("deleted")));
    assert!(ctl(writer.path(), "draw verify autumn", 1).err.contains("there is no draw autumn"));
    ctl(writer.path(), "draw verify ä", 1);
}

#[test]
fn a_win_is_in_the_history_of_its_order() {
    let mut writer = begin(SeedCommitment::new(SEED));
    writer.turn(START + 3, |writer| {
        let line = LineRequest { sku: sku("A"), quantity: 1 };
        let (user, lines) = (UserId::parse("late").expect("a user's id"), [line].into());
        let order = CreateOrder { user, lines, reference: None, take: Take::Sell };
        writer.ask("shop", Some(99), Command::CreateOrder(order));
    });
    writer.seal();
    let shown = ctl(writer.path(), "draw verify spring --json", 0).object();
    let checked = shown["checked"].as_array().expect("a table");
    let won = checked.iter().find(|entry| entry["reason"] == "won").expect("somebody won");
    let order = ctl(writer.path(), &format!("--json order 1-{}", won["seq"]), 0).object();
    assert_eq!((&order["status"], &order["user"]), (&json!("confirmed"), &won["user"]));
    let event = order["history"][0]["event"].as_str().expect("an event");
    assert!(event.starts_with("entry_made draw=spring"), "{event}");
    let told = ctl(writer.path(), "sku A --json", 0).object();
    assert_eq!(told["refused"], json!({ "draw_only": 1 }));
    ctl(writer.path(), "replay --recheck", 0);
}

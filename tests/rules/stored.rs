//! What is stored stays what it was: a history that uses nothing new has the records and the digest
//! that it had when its constants were written down. Next: `harness`.

use crate::harness::{BASE, Engine};
use crate::wording::sku_id;
use crate::wording::{
    Words, action, adjust_sku, create_order, order_id, patch_sku, principal, put_sku, request,
};
use doorbuster::codec::digest;
use doorbuster::domain::model::command::Command;
use doorbuster::domain::model::settings::Settings;

/// What could be asked before there were draws, with settings that say nothing about them.
fn history_without_draws() -> Engine {
    let mut settings = Settings::default();
    for cap in [&mut settings.caps.orders, &mut settings.caps.keys, &mut settings.caps.skus] {
        *cap = 100;
    }
    for cap in [&mut settings.caps.answers, &mut settings.caps.uses, &mut settings.caps.users] {
        *cap = 100;
    }
    let mut engine = Engine::start(settings, BASE);
    let mut ask = |text: &str, key: Option<&str>| {
        let mut words = Words::of(text);
        let principal = principal(&mut words);
        let command = match words.next() {
            "put" => put_sku(sku_id(words.next()), &mut words, None),
            "patch" => patch_sku(sku_id(words.next()), &mut words, None),
            "adjust" => adjust_sku(sku_id(words.next()), &mut words, None),
            "order" => create_order(&mut words),
            verb => {
                let order = order_id(words.next()).expect("an order's id");
                Command::ActOnOrder(order, action(verb, &mut words).expect("a verb"))
            }
        };
        engine.request(&request(principal, key, command), BASE + 5);
    };
    ask("put A stock=9 limit=3 group=g hold=70", None);
    ask("put B stock=5 direct closes=90000", None);
    ask("order u1 A*1 B*2 ref=shop-17", Some("k1"));
    ask("order u1 A*2 sell by=east", Some("k2"));
    ask("confirm 1-5", Some("k3"));
    ask("refund 1-6 A*1 gone by=east", Some("k4"));
    ask("order u2 B*1 hold=20", None);
    ask("order u3 B*9", None);
    ask("patch A paused=yes", None);
    ask("adjust B -1", Some("k5"));
    engine.sweep(BASE + 30);
    engine.count_refusals(BASE + 31);
    engine
}

#[test]
fn a_history_without_draws_is_stored_as_before_there_were_any() {
    let engine = history_without_draws();
    assert_eq!(engine.state.sequence, 13);
    assert_eq!(digest(&engine.state).to_string(), DIGEST);
    assert_eq!(engine.stored_digest(), RECORDS);
}

const DIGEST: &str = "2fec73fb5ae99cf9a550ca1fc4a2e74fb69b5e458a0d64cb7c2c1acf2249477d";
const RECORDS: &str = "444bc536ef8e526ffd952ca28e28428361518da3f0057276b943bb77287c31d3";

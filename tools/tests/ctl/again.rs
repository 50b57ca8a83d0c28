//! `replay --recheck`.

use crate::run::ctl;
use crate::story::{order, settings, sku, tell, tell_to_the_end};
use crate::writer::{START, Writer};
use doorbuster::domain::model::command::{Command, Take};
use doorbuster::domain::model::event::{Event, OrderCreated, Origin};
use doorbuster::domain::model::ids::{LineRequest, PrincipalName, UserId};
use doorbuster::engine::recheck::Recheck;
use doorbuster::engine::replay::{From, Until};

#[test]
fn all_that_was_decided_is_decided_so_again() {
    let story = tell_to_the_end();
    let data = story.writer.path();
    for arguments in ["replay --recheck --from-genesis --json", "--json replay --recheck"] {
        let found = ctl(data, arguments, 0).object();
        assert_eq!(found["different"], 0, "{found}");
        assert_eq!(found["from_image"], 0);
        let looked_at = found["commands_rechecked"].as_u64().unwrap()
            + found["other_events_rechecked"].as_u64().unwrap();
        assert_eq!(looked_at, story.writer.state.sequence);
        assert_eq!(found["digest"], story.writer.digests.last().unwrap().as_str());
    }
}

#[test]
fn every_kind_of_event_is_in_the_story() {
    let story = tell_to_the_end();
    let dumped = ctl(story.writer.path(), "journal dump --json", 0).objects();
    let mut kinds: Vec<_> = dumped.iter().filter_map(|line| line["event"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 21, "{kinds:?}");
}

#[test]
fn a_changed_rule_is_found() {
    let story = tell();
    let until = Until::End;
    let mut recheck = Recheck::new(|state, request, now| {
        let mut state = state.clone();
        state.settings.hold_ms_default += 1;
        doorbuster::domain::rules::decide::decide(&state, request, now)
    });
    recheck.run(story.writer.path(), From::Genesis, until, &mut |_| {}).unwrap_or_else(|error| {
        panic!("{error}");
    });
    assert!(recheck.different > 0);
    let created = |event: &Event| matches!(event, Event::OrderCreated(_));
    assert!(recheck.differences.iter().all(|found| created(&found.recorded.event)));
}

/// Appends an order as no rule allows it, and expects what the recheck says of it.
fn check_planted(created: OrderCreated, now: &str) {
    let mut writer = Writer::create(settings());
    writer.turn(START + 1, |writer| writer.ask("boss", None, crate::story::put("A", 5, 1)));
    writer.turn(START + 2, |writer| {
        let principal = PrincipalName::parse("shop").unwrap();
        let origin = Origin { principal, reach_all: false, key: None, traceparent: None };
        writer.append(Some(origin), Event::OrderCreated(created.clone()));
    });
    writer.turn(START + 3, |writer| writer.ask("shop", None, other_order()));
    let found = ctl(writer.path(), "replay --recheck --json", 1).object();
    assert_eq!(found["different"], 1, "{found}");
    let first = &found["differences"][0];
    assert_eq!(first["seq"], 4);
    assert!(first["recorded"].as_str().unwrap().starts_with("order_created user=u "), "{first}");
    assert!(first["now"].as_str().unwrap().contains(now), "{first}");
    let text = ctl(writer.path(), "replay --recheck", 1).out;
    assert!(text.contains("order_created") && text.contains(now), "{text}");
}

fn other_order() -> Command {
    order("v", "A", 1, Take::Sell)
}

#[test]
fn a_record_that_the_rules_would_not_make_is_found() {
    let (user, lines) =
        (UserId::parse("u").unwrap(), |quantity| [LineRequest { sku: sku("A"), quantity }].into());
    let (take, reference) = (Take::Hold(None), None);
    let expires_at = Some(START + 2 + 10_001);
    let late = OrderCreated { user: user.clone(), lines: lines(1), reference, take, expires_at };
    check_planted(late.clone(), "expires_at=2027-01-15T08:00:10.002Z");
    check_planted(OrderCreated { lines: lines(2), ..late }, "refused: UserLimit");
}

//! Scenarios: one line a request, at its time, with what must come of it.
//!
//! ```text
//!      0 put     A stock=2 limit=1         -> 201 total=2
//!      1 order   u1 A*1 key=k1             -> 201 held until=300001 as o1
//!      2 confirm o1                        -> 200 confirmed
//!        sku     A                         -> 200 available=1 sold=1
//! 300001 sweep                             -> 0
//! ```
//! Times are milliseconds after an arbitrary stamp; a line without one happens at the time of the
//! line before. Words after `->` must be found in the answer's words, in that order, the first as
//! the first; lists, sweeps and starts must match whole. `replayed` must be said where it is so.
//! `as o1` gives a new order its label. Nothing falls due by itself: `expire`, `tidy` and `sweep`
//! (both) say so. `by=admin` sees everybody's orders.
//!
//! Owns the comparison. A replayed answer must also equal the first one field by field, and every
//! scenario ends in a replay of its records. The words are in `wording`. Next: any feature.

use crate::draw_words;
use crate::harness::{BASE, Engine, key_hash, settings};
use crate::wording::{self, Words, number, principal, say, sku_id, user_id};
use doorbuster::domain::model::answer::{Answer, Answered};
use doorbuster::domain::model::command::{Command, OrderPlace, Query, Request};
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::ids::{OrderId, PrincipalName, SkuId, Stamp};
use doorbuster::domain::model::order::Status;
use doorbuster::domain::model::settings::Settings;
use std::collections::BTreeMap;

/// Runs a scenario; panics at the first line that is not answered as it says.
pub(crate) fn check(text: &str) {
    let mut script = Script {
        engine: Engine::start(settings(), BASE),
        now: BASE,
        labels: BTreeMap::new(),
        first_answers: BTreeMap::new(),
    };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = Place { number: number + 1, line };
        script.run(&place);
    }
    script.engine.check_replay();
}

/// Says where a scenario was when something else panicked.
struct Place<'a> {
    number: usize,
    line: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("scenario line {}: {}", self.number, self.line.trim());
        }
    }
}

struct Script {
    engine: Engine,
    now: Stamp,
    labels: BTreeMap<String, OrderId>,
    first_answers: BTreeMap<u128, Answered>,
}

impl Script {
    fn run(&mut self, place: &Place<'_>) {
        let (asked, expected) = match place.line.split_once("->") {
            Some((asked, expected)) => (asked, Some(expected.trim())),
            None => (place.line, None),
        };
        let mut words = Words::of(asked);
        let mut verb = words.next();
        if verb.bytes().all(|byte| byte.is_ascii_digit()) {
            self.now = BASE + number(verb);
            verb = words.next();
        }
        let (expected, label) = match expected.and_then(|it| it.split_once(" as ")) {
            Some((expected, label)) => (Some(expected), Some(label.trim())),
            None => (expected, None),
        };
        let (got, whole) = match self.sweep(verb, &mut words) {
            Some(got) => (got, true),
            None => self.ask(verb, &mut words, label),
        };
        words.end();
        if let Some(expected) = expected {
            assert!(
                matches(expected, &got, whole),
                "\n    line: {}: {}\nexpected: {expected}\n     got: {got}\n",
                place.number,
                place.line.trim(),
            );
        }
    }

    /// What nobody asks for.
    fn sweep(&mut self, verb: &str, words: &mut Words<'_>) -> Option<String> {
        let now = self.now;
        let events = match verb {
            "expire" => self.engine.expire(now),
            "tidy" => self.engine.tidy(now),
            "sweep" => self.engine.sweep(now),
            "start" => self.engine.restart(now),
            "count_refusals" => {
                self.engine.count_refusals(now);
                Vec::new()
            }
            "settings" => {
                let mut settings = self.engine.state.settings.clone();
                change(&mut settings, words);
                self.engine.change_settings(settings, now);
                Vec::new()
            }
            _ => return None,
        };
        let said: Vec<String> = events.iter().map(|event| self.say_event(event)).collect();
        Some(if said.is_empty() { "0".to_owned() } else { said.join(" ") })
    }

    fn say_event(&self, event: &Event) -> String {
        let names =
            |ids: &[OrderId]| ids.iter().map(|id| self.name(*id)).collect::<Vec<_>>().join(" ");
        match event {
            Event::OrderExpired(id) => format!("expired {}", self.name(*id)),
            Event::HoldsGraced(graced) => format!("graced {}", names(&graced.orders)),
            Event::KeysForgotten(count) => format!("forgot {count}"),
            Event::OrdersArchived(orders) => format!("archived {}", names(orders)),
            Event::UsesPurged(purged) => format!("purged {}", purged.count),
            Event::EntriesPurged(purged) => format!("entries {}", purged.count),
            event => panic!("{event:?} is nothing that falls due"),
        }
    }

    fn name(&self, id: OrderId) -> String {
        let found = self.labels.iter().find(|(_, found)| **found == id);
        found.map_or_else(|| format!("{}-{}", id.epoch, id.sequence), |(label, _)| label.clone())
    }

    fn ask(&mut self, verb: &str, words: &mut Words<'_>, label: Option<&str>) -> (String, bool) {
        let principal = principal(words);
        let key = words.named("key");
        let command = self.command(verb, principal.name.as_str(), words);
        let request = wording::request(principal, key, command);
        let answered = self.engine.request(&request, self.now);
        self.compare_replay(&request, &answered);
        let created = match &answered.answer {
            Answer::Created(created) => Some(created.order),
            Answer::Entered(entry) => entry.order.as_ref().map(|order| order.order),
            _ => None,
        };
        if let (Some(created), Some(label)) = (created, label) {
            let before = self.labels.insert(label.to_owned(), created);
            assert!(before.is_none_or(|before| before == created), "{label} is taken");
        }
        let whole =
            matches!(answered.answer, Answer::Orders(_) | Answer::Skus(_) | Answer::Entries(_));
        (say(&answered, &|id| self.name(id)), whole)
    }

    fn compare_replay(&mut self, request: &Request, answered: &Answered) {
        let Some(claim) = request.key else { return };
        if answered.replayed {
            let first = Answered { replayed: true, ..self.first_answers[&claim.hash].clone() };
            assert_eq!(*answered, first, "a replay is the first answer, field by field");
        } else if !matches!(answered.answer, Answer::Refused(_)) {
            self.first_answers.insert(claim.hash, answered.clone());
        }
    }

    fn order(&self, label: &str) -> OrderId {
        let parsed = wording::order_id(label);
        self.labels.get(label).copied().or(parsed).unwrap_or_else(|| panic!("no order {label}"))
    }

    fn command(&self, verb: &str, principal: &str, words: &mut Words<'_>) -> Command {
        if verb == "order" {
            return wording::create_order(words);
        }
        if let Some(change) = match verb {
            "put" => Some(wording::put_sku as fn(SkuId, &mut Words<'_>, Option<u64>) -> Command),
            "patch" => Some(wording::patch_sku as _),
            "adjust" => Some(wording::adjust_sku as _),
            "delete" => Some(wording::delete_sku as _),
            _ => None,
        } {
            let sku = sku_id(words.next());
            let skus = &self.engine.state.skus;
            let version = skus.find(&sku).map(|slot| skus[slot].version);
            return change(sku, words, version);
        }
        if let Some(command) = draw_words::command(verb, &self.engine.state, words) {
            return command;
        }
        if let Some(query) = self.query(verb, principal, words) {
            return Command::Read(Box::new(query));
        }
        let order = self.order(words.next());
        let action = wording::action(verb, words).unwrap_or_else(|| panic!("no verb {verb}"));
        Command::ActOnOrder(order, action)
    }

    fn query(&self, verb: &str, principal: &str, words: &mut Words<'_>) -> Option<Query> {
        let limit = words.number("limit").map_or(100, |limit| limit as usize);
        Some(match verb {
            "sku" => Query::Sku(sku_id(words.next())),
            "skus" => Query::Skus { after: words.named("after").map(sku_id), limit },
            "get" => Query::Order(self.order(words.next())),
            "orders" => Query::Orders {
                status: words.named("status").map(|it| Status::parse(it).expect("a status")),
                sku: words.named("sku").map(sku_id),
                after: words.named("after").map(|label| self.order(label)),
                limit,
            },
            "user" => {
                let (user, sealed) = (user_id(words.next()), words.flag("sealed"));
                let place = |label| OrderPlace { order: self.order(label), sealed };
                Query::UserOrders { user, after: words.named("after").map(place), limit }
            }
            "key" => Query::Remembered(key_hash(principal, words.next())),
            "tables" => Query::Status,
            _ => return None,
        })
    }
}

fn change(settings: &mut Settings, words: &mut Words<'_>) {
    let mut wide = |name: &str, value: &mut u64| *value = words.number(name).unwrap_or(*value);
    wide("hold_ms_default", &mut settings.hold_ms_default);
    wide("hold_ms_max", &mut settings.hold_ms_max);
    wide("grace", &mut settings.recovery_grace_ms);
    wide("keys_retain", &mut settings.idempotency_retain_ms);
    wide("orders_retain", &mut settings.orders_retain_ms);
    let mut narrow = |name: &str, value: &mut u32| {
        *value = words.number(name).map_or(*value, |it| u32::try_from(it).expect("a small cap"));
    };
    narrow("holds", &mut settings.open_holds_per_user_max);
    let caps = &mut settings.caps;
    narrow("skus", &mut caps.skus);
    narrow("orders", &mut caps.orders);
    narrow("keys", &mut caps.keys);
    narrow("answers", &mut caps.answers);
    narrow("uses", &mut caps.uses);
    narrow("users", &mut caps.users);
    narrow("draws", &mut caps.draws);
    narrow("entries", &mut caps.entries);
    if let Some(names) = words.named("principals") {
        let name = |name: &str| PrincipalName::parse(name).expect("a principal's name");
        settings.principals = names.split(',').map(name).collect();
    }
}

/// All expected words are there in their order, the first one first.
fn matches(expected: &str, got: &str, whole: bool) -> bool {
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.split_whitespace().collect(), got.split_whitespace().collect());
    let replayed = |words: &[&str]| words.last() == Some(&"replayed");
    if whole || expected.first() != got.first() || replayed(&expected) != replayed(&got) {
        return expected == got;
    }
    let mut rest = got.iter();
    expected.iter().all(|word| rest.any(|found| found == word))
}

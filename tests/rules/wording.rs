//! The words of scenarios: a line into a request, an answer into words.
//!
//! Owns the text language; `scenario` describes it. Never decides and never compares. Next:
//! `scenario`.

use crate::draw_words::{say_draw, say_entry};
use crate::harness::{BASE, claim};
use doorbuster::domain::model::answer::{
    Answer, Answered, OrderView, Refusal, RememberedBody, ShortLine, SkuView,
};
use doorbuster::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, DeleteSku, Patch, PatchSku, Precondition,
    Principal, PutSku, Reach, Refund, Request, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::ids::{
    GroupId, LineRequest, LineRequests, OrderId, PrincipalName, SkuId, Stamp, UserId,
};
use std::collections::BTreeMap;

/// The words of a line: plain ones in order, and `name=value`.
pub(crate) struct Words<'a> {
    plain: std::collections::VecDeque<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let mut words = Self { plain: Default::default(), named: BTreeMap::new() };
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    words.named.insert(name, value);
                }
                _ => words.plain.push_back(word),
            }
        }
        words
    }

    pub(crate) fn next(&mut self) -> &'a str {
        self.plain.pop_front().expect("a word is missing")
    }

    pub(crate) fn flag(&mut self, word: &str) -> bool {
        let found = self.plain.iter().position(|plain| *plain == word);
        found.map(|at| self.plain.remove(at)).is_some()
    }

    pub(crate) fn named(&mut self, name: &str) -> Option<&'a str> {
        self.named.remove(name)
    }

    pub(crate) fn number(&mut self, name: &str) -> Option<u64> {
        self.named(name).map(number)
    }

    pub(crate) fn time(&mut self, name: &str) -> Option<Stamp> {
        self.number(name).map(|time| BASE + time)
    }

    /// The plain words that are left.
    pub(crate) fn rest(&mut self) -> impl Iterator<Item = &'a str> {
        self.plain.drain(..)
    }

    /// What is left are the lines of an order.
    pub(crate) fn lines(&mut self) -> LineRequests {
        let line = |word: &str| {
            let (sku, quantity) = word.split_once('*').expect("a line is SKU*quantity");
            let quantity = u32::try_from(number(quantity)).expect("quantities are 32-bit");
            LineRequest { sku: sku_id(sku), quantity }
        };
        self.plain.drain(..).map(line).collect()
    }

    pub(crate) fn end(&self) {
        assert!(self.plain.is_empty() && self.named.is_empty(), "words that mean nothing here");
    }
}

pub(crate) fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

pub(crate) fn sku_id(text: &str) -> SkuId {
    SkuId::parse(text).expect("a SKU id")
}

pub(crate) fn user_id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

/// An order by its numbers, `<epoch>-<sequence>`: the rules know no other id.
pub(crate) fn order_id(text: &str) -> Option<OrderId> {
    let (epoch, sequence) = text.split_once('-')?;
    Some(OrderId { epoch: epoch.parse().ok()?, sequence: sequence.parse().ok()? })
}

/// Who asks: `by=`, else `shop`. `admin` sees everybody's orders.
pub(crate) fn principal(words: &mut Words<'_>) -> Principal {
    let name = words.named("by").unwrap_or("shop");
    let reach = if name == "admin" { Reach::All } else { Reach::Own };
    Principal { name: PrincipalName::parse(name).expect("a principal's name"), reach }
}

/// A command with its `by=` and `key=`.
pub(crate) fn request(principal: Principal, key: Option<&str>, command: Command) -> Request {
    let key = key.map(|key| claim(principal.name.as_str(), key, &command));
    Request { principal, key, traceparent: None, command }
}

pub(crate) fn create_order(words: &mut Words<'_>) -> Command {
    let user = user_id(words.next());
    let hold = words.number("hold");
    let take = if words.flag("sell") { Take::Sell } else { Take::Hold(hold) };
    let reference = words.named("ref").map(Into::into);
    Command::CreateOrder(CreateOrder { user, lines: words.lines(), reference, take })
}

pub(crate) fn action(verb: &str, words: &mut Words<'_>) -> Option<Action> {
    Some(match verb {
        "confirm" => Action::Confirm { reacquire: words.flag("reacquire") },
        "cancel" => Action::Cancel,
        "extend" => Action::Extend(number(words.next())),
        "ship" => Action::Ship,
        "complete" => Action::Complete,
        "refund" => {
            let restock = !words.flag("gone");
            Action::Refund(Refund { lines: words.lines(), restock })
        }
        _ => return None,
    })
}

/// `if=`: `*`, `absent` (If-None-Match), `foreign` (no version of ours), `current` or a version.
pub(crate) fn precondition(words: &mut Words<'_>, current: Option<u64>) -> Precondition {
    match words.named("if") {
        None => Precondition::None,
        Some("*") => Precondition::Exists,
        Some("absent") => Precondition::Absent,
        Some("foreign") => Precondition::Version(None),
        Some("current") => Precondition::Version(current),
        Some(version) => Precondition::Version(Some(number(version))),
    }
}

pub(crate) fn put_sku(sku: SkuId, words: &mut Words<'_>, version: Option<u64>) -> Command {
    let settings = SkuSettings {
        per_user_limit: words.number("limit").unwrap_or(0),
        limit_group: words.named("group").map(|group| GroupId::parse(group).expect("a group id")),
        opens_at: words.time("opens"),
        closes_at: words.time("closes"),
        hold_ms: words.number("hold"),
        paused: words.flag("paused"),
        direct: words.flag("direct"),
    };
    let stock = words.number("stock").expect("a PUT names the stock");
    let precondition = precondition(words, version);
    Command::PutSku(Box::new(PutSku { sku, stock, settings, precondition }))
}

/// A member given as `-` goes back to its default.
fn patched<T>(value: Option<&str>, read: impl Fn(&str) -> T) -> Patch<T> {
    match value {
        None => Patch::Keep,
        Some("-") => Patch::Reset,
        Some(value) => Patch::Set(read(value)),
    }
}

pub(crate) fn patch_sku(sku: SkuId, words: &mut Words<'_>, version: Option<u64>) -> Command {
    let time = |text: &str| Some(BASE + number(text));
    let changes = SkuChanges {
        per_user_limit: patched(words.named("limit"), number),
        limit_group: patched(words.named("group"), |group| {
            Some(GroupId::parse(group).expect("a group id"))
        }),
        opens_at: patched(words.named("opens"), time),
        closes_at: patched(words.named("closes"), time),
        hold_ms: patched(words.named("hold"), |text| Some(number(text))),
        paused: patched(words.named("paused"), |text| text == "yes"),
        direct: patched(words.named("direct"), |text| text == "yes"),
    };
    let precondition = precondition(words, version);
    Command::PatchSku(Box::new(PatchSku { sku, changes, precondition }))
}

/// `+5`, `-5` or `=100`.
pub(crate) fn adjust_sku(sku: SkuId, words: &mut Words<'_>, version: Option<u64>) -> Command {
    let word = words.next();
    let adjustment = match word.strip_prefix('=') {
        Some(total) => Adjustment::Stock(number(total)),
        None => Adjustment::Delta(word.parse().expect("a difference")),
    };
    let reason = words.named("reason").unwrap_or("counted").to_owned();
    let precondition = precondition(words, version);
    Command::AdjustSku(Box::new(AdjustSku { sku, adjustment, reason, precondition }))
}

pub(crate) fn delete_sku(sku: SkuId, words: &mut Words<'_>, version: Option<u64>) -> Command {
    let precondition = precondition(words, version);
    Command::DeleteSku(Box::new(DeleteSku { sku, precondition }))
}

/// Says an answer; `name` gives the label of an order.
pub(crate) fn say(answered: &Answered, name: &dyn Fn(OrderId) -> String) -> String {
    let then = answered.sequence;
    let mut said = match &answered.answer {
        Answer::Created(created) => {
            let until = until(created.expires_at);
            format!("201 {}{until} at={}", created.status.as_str(), created.created_at - BASE)
        }
        Answer::Order(order) => format!("200 {}", say_order(order, then)),
        Answer::Sku(sku) => format!("200 {}", say_sku(sku, then)),
        Answer::SkuCreated(sku) => format!("201 {}", say_sku(sku, then)),
        Answer::SkuDeleted => "204".to_owned(),
        Answer::Draw(draw) => format!("200 {}", say_draw(draw, then)),
        Answer::DrawCreated(draw) => format!("201 {}", say_draw(draw, then)),
        Answer::DrawDeleted => "204".to_owned(),
        Answer::Entered(entry) => format!("201 {}", say_entry(entry, name)),
        Answer::Entries(page) => {
            let entries = page.entries.iter().map(|entry| say_entry(entry, name));
            say_page(entries, page.next.map(|next| next.to_string()))
        }
        Answer::Skus(page) => {
            let ids = page.entries.iter().map(|sku| sku.sku.as_str().to_owned());
            say_page(ids, page.next.as_ref().map(|next| next.as_str().to_owned()))
        }
        Answer::Orders(page) => {
            say_page(page.entries.iter().map(|order| name(order.order)), page.next.map(name))
        }
        Answer::Remembered(remembered) => match &remembered.body {
            RememberedBody::Created(order) => {
                format!("201 {}", say_order(order, remembered.sequence))
            }
            RememberedBody::Order(order) => {
                format!("200 {}", say_order(order, remembered.sequence))
            }
            RememberedBody::Sku(sku) => format!("200 {}", say_sku(sku, remembered.sequence)),
            RememberedBody::Entered(entry) => format!("201 {}", say_entry(entry, name)),
            RememberedBody::Draw(draw) => format!("200 {}", say_draw(draw, remembered.sequence)),
        },
        Answer::Status(status) => {
            let fill = |table: &doorbuster::domain::model::answer::TableFill| {
                format!(" {}={}/{}", table.name, table.used, table.cap)
            };
            let tables: String = status.tables.iter().map(fill).collect();
            format!("200 epoch={}{tables}", status.epoch)
        }
        Answer::Refused(refusal) => say_refusal(refusal),
    };
    if answered.replayed {
        said.push_str(" replayed");
    }
    said
}

fn until(expires_at: Option<Stamp>) -> String {
    expires_at.map(|at| format!(" until={}", at - BASE)).unwrap_or_default()
}

fn say_page(entries: impl Iterator<Item = String>, next: Option<String>) -> String {
    let entries: String = entries.map(|entry| format!(" {entry}")).collect();
    format!("200{entries}{}", next.map(|next| format!(" next={next}")).unwrap_or_default())
}

/// `changed=now` if the answer's own event changed it last.
fn say_order(order: &OrderView, then: u64) -> String {
    let line = |line: &doorbuster::domain::model::answer::LineView| match line.refunded {
        0 => format!(" {}*{}", line.sku.as_str(), line.quantity),
        refunded => format!(" {}*{}-{refunded}", line.sku.as_str(), line.quantity),
    };
    let lines: String = order.lines.iter().map(line).collect();
    let reference = order.reference.as_ref().map(|it| format!(" ref={it}")).unwrap_or_default();
    format!(
        "{} {}{lines}{reference}{} at={} changed={}",
        order.status.as_str(),
        order.user.as_str(),
        until(order.expires_at),
        order.created_at - BASE,
        if order.changed_sequence == then { "now" } else { "before" },
    )
}

fn say_sku(sku: &SkuView, then: u64) -> String {
    let settings = &sku.settings;
    let mut said = format!(
        "total={} available={} held={} sold={} limit={}",
        sku.total,
        sku.available(),
        sku.held,
        sku.sold,
        settings.per_user_limit
    );
    let mut say = |name: &str, value: Option<u64>| {
        said.extend(value.map(|value| format!(" {name}={value}")));
    };
    say("opens", settings.opens_at.map(|at| at - BASE));
    say("closes", settings.closes_at.map(|at| at - BASE));
    say("hold", settings.hold_ms);
    sku.refused.iter().for_each(|(reason, count)| say(reason.as_str(), Some(count)));
    said.extend(settings.limit_group.as_ref().map(|group| format!(" group={}", group.as_str())));
    said.extend(settings.paused.then_some(" paused"));
    said.extend(settings.direct.then_some(" direct"));
    let version = if sku.version == then { "now" } else { "before" };
    said + &format!(" version={version} now={}", sku.now - BASE)
}

/// Short lines as requested/available/held; `retryable` where what is held may still do.
fn say_sold_out(lines: &[Box<ShortLine>]) -> String {
    let line = |line: &ShortLine| {
        let (requested, available, held) = (line.requested, line.available, line.held);
        format!(" {} {requested}/{available}/{held}", line.sku.as_str())
    };
    let said: String = lines.iter().map(|short| line(short)).collect();
    let retryable = lines.iter().all(|line| line.available + line.held >= line.requested);
    format!("409 sold_out{said}{}", if retryable { " retryable" } else { "" })
}

fn say_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::KeyReused => "422 idempotency_key_reused".to_owned(),
        Refusal::UnknownSku(sku) => format!("404 unknown_sku {}", sku.as_str()),
        Refusal::UnknownOrder => "404 unknown_order".to_owned(),
        Refusal::UnknownDraw => "404 unknown_draw".to_owned(),
        Refusal::UnknownRequest => "404 unknown_request".to_owned(),
        Refusal::DrawOnly(sku) => format!("409 draw_only {}", sku.as_str()),
        Refusal::DrawClosed { closes_at, now } => {
            format!("410 closed closes={} now={}", closes_at - BASE, now - BASE)
        }
        Refusal::DrawNotOpen { opens_at, now } => {
            format!("409 not_open opens={} now={}", opens_at - BASE, now - BASE)
        }
        Refusal::EntryLimit { used, limit } => format!("409 entry_limit used={used} limit={limit}"),
        Refusal::DrawFixed => "409 in_use fixed".to_owned(),
        Refusal::DrawUnclosed => "409 in_use unclosed".to_owned(),
        Refusal::VersionMismatch(None) => "412 version_mismatch absent".to_owned(),
        Refusal::VersionMismatch(Some(_)) => "412 version_mismatch".to_owned(),
        Refusal::IfMatchRequired(_) => "428 if_match_required".to_owned(),
        Refusal::InvalidTransition(status) => format!("409 invalid_transition {}", status.as_str()),
        Refusal::HoldExpired => "410 hold_expired".to_owned(),
        Refusal::Closed(window) => {
            format!("410 closed {} closes={}", window.sku.as_str(), window.edge - BASE)
        }
        Refusal::NotOpen(window) => {
            format!("409 not_open {} opens={}", window.sku.as_str(), window.edge - BASE)
                + &format!(" now={}", window.now - BASE)
        }
        Refusal::Paused(sku) => format!("409 paused {}", sku.as_str()),
        Refusal::UserLimit(found) => format!(
            "409 user_limit {} limit={} used={} requested={}",
            found.sku.as_str(),
            found.limit,
            found.used,
            found.requested
        ),
        Refusal::HoldLimit { used, limit } => format!("409 hold_limit used={used} limit={limit}"),
        Refusal::SoldOut(lines) => say_sold_out(lines),
        Refusal::StockBelowCommitted { held, sold } => {
            format!("409 stock_below_committed held={held} sold={sold}")
        }
        Refusal::InUse { held } => format!("409 in_use held={held}"),
        Refusal::Invalid { field, .. } => format!("422 invalid {field}"),
        Refusal::Capacity(table) => format!("503 capacity {table}"),
    }
}

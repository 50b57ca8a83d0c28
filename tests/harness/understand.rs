//! From an HTTP request back to the command that it asks for, by the contract alone: notes that
//! were written to a file can be judged again, and whatever a hostile client sent has one meaning
//! or none.
//!
//! Owns the harness's reading of requests: paths, queries and headers; bodies are read in `bodies`.
//! Stricter than it need be is an error that a round would show. Never the server's own reading of
//! requests. Next: `bodies`, `judge`.

use crate::bodies;
use crate::members::any_order;
use crate::strict::{Json, Members, Nothing, Read, of_text, text};
use doorbuster::domain::model::command::{
    Command, DeleteDraw, DeleteSku, OrderPlace, PatchSku, Precondition, PutDraw, Query,
};
use doorbuster::domain::model::draw::Seed;
use doorbuster::domain::model::ids::{DrawId, SkuId, UserId};
use doorbuster::domain::model::order::Status;
use doorbuster_test_support::client::Ask;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The first integer that numbers stay below.
const INTEGER_END: u64 = 1 << 53;
/// Entries of a page at most, and where nothing is said.
const LIMIT_MAX: usize = 100;
const KEY_BYTES_MAX: usize = 255;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    /// Unquoted.
    pub(crate) key: Option<String>,
}

/// What a request means, whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing that the contract knows: it must not be accepted.
    Nothing,
    /// Something beside what the witness judges: how the server is, its feed, what is allowed.
    Beside,
    /// This.
    Asks(Asked),
}

/// The meaning of a request; of a batch that has one line, the meaning of the line.
pub(crate) fn meaning(ask: &Ask) -> Meaning {
    read(ask).unwrap_or(Meaning::Nothing)
}

/// The command of a client that asks as it should; the seed of a draw is the server's to make.
pub(crate) fn command(ask: &Ask) -> Command {
    match meaning(ask) {
        Meaning::Asks(asked) => asked.command,
        other => panic!("{other:?}: nobody asks {ask:?}"),
    }
}

/// The value of a header that comes at most once.
pub(crate) fn header<'a>(ask: &'a Ask, name: &str) -> Option<&'a str> {
    ask.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// What `speak` made a key of; of any other text, a number that is its own.
pub(crate) fn key_hash(key: &str) -> u128 {
    let made = u128::from_str_radix(key, 16).ok().filter(|hash| format!("{hash:032x}") == key);
    made.unwrap_or_else(|| {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (key, salt).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        (half(3) << 64) | half(4)
    })
}

/// Values of a header, whatever its letters' case.
fn values<'a>(ask: &'a Ask, name: &str) -> Vec<&'a str> {
    let own = ask.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
    own.map(|(_, value)| value.trim_matches([' ', '\t'])).collect()
}

fn read(ask: &Ask) -> Read<Meaning> {
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let segments = segments(path)?;
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    if is_beside(ask.method, &names) {
        return Ok(Meaning::Beside);
    }
    if (ask.method, names.as_slice()) == ("POST", &["v1", "batch"]) {
        let line = Members::parse(ask.body.as_deref().unwrap_or_default())?;
        return line_asks(line).map(Meaning::Asks);
    }
    let ["v1", names @ ..] = names.as_slice() else { return Err(Nothing) };
    // No id is empty, and a slash at the end makes another path.
    if names.contains(&"") {
        return Err(Nothing);
    }
    check_head(ask)?;
    let mut parameters = Parameters::parse(query)?;
    let key = if ask.method == "POST" { key(ask)? } else { None };
    let command = match ask.method {
        "GET" => Command::Read(Box::new(query_of(names, &mut parameters)?)),
        _ => change(ask, names, precondition(ask)?)?,
    };
    parameters.end()?;
    checked(Asked { command, key }).map(Meaning::Asks)
}

/// What has no key where it must have one asks for nothing.
fn checked(asked: Asked) -> Read<Asked> {
    let needs_key = bodies::needs_key(&asked.command);
    if needs_key && asked.key.is_none() { Err(Nothing) } else { Ok(asked) }
}

fn is_beside(method: &str, names: &[&str]) -> bool {
    let is_get = method == "GET";
    match names {
        [""] | ["livez" | "readyz" | "metrics" | "openapi.json"] => is_get,
        ["v1", "latency" | "latency.hgrm" | "events"] => is_get,
        ["v1", "admin", "snapshot"] => method == "POST",
        _ => false,
    }
}

/// Split first, then decoded once.
fn segments(path: &str) -> Read<Vec<String>> {
    path.strip_prefix('/').ok_or(Nothing)?.split('/').map(decoded).collect()
}

fn decoded(text: &str) -> Read<String> {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        plain.push(u8::from_str_radix(digits.ok_or(Nothing)?, 16).map_err(|_| Nothing)?);
        plain.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(plain).map_err(|_| Nothing)
}

/// What all requests have in common beside their route.
fn check_head(ask: &Ask) -> Read<()> {
    let types = values(ask, "Content-Type");
    if ask.body.as_ref().is_some_and(|body| !body.is_empty()) {
        let [of_body] = types.as_slice() else { return Err(Nothing) };
        let mut parts = of_body.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let is_patch = ask.method == "PATCH" && essence == "application/merge-patch+json";
        let plain = |part: &str| {
            ["", "charset=utf-8", "charset=\"utf-8\""].contains(&&*part.to_ascii_lowercase())
        };
        if !(essence == "application/json" || is_patch) || !parts.all(plain) {
            return Err(Nothing);
        }
    }
    match values(ask, "Request-Timeout-Ms").as_slice() {
        [] => Ok(()),
        [timeout] => {
            number(timeout).filter(|ms| (1..INTEGER_END).contains(ms)).map(drop).ok_or(Nothing)
        }
        _ => Err(Nothing),
    }
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn key(ask: &Ask) -> Read<Option<String>> {
    match values(ask, "Idempotency-Key").as_slice() {
        [] => Ok(None),
        [key] => unquoted(key).map(Some),
        _ => Err(Nothing),
    }
}

/// `"k"` and `k` are one key.
fn unquoted(text: &str) -> Read<String> {
    let mut key = String::new();
    match text.strip_prefix('"') {
        None => key.push_str(text),
        Some(rest) => {
            let mut inner = rest.strip_suffix('"').ok_or(Nothing)?.chars();
            while let Some(character) = inner.next() {
                key.push(match character {
                    '"' => return Err(Nothing),
                    '\\' => inner.next().filter(|of| matches!(of, '"' | '\\')).ok_or(Nothing)?,
                    plain => plain,
                });
            }
        }
    }
    let printable = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let sized = (1..=KEY_BYTES_MAX).contains(&key.len());
    if printable && sized { Ok(key) } else { Err(Nothing) }
}

fn precondition(ask: &Ask) -> Read<Precondition> {
    match (values(ask, "If-Match").as_slice(), values(ask, "If-None-Match").as_slice()) {
        ([], []) => Ok(Precondition::None),
        ([], ["*"]) if ask.method != "POST" => Ok(Precondition::Absent),
        ([tags], []) => matched(tags),
        _ => Err(Nothing),
    }
}

/// A star, or tags: those that are weak or none of ours match nothing.
fn matched(tags: &str) -> Read<Precondition> {
    if tags == "*" {
        return Ok(Precondition::Exists);
    }
    let tags: Vec<&str> = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
    let inner = |tag: &str| -> Read<bool> {
        let strong = tag.strip_prefix("W/").unwrap_or(tag);
        let inner = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let plain = |byte: u8| byte == b'!' || (b'#'..=b'~').contains(&byte);
        inner.filter(|inner| inner.bytes().all(plain)).map(|_| strong == tag).ok_or(Nothing)
    };
    let mut versions = Vec::new();
    for tag in &tags {
        let own = number(tag.trim_matches('"')).filter(|_| !tag.starts_with("\"0"));
        versions.extend(own.filter(|_| inner(tag) == Ok(true)));
        inner(tag)?;
    }
    match (tags.as_slice(), versions.as_slice()) {
        ([], _) => Err(Nothing),
        (_, []) => Ok(Precondition::Version(None)),
        (_, [version]) => Ok(Precondition::Version(Some(*version))),
        // The journal tells which of them it was, so that nobody can tell what was asked.
        _ => Err(Nothing),
    }
}

/// The parameters of a query, until they are taken out.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(query: &str) -> Read<Self> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if found.iter().any(|(known, _)| *known == name) {
                return Err(Nothing);
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Read<Option<T>> {
        let Some(at) = self.0.iter().position(|(own, _)| own == name) else { return Ok(None) };
        let (_, value) = self.0.remove(at);
        read(&value).map(Some).ok_or(Nothing)
    }

    fn limit(&mut self) -> Read<usize> {
        let limit = |text: &str| {
            let limit = usize::try_from(number(text)?).ok()?;
            (1..=LIMIT_MAX).contains(&limit).then_some(limit)
        };
        Ok(self.take("limit", limit)?.unwrap_or(LIMIT_MAX))
    }

    fn end(self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Nothing) }
    }
}

fn sku(id: &str) -> Option<SkuId> {
    SkuId::parse(id).ok()
}

fn user(id: &str) -> Option<UserId> {
    UserId::parse(id).ok()
}

fn draw(id: &str) -> Option<DrawId> {
    DrawId::parse(id).ok()
}

fn query_of(names: &[&str], parameters: &mut Parameters) -> Read<Query> {
    let cursor = |id: &str| Some(any_order(id));
    // One that the server sealed is no order's id, and here one that no order has.
    let place = |id: &str| Some(OrderPlace { order: any_order(id), sealed: false });
    Ok(match names {
        ["skus"] => {
            Query::Skus { after: parameters.take("cursor", sku)?, limit: parameters.limit()? }
        }
        ["skus", id] => Query::Sku(sku(id).ok_or(Nothing)?),
        ["orders"] => Query::Orders {
            status: parameters.take("status", Status::parse)?,
            sku: parameters.take("sku", sku)?,
            after: parameters.take("cursor", cursor)?,
            limit: parameters.limit()?,
        },
        ["orders", id] => Query::Order(any_order(id)),
        ["users", id, "orders"] => Query::UserOrders {
            user: user(id).ok_or(Nothing)?,
            after: parameters.take("cursor", place)?,
            limit: parameters.limit()?,
        },
        ["draws", id] => Query::Draw(draw(id).ok_or(Nothing)?),
        ["draws", id, "entries"] => {
            let after = |text: &str| number(text).and_then(|after| after.try_into().ok());
            Query::Entries {
                draw: draw(id).ok_or(Nothing)?,
                user: parameters.take("user", user)?,
                after: parameters.take("after", after)?.unwrap_or(0),
                limit: parameters.limit()?,
            }
        }
        ["requests", key] => Query::Remembered(key_hash(&unquoted(key)?)),
        ["status"] => Query::Status,
        _ => return Err(Nothing),
    })
}

/// Every command but reads.
fn change(ask: &Ask, names: &[&str], precondition: Precondition) -> Read<Command> {
    let body = || Members::parse(ask.body.as_deref().unwrap_or_default());
    let body_or_none = || match ask.body.as_deref().map(str::trim_ascii) {
        None | Some("" | "null") => Ok(Members::default()),
        Some(body) => Members::parse(body),
    };
    let own_sku = |id| sku(id).ok_or(Nothing);
    let own_draw = |id| draw(id).ok_or(Nothing);
    match (ask.method, names) {
        ("POST", ["orders"]) => bodies::order(body()?),
        ("POST", ["orders", id, verb]) => {
            Ok(Command::ActOnOrder(any_order(id), bodies::action(verb, body_or_none()?)?))
        }
        ("PUT", ["skus", id]) => bodies::put_sku(own_sku(id)?, body()?, precondition),
        ("PATCH", ["skus", id]) => {
            let (sku, changes) = (own_sku(id)?, bodies::changes(body()?)?);
            Ok(Command::PatchSku(Box::new(PatchSku { sku, changes, precondition })))
        }
        ("POST", ["skus", id, "adjust"]) => {
            bodies::adjust(own_sku(id)?, body_or_none()?, precondition)
        }
        ("DELETE", ["skus", id]) => {
            Ok(Command::DeleteSku(Box::new(DeleteSku { sku: own_sku(id)?, precondition })))
        }
        ("PUT", ["draws", id]) => {
            let (draw, (terms, admission)) = (own_draw(id)?, bodies::draw(body()?)?);
            let seed = Seed([0; 32]);
            Ok(Command::PutDraw(Box::new(PutDraw { draw, terms, admission, seed, precondition })))
        }
        ("POST", ["draws", id, "entries"]) => bodies::entry(own_draw(id)?, body()?),
        ("POST", ["draws", id, "close"]) => {
            body_or_none()?.end()?;
            Ok(Command::CloseDraw(own_draw(id)?))
        }
        ("DELETE", ["draws", id]) => {
            Ok(Command::DeleteDraw(Box::new(DeleteDraw { draw: own_draw(id)?, precondition })))
        }
        _ => Err(Nothing),
    }
}

/// A line of a batch.
fn line_asks(mut line: Members) -> Read<Asked> {
    let op = line.one("op", text)?;
    let tags = line.maybe("if_match", |value| match value {
        Json::Text(tags) => Some(tags),
        Json::Integer(version @ 0..) => Some(format!("\"{version}\"")),
        // One that is too large to be read is no version of ours.
        Json::Number => Some("\"none\"".to_owned()),
        _ => None,
    })?;
    let precondition = tags.map_or(Ok(Precondition::None), |tags| matched(&tags))?;
    let key = if op == "sku" { None } else { line.maybe("key", text)? };
    let key = key.as_deref().map(unquoted).transpose()?;
    let command = match op.as_str() {
        "order" => bodies::order(line)?,
        "entry" => bodies::entry(line.one("draw", of_text(draw))?, line)?,
        "adjust" => bodies::adjust(line.one("sku", of_text(sku))?, line, precondition)?,
        "sku" => bodies::put_sku(line.one("sku", of_text(sku))?, line, precondition)?,
        verb => {
            let order = any_order(&line.one("id", text)?);
            Command::ActOnOrder(order, bodies::action(verb, line)?)
        }
    };
    checked(Asked { command, key })
}

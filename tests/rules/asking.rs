//! From a step of a history to a request: names become ids, ages become orders, what a client has
//! been told becomes versions.
//!
//! Never looks into the engine or the model: only at answers. Next: `property`.

use crate::draw_history::{AskDraw, DRAWS, LookDraw};
use crate::draw_words::draw_id;
use crate::harness::{claim, key_hash};
use crate::history::{Ask, Chosen, KEYS, Look, Matching, PRINCIPALS, Pick, SKUS, USERS, Verb};
use crate::wording::{sku_id, user_id};
use doorbuster::domain::model::answer::{Answer, Answered, DrawView};
use doorbuster::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, DeleteDraw, DeleteSku, EnterDraw,
    OrderPlace, PatchSku, Precondition, Principal, PutDraw, PutSku, Query, Reach, Refund, Request,
    SkuSettings, Take,
};
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Seed, Terms};
use doorbuster::domain::model::ids::{
    GroupId, LineRequest, LineRequests, OrderId, PrincipalName, Stamp,
};
use doorbuster::domain::model::order::Status;
use doorbuster_witness::changes;
use std::collections::{BTreeMap, BTreeSet};

/// What clients have been told.
#[derive(Default)]
pub(crate) struct Clients {
    /// Created orders, each with the one who asked for it.
    orders: Vec<(OrderId, usize)>,
    versions: BTreeMap<String, u64>,
    /// Draws as they were last told.
    draws: BTreeMap<String, DrawView>,
    keyed: Vec<Request>,
}

impl Clients {
    /// Takes note of an answer.
    pub(crate) fn hear(&mut self, request: &Request, answered: &Answered) {
        match &answered.answer {
            Answer::Created(created) if !answered.replayed => {
                let who =
                    PRINCIPALS.iter().position(|name| *name == request.principal.name.as_str());
                self.orders.push((created.order, who.expect("one of the principals")));
            }
            Answer::Entered(entry) if !answered.replayed => {
                let who =
                    PRINCIPALS.iter().position(|name| *name == request.principal.name.as_str());
                let who = who.expect("one of the principals");
                self.orders.extend(entry.order.iter().map(|order| (order.order, who)));
            }
            Answer::Draw(draw) | Answer::DrawCreated(draw) => {
                self.draws.insert(draw.draw.as_str().to_owned(), (**draw).clone());
            }
            Answer::DrawDeleted => {
                if let Command::DeleteDraw(delete) = &request.command {
                    self.draws.remove(delete.draw.as_str());
                }
            }
            Answer::SkuDeleted => {
                if let Command::DeleteSku(delete) = &request.command {
                    self.versions.remove(delete.sku.as_str());
                }
            }
            Answer::Sku(sku) | Answer::SkuCreated(sku) => {
                self.versions.insert(sku.sku.as_str().to_owned(), sku.version);
            }
            _ => {}
        }
        if request.key.is_some() && !answered.replayed {
            self.keyed.push(request.clone());
        }
    }

    /// A keyed request of before, the newest first.
    pub(crate) fn again(&self, age: usize) -> Option<Request> {
        let age = age.checked_rem(self.keyed.len())?;
        Some(self.keyed[self.keyed.len() - 1 - age].clone())
    }

    pub(crate) fn request(&self, who: usize, key: Option<usize>, ask: &Ask, now: Stamp) -> Request {
        let who = match ask {
            Ask::Act { order, owner: true, .. } => self.order(*order).1,
            _ => who,
        };
        let principal = principal(who);
        let command = self.command(&principal, ask, now);
        let keyed = match &command {
            Command::CreateOrder(_) | Command::ActOnOrder(..) | Command::CloseDraw(_) => key,
            // An adjustment or an entry always has one.
            Command::AdjustSku(_) | Command::EnterDraw(_) => Some(key.unwrap_or(0)),
            _ => None,
        };
        let key = keyed.map(|key| claim(PRINCIPALS[who], &key.to_string(), &command));
        Request { principal, key, traceparent: None, command }
    }

    fn command(&self, principal: &Principal, ask: &Ask, now: Stamp) -> Command {
        match ask {
            Ask::Order { user, lines, hold, sell, named } => Command::CreateOrder(CreateOrder {
                user: user_id(USERS[*user]),
                lines: line_requests(lines),
                reference: named.then(|| "named".into()),
                take: if *sell { Take::Sell } else { Take::Hold(*hold) },
            }),
            Ask::Act { order, verb, .. } => Command::ActOnOrder(self.order(*order).0, action(verb)),
            Ask::Put { sku, stock, settings, matching } => Command::PutSku(Box::new(PutSku {
                sku: sku_id(SKUS[*sku]),
                stock: *stock,
                settings: sku_settings(settings, now),
                precondition: self.precondition(*sku, *matching),
            })),
            Ask::Patch { sku, member, settings, matching } => {
                Command::PatchSku(Box::new(PatchSku {
                    sku: sku_id(SKUS[*sku]),
                    changes: changes(*member, sku_settings(settings, now)),
                    precondition: self.precondition(*sku, *matching),
                }))
            }
            Ask::Adjust { sku, by, matching } => {
                self.adjust(*sku, Adjustment::Delta(*by), *matching)
            }
            Ask::Set { sku, stock, matching } => {
                self.adjust(*sku, Adjustment::Stock(*stock), *matching)
            }
            Ask::Delete { sku, matching } => Command::DeleteSku(Box::new(DeleteSku {
                sku: sku_id(SKUS[*sku]),
                precondition: self.precondition(*sku, *matching),
            })),
            Ask::Renew { sku, stock, settings } => {
                let (sku, matching) = (*sku, Matching::Any);
                let ask = if self.versions.contains_key(SKUS[sku]) {
                    Ask::Delete { sku, matching }
                } else {
                    let (stock, settings) = (*stock, settings.clone());
                    Ask::Put { sku, stock, settings, matching: Matching::None }
                };
                self.command(principal, &ask, now)
            }
            Ask::Draw(ask) => self.draw_command(ask, now),
            Ask::Look(look) => Command::Read(Box::new(self.query(principal, look))),
        }
    }

    fn draw_command(&self, ask: &AskDraw, now: Stamp) -> Command {
        let at = |offset: i64| now.saturating_add_signed(offset);
        let put = |draw: &usize, terms, admission, matching| {
            let (seed, draw) = (Seed([*draw as u8; 32]), DRAWS[*draw]);
            let known = self.draws.get(draw).map(|known| known.version);
            let precondition = matched(matching, known);
            let draw = draw_id(draw);
            Command::PutDraw(Box::new(PutDraw { draw, terms, admission, seed, precondition }))
        };
        match ask {
            AskDraw::Put {
                draw,
                prizes,
                blank,
                per_user,
                opens_in,
                closes_in,
                hold,
                sell,
                seed,
                matching,
            } => {
                let mut seen = BTreeSet::new();
                let first = prizes.iter().filter(|(sku, _)| seen.insert(*sku));
                let prize = |(sku, weight): &(usize, u64)| Prize {
                    sku: sku_id(SKUS[*sku]),
                    weight: *weight,
                };
                let prizes: Vec<Prize> = first.map(prize).collect();
                let odds = Odds::new(prizes.clone(), *blank).or_else(|_| Odds::new(prizes, 1));
                let odds = odds.expect("something has a weight");
                let terms = Terms { odds, hold_ms: hold.filter(|_| !sell), sell: *sell };
                let admission = Admission {
                    entries_per_user: *per_user,
                    opens_at: opens_in.map(at),
                    closes_at: closes_in.map(at),
                };
                let mut command = put(draw, terms, admission, *matching);
                if let Command::PutDraw(put) = &mut command {
                    put.seed = Seed([*seed; 32]);
                }
                command
            }
            AskDraw::Admit { draw, per_user, closes_in, matching } => {
                let Some(known) = self.draws.get(DRAWS[*draw]) else {
                    return Command::Read(Box::new(Query::Draw(draw_id(DRAWS[*draw]))));
                };
                let closes_at = closes_in.map(at);
                let entries_per_user = *per_user;
                let admission = Admission { entries_per_user, closes_at, ..known.admission };
                put(draw, known.terms.clone(), admission, *matching)
            }
            AskDraw::Enter { draw, user, luck } => Command::EnterDraw(EnterDraw {
                draw: draw_id(DRAWS[*draw]),
                user: user_id(USERS[*user]),
                client_seed: luck.map(|luck| luck.to_string().into()),
            }),
            AskDraw::Close { draw } => Command::CloseDraw(draw_id(DRAWS[*draw])),
            AskDraw::Delete { draw, matching } => {
                let known = self.draws.get(DRAWS[*draw]).map(|known| known.version);
                let (draw, precondition) = (draw_id(DRAWS[*draw]), matched(*matching, known));
                Command::DeleteDraw(Box::new(DeleteDraw { draw, precondition }))
            }
        }
    }

    fn adjust(&self, sku: usize, adjustment: Adjustment, matching: Matching) -> Command {
        Command::AdjustSku(Box::new(AdjustSku {
            sku: sku_id(SKUS[sku]),
            adjustment,
            reason: "counted".to_owned(),
            precondition: self.precondition(sku, matching),
        }))
    }

    fn order(&self, pick: Pick) -> (OrderId, usize) {
        match (pick, self.orders.len()) {
            (Pick::Newest(age), count) if count > 0 => self.orders[count - 1 - age % count],
            _ => (OrderId { sequence: 3, epoch: 77 }, 0),
        }
    }

    fn precondition(&self, sku: usize, matching: Matching) -> Precondition {
        matched(matching, self.versions.get(SKUS[sku]).copied())
    }

    fn query(&self, principal: &Principal, look: &Look) -> Query {
        match look {
            Look::Sku(sku) => Query::Sku(sku_id(SKUS[*sku])),
            Look::Skus { after, limit } => {
                Query::Skus { after: after.map(|sku| sku_id(SKUS[sku])), limit: *limit }
            }
            Look::Order(pick) => Query::Order(self.order(*pick).0),
            Look::Orders { status, sku, after, limit } => Query::Orders {
                status: status.map(|status| Status::ALL[status]),
                sku: sku.map(|sku| sku_id(SKUS[sku])),
                after: after.map(|pick| self.order(pick).0),
                limit: *limit,
            },
            Look::User { user, after, limit } => Query::UserOrders {
                user: user_id(USERS[*user]),
                after: after.map(|pick| OrderPlace { order: self.order(pick).0, sealed: false }),
                limit: *limit,
            },
            Look::Key(key) => {
                Query::Remembered(key_hash(principal.name.as_str(), &key.to_string()))
            }
            Look::Status => Query::Status,
            Look::Of(LookDraw::Draw(draw)) => Query::Draw(draw_id(DRAWS[*draw])),
            Look::Of(LookDraw::Entries { draw, user, after, limit }) => Query::Entries {
                draw: draw_id(DRAWS[*draw]),
                user: user.map(|user| user_id(USERS[user])),
                after: *after,
                limit: *limit,
            },
        }
    }

    /// Everything that everybody can ask about.
    pub(crate) fn look_everywhere(&self) -> Vec<Request> {
        let mut looks = vec![Query::Status, Query::Skus { after: None, limit: 100 }];
        looks.push(Query::Orders { status: None, sku: None, after: None, limit: 100 });
        looks.extend(self.orders.iter().rev().take(60).map(|(order, _)| Query::Order(*order)));
        looks.extend(USERS.map(|user| Query::UserOrders {
            user: user_id(user),
            after: None,
            limit: 100,
        }));
        for draw in self.draws.keys().map(|id| draw_id(id)) {
            looks.push(Query::Draw(draw.clone()));
            looks.push(Query::Entries { draw, user: None, after: 0, limit: 100 });
        }
        let mut requests = Vec::new();
        for (who, name) in PRINCIPALS.into_iter().enumerate() {
            let keys = (0..KEYS).map(|key| key_hash(name, &key.to_string()));
            let looks = looks.iter().cloned().chain(keys.map(Query::Remembered));
            requests.extend(looks.map(|query| Request {
                principal: principal(who),
                key: None,
                traceparent: None,
                command: Command::Read(Box::new(query)),
            }));
        }
        requests
    }
}

/// Nothing ever has version 1. What comes to the same is said in one way or the other.
fn matched(matching: Matching, known: Option<u64>) -> Precondition {
    let none_of =
        |exists, version| Precondition::NoneOf { exists, versions: [version, u64::MAX].into() };
    let other_way = known.filter(|version| version % 2 == 1);
    match (matching, other_way) {
        (Matching::None, Some(_)) => none_of(false, 1),
        (Matching::Any, Some(_)) => none_of(true, 1),
        (Matching::Known, Some(version)) => Precondition::OneOf([1, version].into()),
        (Matching::Stale, Some(version)) => none_of(true, version),
        (Matching::Foreign, Some(_)) => Precondition::OneOf([1, u64::MAX].into()),
        (Matching::Absent, Some(version)) => none_of(false, version),
        (Matching::None, None) => Precondition::None,
        (Matching::Any, None) => Precondition::Exists,
        (Matching::Known, None) => {
            known.map_or(Precondition::None, |version| Precondition::Version(Some(version)))
        }
        (Matching::Stale, None) => Precondition::Version(Some(1)),
        (Matching::Foreign, None) => Precondition::Version(None),
        (Matching::Absent, None) => Precondition::Absent,
    }
}

fn principal(who: usize) -> Principal {
    let name = PrincipalName::parse(PRINCIPALS[who]).expect("a principal's name");
    Principal { name, reach: if who == 2 { Reach::All } else { Reach::Own } }
}

/// Each SKU once, as the edge would have checked.
fn line_requests(lines: &[(usize, u32)]) -> LineRequests {
    let mut seen = BTreeSet::new();
    let first = lines.iter().filter(|(sku, _)| seen.insert(*sku));
    first
        .map(|(sku, quantity)| LineRequest { sku: sku_id(SKUS[*sku]), quantity: *quantity })
        .collect()
}

fn action(verb: &Verb) -> Action {
    match verb {
        Verb::Confirm { reacquire } => Action::Confirm { reacquire: *reacquire },
        Verb::Cancel => Action::Cancel,
        Verb::Extend(hold_ms) => Action::Extend(*hold_ms),
        Verb::Ship => Action::Ship,
        Verb::Complete => Action::Complete,
        Verb::Refund { lines, restock } => {
            Action::Refund(Refund { lines: line_requests(lines), restock: *restock })
        }
    }
}

fn sku_settings(chosen: &Chosen, now: Stamp) -> SkuSettings {
    let at = |offset: i64| now.saturating_add_signed(offset);
    let group = |first: bool| GroupId::parse(if first { "g" } else { "h" }).expect("a group id");
    SkuSettings {
        per_user_limit: chosen.limit,
        limit_group: chosen.group.map(group),
        opens_at: chosen.opens_in.map(at),
        closes_at: chosen.closes_in.map(at),
        hold_ms: chosen.hold,
        paused: chosen.paused,
        direct: chosen.direct,
    }
}

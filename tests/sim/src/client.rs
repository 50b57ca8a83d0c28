//! Somebody who buys, and somebody who runs the shop: what a client asks next.
//!
//! Owns what it was told so far. Numbers and names are few on purpose, so that clients meet. Never
//! looks into a server. Next: `world`.

use doorbuster::domain::model::answer::{Answer, Answered};
use doorbuster::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, DeleteDraw, DeleteSku, EnterDraw,
    PatchSku, Precondition, Principal, PutDraw, PutSku, Query, Reach, Refund, Request, SkuSettings,
    Take,
};
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Seed, Terms};
use doorbuster::domain::model::ids::{
    DrawId, GroupId, KeyClaim, LineRequest, OrderId, PrincipalName, SkuId, Stamp, UserId,
};
use doorbuster_test_support::random::Random;
use doorbuster_witness::changes;
use std::collections::BTreeMap;
use std::sync::Arc;

const SKUS: [&str; 5] = ["A", "B", "C", "D", "never"];
const USERS: [&str; 5] = ["u1", "u2", "u3", "u4", "u5"];
const DRAWS: [&str; 3] = ["d1", "d2", "d3"];
const PRINCIPALS: [&str; 3] = ["east", "west", "admin"];

/// What clients know of the world.
#[derive(Debug, Default)]
pub struct Knowledge {
    orders: Vec<(OrderId, usize)>,
    versions: BTreeMap<String, u64>,
    keyed: Vec<Arc<Request>>,
    keys: u64,
    /// Reasons of adjustments are this long at most, in bytes.
    reason_bytes_max: u64,
}

pub(crate) fn sku_id(at: usize) -> SkuId {
    SkuId::parse(SKUS[at]).expect("an id")
}

fn user_id(random: &mut Random) -> UserId {
    UserId::parse(USERS[random.place(USERS.len())]).expect("an id")
}

fn draw_id(at: usize) -> DrawId {
    DrawId::parse(DRAWS[at]).expect("an id")
}

pub(crate) fn principal(who: usize) -> Principal {
    let name = PrincipalName::parse(PRINCIPALS[who]).expect("a name");
    Principal { name, reach: if who == 2 { Reach::All } else { Reach::Own } }
}

/// Those that the operator has configured: any of them.
pub(crate) fn some_principals(random: &mut Random) -> Vec<PrincipalName> {
    let who = (0..PRINCIPALS.len()).filter(|_| !random.once_in(3));
    who.map(|who| principal(who).name).collect()
}

/// FNV-1a, twice: a key's hash, here any that tells keys apart.
fn spread(text: &str, salt: u64) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325 ^ salt;
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

fn claim(principal: &Principal, key: &str, command: &Command) -> KeyClaim {
    let text = format!("{}\0{key}", principal.name.as_str());
    let hash = (u128::from(spread(&text, 1)) << 64) | u128::from(spread(&text, 2));
    KeyClaim { hash, fingerprint: spread(&format!("{command:?}"), 3) }
}

impl Knowledge {
    /// Nothing yet.
    pub fn new(reason_bytes_max: u64) -> Self {
        Self { reason_bytes_max, ..Self::default() }
    }

    /// Takes note of an answer.
    pub fn hear(&mut self, request: &Arc<Request>, answered: &Answered) {
        let name = request.principal.name.as_str();
        let who = PRINCIPALS.iter().position(|known| *known == name).expect("one of them");
        match &answered.answer {
            Answer::Created(created) if !answered.replayed => {
                self.orders.push((created.order, who));
            }
            Answer::Entered(entry) if !answered.replayed => {
                self.orders.extend(entry.order.iter().map(|order| (order.order, who)));
            }
            Answer::Sku(sku) | Answer::SkuCreated(sku) => {
                self.versions.insert(sku.sku.as_str().to_owned(), sku.version);
            }
            Answer::Draw(draw) | Answer::DrawCreated(draw) => {
                self.versions.insert(draw.draw.as_str().to_owned(), draw.version);
            }
            _ => {}
        }
        if request.key.is_some() && !matches!(answered.answer, Answer::Refused(_)) {
            self.keyed.push(Arc::clone(request));
        }
    }

    /// What somebody asks next.
    pub fn next(&mut self, random: &mut Random, draws: bool, now: Stamp) -> Arc<Request> {
        if !self.keyed.is_empty() && random.percent(6) {
            // Once more what was answered, now or long ago.
            return Arc::clone(&self.keyed[random.place(self.keyed.len())]);
        }
        let mut who = if random.percent(60) { 0 } else { random.place(3) };
        let fills = self.reason_bytes_max > 1_000 && random.percent(12);
        let command = match random.below(100) {
            _ if fills => self.fill(random),
            0..38 => order(random),
            38..70 if !self.orders.is_empty() => {
                let recent = self.orders.len().min(24);
                let at = self.orders.len() - 1 - random.place(recent);
                let (order, owner) = self.orders[at];
                if random.percent(85) {
                    who = owner;
                }
                Command::ActOnOrder(order, action(random))
            }
            38..78 => self.sku_command(random, now),
            78..88 if draws => self.draw_command(random, now),
            _ => Command::Read(Box::new(self.query(random, draws))),
        };
        self.request(random, who, command)
    }

    /// One thing of few kinds, on one SKU.
    pub(crate) fn next_plain(&mut self, random: &mut Random) -> Arc<Request> {
        let sku = sku_id(0);
        let command = match random.below(10) {
            0..6 => {
                let quantity = random.between(1, 2) as u32;
                Command::CreateOrder(CreateOrder {
                    user: user_id(random),
                    lines: std::iter::once(LineRequest { sku, quantity }).collect(),
                    reference: None,
                    take: Take::Sell,
                })
            }
            6 => Command::AdjustSku(Box::new(AdjustSku {
                sku,
                adjustment: Adjustment::Delta(random.between(1, 3) as i64),
                reason: "more came".to_owned(),
                precondition: Precondition::None,
            })),
            _ => Command::Read(Box::new(Query::Sku(sku))),
        };
        self.request(random, 0, command)
    }

    /// Puts all SKUs on sale.
    pub fn opening(&mut self, random: &mut Random, plain: bool, now: Stamp) -> Vec<Arc<Request>> {
        let count = if plain { 1 } else { 4 };
        let puts = (0..count).map(|at| {
            let settings = match plain {
                true => SkuSettings::default(),
                false => sku_settings(random, now),
            };
            let stock = if plain { 3 } else { random.between(4, 40) };
            put(at, stock, settings, Precondition::None)
        });
        let commands: Vec<Command> = puts.collect();
        commands.into_iter().map(|command| self.request(random, 0, command)).collect()
    }

    fn request(&mut self, random: &mut Random, who: usize, command: Command) -> Arc<Request> {
        let principal = principal(who);
        let keyed = match &command {
            Command::CreateOrder(_) | Command::AdjustSku(_) | Command::EnterDraw(_) => true,
            Command::ActOnOrder(..) | Command::CloseDraw(_) => random.percent(60),
            _ => false,
        };
        let key = keyed.then(|| {
            // Now and then somebody uses a key again for something else.
            let number = match random.percent(3) {
                true => random.below(self.keys + 1),
                false => self.keys,
            };
            self.keys += 1;
            claim(&principal, &number.to_string(), &command)
        });
        Arc::new(Request { principal, key, traceparent: None, command })
    }

    fn precondition(&self, random: &mut Random, name: &str) -> Precondition {
        let known = self.versions.get(name).copied();
        match random.below(10) {
            0..6 => {
                known.map_or(Precondition::None, |version| Precondition::Version(Some(version)))
            }
            6 => Precondition::None,
            7 => Precondition::Version(None),
            8 => Precondition::Absent,
            _ => Precondition::Exists,
        }
    }

    fn sku_command(&self, random: &mut Random, now: Stamp) -> Command {
        let at = random.place(4);
        let name = SKUS[at];
        let precondition = self.precondition(random, name);
        let sku = sku_id(at);
        match random.below(12) {
            0..4 => put(at, random.between(4, 40), sku_settings(random, now), precondition),
            4..7 => {
                let changes = changes(random.below(128) as u8, sku_settings(random, now));
                Command::PatchSku(Box::new(PatchSku { sku, changes, precondition }))
            }
            7..11 => {
                let adjustment = match random.percent(70) {
                    true => Adjustment::Delta([-3, -2, -1, 1, 2, 5][random.place(6)]),
                    false => Adjustment::Stock(random.below(40)),
                };
                let precondition = match random.percent(50) {
                    true => Precondition::None,
                    false => precondition,
                };
                let reason = "x".repeat(random.between(1, self.reason_bytes_max) as usize);
                Command::AdjustSku(Box::new(AdjustSku { sku, adjustment, reason, precondition }))
            }
            _ => Command::DeleteSku(Box::new(DeleteSku { sku, precondition })),
        }
    }

    fn draw_command(&self, random: &mut Random, now: Stamp) -> Command {
        let at = random.place(DRAWS.len());
        let draw = draw_id(at);
        match random.below(12) {
            0..2 => self.put_draw(random, at, now),
            2..10 => Command::EnterDraw(EnterDraw {
                draw,
                user: user_id(random),
                client_seed: random.percent(50).then(|| format!("luck {}", random.below(9)).into()),
            }),
            10 => Command::CloseDraw(draw),
            _ => Command::DeleteDraw(Box::new(DeleteDraw {
                draw,
                precondition: self.precondition(random, DRAWS[at]),
            })),
        }
    }

    /// A record that fills a good part of a segment.
    fn fill(&self, random: &mut Random) -> Command {
        Command::AdjustSku(Box::new(AdjustSku {
            sku: sku_id(random.place(4)),
            adjustment: Adjustment::Delta(1),
            reason: "x".repeat(random.between(1, self.reason_bytes_max) as usize),
            precondition: Precondition::None,
        }))
    }

    fn put_draw(&self, random: &mut Random, at: usize, now: Stamp) -> Command {
        let first = random.place(3);
        let prize = |sku, weight| Prize { sku: sku_id(sku), weight };
        let prizes =
            vec![prize(first, random.between(1, 5)), prize(first + 1, random.between(1, 90))];
        let odds = Odds::new(prizes, random.below(60)).expect("odds");
        let sell = random.percent(30);
        let hold_ms = (!sell && random.percent(50)).then(|| random.between(50, 3_000));
        let admission = Admission {
            entries_per_user: random.below(4),
            opens_at: random.percent(20).then(|| now + random.below(2_000)),
            closes_at: random.percent(30).then(|| now + random.between(2_001, 20_000)),
        };
        let mut seed = [0; 32];
        seed.iter_mut().for_each(|byte| *byte = random.below(256) as u8);
        Command::PutDraw(Box::new(PutDraw {
            draw: draw_id(at),
            terms: Terms { odds, hold_ms, sell },
            admission,
            seed: Seed(seed),
            precondition: self.precondition(random, DRAWS[at]),
        }))
    }

    fn query(&self, random: &mut Random, draws: bool) -> Query {
        match random.below(10) {
            0..3 => Query::Sku(sku_id(random.place(SKUS.len()))),
            3 => Query::Skus { after: None, limit: 100 },
            4..6 if !self.orders.is_empty() => {
                Query::Order(self.orders[random.place(self.orders.len())].0)
            }
            6 => Query::UserOrders { user: user_id(random), after: None, limit: 20 },
            7 if !self.keyed.is_empty() => {
                let asked = &self.keyed[random.place(self.keyed.len())];
                Query::Remembered(asked.key.expect("it has one").hash)
            }
            8 if draws => Query::Draw(draw_id(random.place(DRAWS.len()))),
            9 if draws => Query::Entries {
                draw: draw_id(random.place(DRAWS.len())),
                user: None,
                after: 0,
                limit: 50,
            },
            9 => Query::Orders { status: None, sku: None, after: None, limit: 30 },
            _ => Query::Status,
        }
    }
}

fn put(at: usize, stock: u64, settings: SkuSettings, precondition: Precondition) -> Command {
    Command::PutSku(Box::new(PutSku { sku: sku_id(at), stock, settings, precondition }))
}

fn order(random: &mut Random) -> Command {
    let mut lines: Vec<LineRequest> = Vec::new();
    for _ in 0..if random.percent(70) { 1 } else { random.between(2, 3) } {
        let at = if random.once_in(30) { 4 } else { random.place(4) };
        let line = LineRequest { sku: sku_id(at), quantity: random.between(1, 3) as u32 };
        if lines.iter().all(|known| known.sku != line.sku) {
            lines.push(line);
        }
    }
    let take = match random.percent(35) {
        true => Take::Sell,
        false => Take::Hold(random.percent(50).then(|| random.between(1, 4_000))),
    };
    Command::CreateOrder(CreateOrder {
        user: user_id(random),
        lines: lines.into_iter().collect(),
        reference: random.percent(20).then(|| "shop-17".into()),
        take,
    })
}

fn action(random: &mut Random) -> Action {
    match random.below(20) {
        0..8 => Action::Confirm { reacquire: random.percent(30) },
        8..10 => Action::Cancel,
        10..12 => Action::Extend(random.between(1, 6_000)),
        12..15 => Action::Ship,
        15..17 => Action::Complete,
        _ => {
            let line = |random: &mut Random| LineRequest {
                sku: sku_id(random.place(4)),
                quantity: random.between(1, 2) as u32,
            };
            let lines = match random.percent(60) {
                true => std::iter::once(line(random)).collect(),
                false => std::iter::empty().collect(),
            };
            Action::Refund(Refund { lines, restock: random.percent(70) })
        }
    }
}

fn sku_settings(random: &mut Random, now: Stamp) -> SkuSettings {
    let group = |name| GroupId::parse(name).expect("an id");
    SkuSettings {
        per_user_limit: if random.percent(50) { random.between(1, 6) } else { 0 },
        limit_group: random.percent(30).then(|| group(["g", "h"][random.place(2)])),
        opens_at: random.percent(8).then(|| now + random.below(3_000)),
        closes_at: random.percent(8).then(|| now + random.between(3_001, 30_000)),
        hold_ms: random.percent(30).then(|| random.between(20, 4_000)),
        paused: random.percent(6),
        direct: random.percent(60),
    }
}

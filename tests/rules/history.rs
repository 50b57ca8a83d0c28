//! Random histories: what may be asked, how often, and with which small numbers.
//!
//! Owns the generator. A step names orders and versions as a client would, by what it was told
//! before; `property` looks them up while it runs, so that a shortened history still makes sense.
//! Numbers are small on purpose: few SKUs, users and keys, so that they meet. Next: `property`.

use crate::draw_history::{AskDraw, LookDraw};
use doorbuster::domain::model::ids::PrincipalName;
use doorbuster::domain::model::settings::{Caps, Settings};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Names that SKUs are drawn from; the last one is never put.
pub(crate) const SKUS: [&str; 5] = ["A", "B", "C", "D", "never"];
/// Names that users are drawn from.
pub(crate) const USERS: [&str; 4] = ["u1", "u2", "u3", "u4"];
/// Names that keys are drawn from.
pub(crate) const KEYS: usize = 40;
/// Who asks; `admin` sees everybody's orders.
pub(crate) const PRINCIPALS: [&str; 3] = ["east", "west", "admin"];

/// A cap that no history reaches.
const ROOM: u32 = 1_000;

/// A whole life: the first settings, then what happens.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) settings: Settings,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// So many milliseconds go by.
    Pass(u64),
    /// Somebody asks something, under a key if it takes one.
    Ask {
        who: usize,
        key: Option<usize>,
        ask: Ask,
    },
    /// An earlier keyed request comes once more.
    Repeat(usize),
    Expire,
    Tidy,
    CountRefusals,
    Restart,
    Change(Settings),
}

#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Order {
        user: usize,
        lines: Vec<(usize, u32)>,
        hold: Option<u64>,
        sell: bool,
        named: bool,
    },
    /// By who created it, or by whoever asks.
    Act {
        order: Pick,
        verb: Verb,
        owner: bool,
    },
    Put {
        sku: usize,
        stock: u64,
        settings: Chosen,
        matching: Matching,
    },
    Patch {
        sku: usize,
        member: u8,
        settings: Chosen,
        matching: Matching,
    },
    Adjust {
        sku: usize,
        by: i64,
        matching: Matching,
    },
    Set {
        sku: usize,
        stock: u64,
        matching: Matching,
    },
    Delete {
        sku: usize,
        matching: Matching,
    },
    /// Deletes it, or puts it again if it was deleted.
    Renew {
        sku: usize,
        stock: u64,
        settings: Chosen,
    },
    Look(Look),
    Draw(AskDraw),
}

/// An order by its age among those created, or one that never was.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pick {
    Newest(usize),
    Foreign,
}

#[derive(Debug, Clone)]
pub(crate) enum Verb {
    Confirm { reacquire: bool },
    Cancel,
    Extend(u64),
    Ship,
    Complete,
    Refund { lines: Vec<(usize, u32)>, restock: bool },
}

/// Settings of a SKU; times count from when they are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) limit: u64,
    pub(crate) group: Option<bool>,
    pub(crate) opens_in: Option<i64>,
    pub(crate) closes_in: Option<i64>,
    pub(crate) hold: Option<u64>,
    pub(crate) paused: bool,
    pub(crate) direct: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Matching {
    None,
    Any,
    Known,
    Stale,
    Foreign,
    Absent,
}

#[derive(Debug, Clone)]
pub(crate) enum Look {
    Sku(usize),
    Skus { after: Option<usize>, limit: usize },
    Order(Pick),
    Orders { status: Option<usize>, sku: Option<usize>, after: Option<Pick>, limit: usize },
    User { user: usize, after: Option<Pick>, limit: usize },
    Key(usize),
    Status,
    Of(LookDraw),
}

/// Histories of so many steps; `tight` ones fill their tables.
pub(crate) fn history(
    length: std::ops::Range<usize>,
    tight: bool,
) -> impl Strategy<Value = History> {
    (settings(tight), opening(), vec(step(tight), length)).prop_map(
        |(settings, mut opening, steps)| {
            opening.extend(steps);
            History { settings, steps: opening }
        },
    )
}

/// Something is on sale.
fn opening() -> impl Strategy<Value = Vec<Step>> {
    vec((8_u64..40, chosen()), 4).prop_map(|puts| {
        let put = |(sku, (stock, settings))| {
            let ask = Ask::Put { sku, stock, settings, matching: Matching::None };
            Step::Ask { who: 0, key: None, ask }
        };
        puts.into_iter().enumerate().map(put).collect()
    })
}

fn settings(tight: bool) -> impl Strategy<Value = Settings> {
    let cap = move |few: std::ops::Range<u32>| {
        // Where there is room, a shortened history must have it too.
        let least = if tight { few.start } else { ROOM };
        prop_oneof![least..few.end.max(least + 1), Just(ROOM)]
    };
    let caps = (cap(3..5), cap(4..14), cap(4..40), cap(1..4), cap(3..10), cap(2..5));
    let times = (30_u64..120, 60_u64..300, 0_u64..80, 100_u64..400, 0_u64..600, 0_u32..8);
    (times, caps).prop_map(|(times, caps)| {
        let (hold_ms_default, hold_ms_max, recovery_grace_ms, keys, more, holds) = times;
        let (skus, orders, keys_cap, answers, uses, users) = caps;
        Settings {
            hold_ms_default,
            hold_ms_max,
            open_holds_per_user_max: holds,
            recovery_grace_ms,
            idempotency_retain_ms: keys,
            orders_retain_ms: keys + more,
            principals: configured(hold_ms_default + keys),
            caps: Caps {
                skus,
                orders,
                keys: keys_cap,
                answers,
                uses,
                users,
                draws: ROOM,
                entries: ROOM,
            },
        }
    })
}

/// Some of the principals, by the bits of a number that was drawn for something else.
fn configured(bits: u64) -> Vec<PrincipalName> {
    let some = PRINCIPALS.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    some.map(|(_, name)| PrincipalName::parse(name).expect("a principal's name")).collect()
}

fn step(tight: bool) -> impl Strategy<Value = Step> {
    let time = prop_oneof![12 => 0_u64..6, 4 => 10_u64..60, 1 => 200_u64..1_000];
    let who = prop_oneof![5 => Just(0_usize), 3 => Just(1_usize), 2 => Just(2_usize)];
    let asked = (who, option::weighted(0.6, 0..KEYS), ask());
    prop_oneof![
        14 => time.prop_map(Step::Pass),
        60 => asked.prop_map(|(who, key, ask)| Step::Ask { who, key, ask }),
        8 => (0_usize..30).prop_map(Step::Repeat),
        4 => Just(Step::Expire),
        3 => Just(Step::Tidy),
        2 => Just(Step::CountRefusals),
        1 => Just(Step::Restart),
        1 => settings(tight).prop_map(Step::Change),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let sku = || prop_oneof![9 => 0_usize..4, 1 => Just(4_usize)];
    let put = (0_usize..4, prop_oneof![1 => 0_u64..4, 4 => 8_u64..40], chosen(), matching());
    let patch = (sku(), 0_u8..128, chosen(), matching());
    let renew = (0_usize..3, 8_u64..40, chosen());
    let set = (sku(), 0_u64..40, matching());
    prop_oneof![
        28 => order(),
        34 => (pick(), verb(), proptest::bool::weighted(0.8)).prop_map(|(order, verb, owner)| Ask::Act { order, verb, owner }),
        5 => put.prop_map(|(sku, stock, settings, matching)| {
            Ask::Put { sku, stock, settings, matching }
        }),
        4 => patch.prop_map(|(sku, member, settings, matching)| {
            Ask::Patch { sku, member, settings, matching }
        }),
        3 => (sku(), prop_oneof![1_i64..6, -6_i64..0], matching())
            .prop_map(|(sku, by, matching)| Ask::Adjust { sku, by, matching }),
        1 => set.prop_map(|(sku, stock, matching)| Ask::Set { sku, stock, matching }),
        1 => (sku(), matching()).prop_map(|(sku, matching)| Ask::Delete { sku, matching }),
        4 => renew.prop_map(|(sku, stock, settings)| Ask::Renew { sku, stock, settings }),
        16 => look().prop_map(Ask::Look),
    ]
}

fn order() -> impl Strategy<Value = Ask> {
    let sku = prop_oneof![30 => 0_usize..4, 1 => Just(4_usize)];
    let lines = prop_oneof![
        4 => vec((sku.clone(), 1_u32..4), 1..2),
        2 => vec((sku, 1_u32..3), 2..4),
    ];
    let hold = option::weighted(0.6, prop_oneof![2 => 1_u64..25, 1 => 1_u64..400]);
    (0..USERS.len(), lines, hold, any::<bool>(), any::<bool>())
        .prop_map(|(user, lines, hold, sell, named)| Ask::Order { user, lines, hold, sell, named })
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        16 => (0_usize..4).prop_map(Pick::Newest),
        6 => (4_usize..20).prop_map(Pick::Newest),
        1 => Just(Pick::Foreign),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    let refund = (vec((0_usize..4, 1_u32..3), 0..3), any::<bool>());
    prop_oneof![
        3 => Just(Verb::Confirm { reacquire: false }),
        4 => Just(Verb::Confirm { reacquire: true }),
        2 => Just(Verb::Cancel),
        2 => (1_u64..300).prop_map(Verb::Extend),
        2 => Just(Verb::Ship),
        2 => Just(Verb::Complete),
        4 => refund.prop_map(|(lines, restock)| Verb::Refund { lines, restock }),
    ]
}

fn chosen() -> impl Strategy<Value = Chosen> {
    let limit = prop_oneof![2 => Just(0_u64), 3 => 1_u64..6];
    let edge = |odds, times| option::weighted(odds, times);
    let flags = (proptest::bool::weighted(0.08), proptest::bool::weighted(0.1));
    let group = option::weighted(0.4, any::<bool>());
    let hold = option::weighted(0.5, 1_u64..150);
    (limit, group, edge(0.15, -40_i64..40), edge(0.08, -5_i64..400), hold, flags).prop_map(
        |(limit, group, opens_in, closes_in, hold, (paused, direct))| Chosen {
            limit,
            group,
            opens_in,
            closes_in,
            hold,
            paused,
            direct,
        },
    )
}

fn matching() -> impl Strategy<Value = Matching> {
    prop_oneof![
        3 => Just(Matching::None),
        3 => Just(Matching::Any),
        4 => Just(Matching::Known),
        1 => Just(Matching::Stale),
        1 => Just(Matching::Foreign),
        1 => Just(Matching::Absent),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    let sku = || 0..SKUS.len();
    let few = || prop_oneof![1_usize..4, Just(100_usize)];
    let orders = (option::of(0_usize..7), option::of(sku()), option::of(pick()), few());
    prop_oneof![
        3 => sku().prop_map(Look::Sku),
        2 => (option::of(sku()), few()).prop_map(|(after, limit)| Look::Skus { after, limit }),
        3 => pick().prop_map(Look::Order),
        3 => orders.prop_map(|(status, sku, after, limit)| {
            Look::Orders { status, sku, after, limit }
        }),
        3 => (0..USERS.len(), option::of(pick()), few())
            .prop_map(|(user, after, limit)| Look::User { user, after, limit }),
        3 => (0..KEYS).prop_map(Look::Key),
        1 => Just(Look::Status),
    ]
}

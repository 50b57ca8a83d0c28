//! Random histories with draws in them: the steps of `history`, and those that draws add.
//!
//! Apart from it, so that histories without draws stay what they were. Next: `history`, `property`.

use crate::history::{Ask, History, Look, Matching, Step, USERS, history};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Names that draws are drawn from; the last one is never put.
pub(crate) const DRAWS: [&str; 4] = ["d1", "d2", "d3", "never"];

/// A cap that no history reaches.
const ROOM: u32 = 1_000;

/// What somebody asks of draws.
#[derive(Debug, Clone)]
pub(crate) enum AskDraw {
    Put {
        draw: usize,
        prizes: Vec<(usize, u64)>,
        blank: u64,
        per_user: u64,
        opens_in: Option<i64>,
        closes_in: Option<i64>,
        hold: Option<u64>,
        sell: bool,
        seed: u8,
        matching: Matching,
    },
    /// Puts it as it was put last, but for who may enter.
    Admit {
        draw: usize,
        per_user: u64,
        closes_in: Option<i64>,
        matching: Matching,
    },
    Enter {
        draw: usize,
        user: usize,
        luck: Option<u8>,
    },
    Close {
        draw: usize,
    },
    Delete {
        draw: usize,
        matching: Matching,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum LookDraw {
    Draw(usize),
    Entries { draw: usize, user: Option<usize>, after: u32, limit: usize },
}

/// Histories in which draws happen, too.
pub(crate) fn draw_history(
    length: std::ops::Range<usize>,
    tight: bool,
) -> impl Strategy<Value = History> {
    let cap = move |few: std::ops::Range<u32>| {
        let least = if tight { few.start } else { ROOM };
        prop_oneof![least..few.end.max(least + 1), Just(ROOM)]
    };
    let more = vec(prop_oneof![2 => step().prop_map(Some), 1 => Just(None)], length.clone());
    (history(length, tight), more, opening(), cap(1..4), cap(2..30)).prop_map(
        |(mut history, more, opening, draws, entries)| {
            let caps = |settings: &mut doorbuster::domain::model::settings::Settings| {
                (settings.caps.draws, settings.caps.entries) = (draws, entries);
            };
            caps(&mut history.settings);
            let mut more = opening.into_iter().map(Some).chain(more);
            let mut steps = Vec::new();
            for mut step in std::mem::take(&mut history.steps) {
                if let Step::Change(settings) = &mut step {
                    caps(settings);
                }
                steps.push(step);
                steps.extend(more.next().flatten());
            }
            History { settings: history.settings, steps }
        },
    )
}

/// Something can be won soon. The SKUs are put first.
fn opening() -> impl Strategy<Value = Vec<Step>> {
    let put = put().prop_map(|mut ask| {
        if let AskDraw::Put { draw, matching, .. } = &mut ask {
            (*draw, *matching) = (0, Matching::None);
        }
        Step::Ask { who: 0, key: None, ask: Ask::Draw(ask) }
    });
    // Behind the four puts of the opening of all histories.
    put.prop_map(|put| {
        let pass = || Step::Pass(0);
        vec![pass(), pass(), pass(), pass(), put]
    })
}

fn step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![5 => Just(0_usize), 3 => Just(1_usize), 2 => Just(2_usize)];
    let ask = prop_oneof![
        40 => enter(),
        6 => put(),
        5 => (draw(), 0_u64..6, option::weighted(0.3, -5_i64..400), matching()).prop_map(
            |(draw, per_user, closes_in, matching)| {
                AskDraw::Admit { draw, per_user, closes_in, matching }
            }
        ),
        4 => draw().prop_map(|draw| AskDraw::Close { draw }),
        3 => (draw(), matching()).prop_map(|(draw, matching)| AskDraw::Delete { draw, matching }),
    ];
    let ask = prop_oneof![
        8 => ask.prop_map(Ask::Draw),
        1 => look().prop_map(|look| Ask::Look(Look::Of(look))),
    ];
    (who, option::weighted(0.6, 0..crate::history::KEYS), ask)
        .prop_map(|(who, key, ask)| Step::Ask { who, key, ask })
}

fn draw() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0_usize..3, 1 => Just(3_usize)]
}

fn enter() -> impl Strategy<Value = AskDraw> {
    (draw(), 0..USERS.len(), option::weighted(0.3, 0_u8..3))
        .prop_map(|(draw, user, luck)| AskDraw::Enter { draw, user, luck })
}

fn put() -> impl Strategy<Value = AskDraw> {
    let prizes = vec((prop_oneof![40 => 0_usize..4, 1 => Just(4_usize)], 0_u64..4), 1..4);
    let window = (option::weighted(0.1, -40_i64..40), option::weighted(0.1, -5_i64..400));
    let terms = (option::weighted(0.3, 1_u64..60), any::<bool>(), any::<u8>());
    (0_usize..3, prizes, 0_u64..4, 0_u64..6, window, terms, matching()).prop_map(
        |(draw, prizes, blank, per_user, (opens_in, closes_in), (hold, sell, seed), matching)| {
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
            }
        },
    )
}

fn matching() -> impl Strategy<Value = Matching> {
    prop_oneof![
        3 => Just(Matching::None),
        4 => Just(Matching::Any),
        3 => Just(Matching::Known),
        1 => Just(Matching::Stale),
        1 => Just(Matching::Foreign),
        1 => Just(Matching::Absent),
    ]
}

fn look() -> impl Strategy<Value = LookDraw> {
    let few = prop_oneof![1_usize..4, Just(100_usize)];
    let entries = (draw(), option::of(0..USERS.len()), 0_u32..12, few);
    prop_oneof![
        1 => draw().prop_map(LookDraw::Draw),
        2 => entries.prop_map(|(draw, user, after, limit)| {
            LookDraw::Entries { draw, user, after, limit }
        }),
    ]
}

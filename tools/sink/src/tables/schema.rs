//! The tables' columns, and rows as cells.
//!
//! Owns the names that a shop's queries may rely on (API 10), the same in every database. A column
//! is added at the end and never taken away. Knows no SQL: `postgres` and `mysql` have their own
//! words for the types. Next: `rows`.

use super::rows::{Changes, DrawRow, EntryRow, LineRow, OrderRow, SkuRow};
use crate::config::Mode;
use crate::event::Event;
use crate::instant;
use std::borrow::Cow;

/// Of what a column is; texts have at most so many letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text(u16),
    Number,
    Instant,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) of: Type,
    pub(crate) may_be_null: bool,
}

/// A table: its first columns are its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) key_columns: usize,
    pub(crate) indexes: &'static [&'static str],
    /// A row that is there already stays as it is.
    pub(crate) keeps: bool,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(i64),
    /// Milliseconds since 1970.
    Instant(i64),
    Json(Cow<'a, str>),
}

const ID: Type = Type::Text(64);
const WORD: Type = Type::Text(32);

const fn column(name: &'static str, of: Type) -> Column {
    Column { name, of, may_be_null: false }
}

const fn maybe(name: &'static str, of: Type) -> Column {
    Column { name, of, may_be_null: true }
}

const fn key(name: &'static str, columns: &'static [Column], key_columns: usize) -> Table {
    Table { name, columns, key_columns, indexes: &[], keeps: false }
}

pub(crate) const EVENTS: Table = Table {
    indexes: &["subject"],
    keeps: true,
    ..key(
        "doorbuster_events",
        &[
            column("source", ID),
            column("seq", Type::Number),
            column("id", ID),
            column("type", ID),
            column("subject", Type::Text(128)),
            column("at", Type::Instant),
            column("data", Type::Json),
        ],
        2,
    )
};

pub(crate) const SKUS: Table = key(
    "doorbuster_skus",
    &[
        column("sku", ID),
        column("total", Type::Number),
        column("available", Type::Number),
        column("held", Type::Number),
        column("sold", Type::Number),
        column("settings", Type::Json),
        maybe("deleted_at", Type::Instant),
        column("seq", Type::Number),
        maybe("created_seq", Type::Number),
        column("counted_seq", Type::Number),
    ],
    1,
);

pub(crate) const ORDERS: Table = Table {
    indexes: &["user_id", "reference"],
    ..key(
        "doorbuster_orders",
        &[
            column("id", ID),
            column("user_id", ID),
            maybe("principal", ID),
            column("status", WORD),
            maybe("reference", Type::Text(128)),
            column("created_at", Type::Instant),
            maybe("expires_at", Type::Instant),
            maybe("archived_at", Type::Instant),
            column("changed_seq", Type::Number),
        ],
        1,
    )
};

pub(crate) const ORDER_LINES: Table = Table {
    indexes: &["sku"],
    ..key(
        "doorbuster_order_lines",
        &[
            column("order_id", ID),
            column("sku", ID),
            column("qty", Type::Number),
            column("refunded_qty", Type::Number),
            maybe("sku_seq", Type::Number),
        ],
        2,
    )
};

pub(crate) const DRAWS: Table = key(
    "doorbuster_draws",
    &[
        column("draw", ID),
        column("terms", Type::Json),
        maybe("commitment", ID),
        maybe("closed_at", Type::Instant),
        maybe("deleted_at", Type::Instant),
        column("seq", Type::Number),
    ],
    1,
);

pub(crate) const ENTRIES: Table = Table {
    indexes: &["draw", "user_id"],
    keeps: true,
    ..key(
        "doorbuster_entries",
        &[
            column("seq", Type::Number),
            column("draw", ID),
            column("entry", Type::Number),
            column("user_id", ID),
            column("outcome", WORD),
            maybe("pick", ID),
            column("reason", WORD),
            maybe("order_id", ID),
        ],
        1,
    )
};

/// Where each sink is. `tables` says whether it keeps the current tables, which one sink may.
pub(crate) const POSITION: Table = key(
    "doorbuster_position",
    &[
        column("sink", ID),
        column("source", ID),
        column("id", ID),
        column("seq", Type::Number),
        column("mode", WORD),
    ],
    1,
);

/// What the current state is kept in.
pub(crate) const CURRENT: [Table; 5] = [SKUS, ORDERS, ORDER_LINES, DRAWS, ENTRIES];
pub(crate) const ALL: [Table; 7] = [POSITION, EVENTS, SKUS, ORDERS, ORDER_LINES, DRAWS, ENTRIES];

pub(crate) type Cells<'a> = Vec<Cell<'a>>;

fn words(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn maybe_words(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Null, words)
}

fn maybe_instant<'a>(ms: Option<i64>) -> Cell<'a> {
    ms.map_or(Cell::Null, Cell::Instant)
}

fn maybe_number<'a>(number: Option<i64>) -> Cell<'a> {
    number.map_or(Cell::Null, Cell::Number)
}

fn event(event: &Event) -> Cells<'_> {
    vec![
        words(&event.source),
        Cell::Number(i64::try_from(event.seq()).unwrap_or(i64::MAX)),
        words(&event.id),
        words(&event.kind),
        words(&event.subject),
        Cell::Instant(instant::parse(&event.time).unwrap_or_default()),
        Cell::Json(Cow::Owned(event.data.to_string())),
    ]
}

fn sku(row: &SkuRow) -> Cells<'_> {
    vec![
        words(&row.sku),
        Cell::Number(row.total),
        Cell::Number(row.available()),
        Cell::Number(row.held),
        Cell::Number(row.sold),
        Cell::Json(Cow::Borrowed(&row.settings)),
        maybe_instant(row.deleted_ms),
        Cell::Number(row.seq),
        maybe_number(row.created_seq),
        Cell::Number(row.counted_seq),
    ]
}

fn order(row: &OrderRow) -> Cells<'_> {
    vec![
        words(&row.id),
        words(&row.user),
        maybe_words(row.principal.as_deref()),
        words(&row.status),
        maybe_words(row.reference.as_deref()),
        Cell::Instant(row.created_ms),
        maybe_instant(row.expires_ms),
        maybe_instant(row.archived_ms),
        Cell::Number(row.changed_seq),
    ]
}

fn line<'a>(order: &'a OrderRow, row: &'a LineRow) -> Cells<'a> {
    vec![
        words(&order.id),
        words(&row.sku),
        Cell::Number(row.qty),
        Cell::Number(row.refunded),
        maybe_number(row.sku_seq),
    ]
}

fn draw(row: &DrawRow) -> Cells<'_> {
    vec![
        words(&row.draw),
        Cell::Json(Cow::Borrowed(&row.terms)),
        maybe_words(row.commitment.as_deref()),
        maybe_instant(row.closed_ms),
        maybe_instant(row.deleted_ms),
        Cell::Number(row.seq),
    ]
}

pub(crate) fn entry(row: &EntryRow) -> Cells<'_> {
    vec![
        Cell::Number(row.seq),
        words(&row.draw),
        Cell::Number(row.entry),
        words(&row.user),
        words(&row.outcome),
        maybe_words(row.pick.as_deref()),
        words(&row.reason),
        maybe_words(row.order_id.as_deref()),
    ]
}

/// The rows of each table that have to be stored; tables without any are left out.
pub(crate) fn cells<'a>(changes: &'a Changes<'a>) -> Vec<(Table, Vec<Cells<'a>>)> {
    let Changes { events, skus, orders, draws, entries } = changes;
    let lines = orders.iter().filter(|order| order.has_new_lines);
    let lines = lines.flat_map(|order| order.lines.iter().map(|row| line(order, row)));
    let mut all = vec![
        (EVENTS, events.iter().map(event).collect()),
        (SKUS, skus.iter().map(|row| sku(row)).collect()),
        (ORDERS, orders.iter().map(|row| order(row)).collect()),
        (ORDER_LINES, lines.collect()),
        (DRAWS, draws.iter().map(|row| draw(row)).collect()),
        (ENTRIES, entries.iter().map(|row| entry(row)).collect::<Vec<_>>()),
    ];
    all.retain(|(_, rows)| !rows.is_empty());
    all
}

/// As `doorbuster_position` has it.
pub(crate) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Tables => "tables",
        Mode::Events => "events",
        Mode::Both => "both",
    }
}

/// A sink that began in another mode has not what this one needs.
pub(crate) fn same_mode(stored: &str, mode: Mode) -> Result<(), String> {
    let own = mode_word(mode);
    if stored == own {
        return Ok(());
    }
    Err(format!(
        "this sink began with mode = \"{stored}\" and is now set to \"{own}\"; set it back, or \
         give it another name so that it begins anew"
    ))
}

impl Table {
    /// What stands behind `doorbuster_`.
    pub(crate) fn word(&self) -> &'static str {
        self.name.strip_prefix("doorbuster_").unwrap_or(self.name)
    }

    /// Names of the columns, each written by `quote`, with commas.
    pub(crate) fn names(&self, quote: impl Fn(&str) -> String) -> String {
        let names = self.columns.iter().map(|column| quote(column.name));
        names.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn keys(&self) -> &'static [Column] {
        &self.columns[..self.key_columns]
    }

    pub(crate) fn values(&self) -> &'static [Column] {
        &self.columns[self.key_columns..]
    }
}

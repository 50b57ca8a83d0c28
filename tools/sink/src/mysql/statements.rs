//! The SQL that is sent to MariaDB and MySQL.
//!
//! Owns the texts, made of `tables/schema`. Names in them are ours; values are parameters, but for
//! one instant. Next: `mysql`.

use super::connection::failure;
use crate::failure::Failure;
use crate::instant;
use crate::tables::schema::{CURRENT, Cell, DRAWS, ORDER_LINES, ORDERS, SKUS, Table, Type};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

/// Locks the row: who reads it waits for a transaction under way.
pub(super) const STANDS: &str =
    "select source, id, seq, mode from doorbuster_position where sink = ? for update";
pub(super) const ADVANCE: &str =
    "update doorbuster_position set source = ?, id = ?, seq = ? where sink = ? and seq = ?";
pub(super) const FIRST: &str =
    "insert ignore into doorbuster_position (sink, source, id, seq, mode) values (?, ?, ?, ?, ?)";

/// How many rows go at once.
const PIECES: [usize; 5] = [500, 100, 20, 5, 1];

/// The largest piece of so many.
pub(super) fn piece(rows: usize) -> usize {
    PIECES.into_iter().find(|piece| *piece <= rows).unwrap_or(1)
}

fn type_of(of: Type) -> String {
    match of {
        Type::Text(letters) => format!("varchar({letters})"),
        Type::Number => "bigint".to_owned(),
        Type::Instant => "datetime(3)".to_owned(),
        Type::Json => "json".to_owned(),
    }
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

fn keys(table: &Table) -> String {
    table.keys().iter().map(|column| quoted(column.name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn create(table: &Table) -> String {
    let mut parts: Vec<String> = Vec::new();
    for column in table.columns {
        let null = if column.may_be_null { "null" } else { "not null" };
        parts.push(format!("{} {} {null}", quoted(column.name), type_of(column.of)));
    }
    parts.push(format!("primary key ({})", keys(table)));
    parts.extend(table.indexes.iter().map(|index| format!("key ({})", quoted(index))));
    // Ids that differ in case differ.
    format!(
        "create table {} ({}) engine = innodb, character set utf8mb4, collate utf8mb4_bin",
        table.name,
        parts.join(", ")
    )
}

/// The columns of a table; none where it is not there.
pub(super) async fn columns(connection: &mut Conn, table: &Table) -> Result<Vec<String>, Failure> {
    let known = "select column_name from information_schema.columns \
         where table_schema = database() and table_name = ?";
    connection.exec(known, (table.name,)).await.map_err(|error| failure(&error))
}

pub(super) fn is_ours(table: &Table, there: &[String]) -> Result<(), Failure> {
    let missing =
        table.columns.iter().filter(|column| !there.iter().any(|name| name == column.name));
    let missing: Vec<_> = missing.map(|column| column.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Final(format!(
        "the table {} is not one of ours: it has no {}; rename it, or give the sink a database of \
         its own",
        table.name,
        missing.join(", ")
    )))
}

pub(super) fn value(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::NULL,
        Cell::Text(text) | Cell::Json(text) => Value::Bytes(text.as_bytes().to_vec()),
        Cell::Number(number) => Value::Int(*number),
        Cell::Instant(ms) => Value::Bytes(instant::sql_text(*ms).into_bytes()),
    }
}

/// What happens to a row that is there.
fn unless_new(table: &Table) -> String {
    let own = table.keys()[0].name;
    let kept = format!(" on duplicate key update `{own}` = {}.`{own}`", table.name);
    if table.keeps {
        return kept;
    }
    let set = table.values().iter().map(|column| format!("`{0}` = values(`{0}`)", column.name));
    " on duplicate key update ".to_owned() + &set.collect::<Vec<_>>().join(", ")
}

pub(super) fn insert(into: &str, table: &Table, rows: usize) -> String {
    let marks = vec!["?"; table.columns.len()].join(", ");
    let rows = vec![format!("({marks})"); rows].join(", ");
    // Into a staged table nothing comes twice but what the list showed twice.
    let then = unless_new(table).replace(&format!("{}.`", table.name), &format!("{into}.`"));
    format!("insert into {into} ({}) values {rows}{then}", table.names(quoted))
}

pub(super) fn staging_name(table: &Table) -> String {
    format!("doorbuster_staged_{}", table.word())
}

pub(super) fn staging(table: &Table) -> [String; 2] {
    let name = staging_name(table);
    let made = format!("create temporary table {name} like {}", table.name);
    [format!("drop temporary table if exists {name}"), made]
}

/// What was staged takes the place of what is there; see the same for PostgreSQL.
pub(super) fn take_over(now_ms: i64) -> Vec<String> {
    let (skus, orders) = (staging_name(&SKUS), staging_name(&ORDERS));
    let (lines, draws) = (staging_name(&ORDER_LINES), staging_name(&DRAWS));
    let now = format!("'{}'", instant::sql_text(now_ms));
    let mut statements = vec![
        format!(
            "update {lines} l left join {skus} s on s.sku = l.sku \
             left join {orders} o on o.id = l.order_id \
             set l.sku_seq = case when s.seq < l.sku_seq or (s.sku is not null and \
             o.status = 'held') then 0 else null end"
        ),
        format!(
            "update doorbuster_orders o left join {orders} s on s.id = o.id \
             set o.archived_at = {now} where o.archived_at is null and s.id is null"
        ),
        format!(
            "update doorbuster_skus k left join {skus} s on s.sku = k.sku \
             set k.deleted_at = {now} where k.deleted_at is null and s.sku is null"
        ),
        format!(
            "update doorbuster_draws d left join {draws} s on s.draw = d.draw \
             set d.deleted_at = {now} where d.deleted_at is null and s.draw is null"
        ),
    ];
    for table in CURRENT {
        let staged = staging_name(&table);
        let names = table.names(quoted);
        // What a list does not tell stays as the feed told it.
        let then = unless_new(&table).replace(
            "`principal` = values(`principal`)",
            "`principal` = coalesce(values(`principal`), doorbuster_orders.`principal`)",
        );
        let from = table.names(|name| format!("s.`{name}`"));
        statements.push(format!(
            "insert into {} ({names}) select {from} from {staged} s{then}",
            table.name
        ));
        statements.push(format!("drop temporary table {staged}"));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::schema::EVENTS;

    #[test]
    fn rows_go_in_pieces_of_few_sizes() {
        let mut rest = 1_234;
        let mut pieces = Vec::new();
        while rest > 0 {
            pieces.push(piece(rest));
            rest -= piece(rest);
        }
        assert_eq!(pieces, [500, 500, 100, 100, 20, 5, 5, 1, 1, 1, 1]);
    }

    #[test]
    fn an_event_that_is_there_stays() {
        let text = insert(EVENTS.name, &EVENTS, 2);
        assert!(text.ends_with("on duplicate key update `source` = doorbuster_events.`source`"));
        assert_eq!(text.matches('?').count(), 14);
        assert!(insert(SKUS.name, &SKUS, 1).contains("`total` = values(`total`)"));
    }
}

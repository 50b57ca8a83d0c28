//! The SQL that is sent to PostgreSQL.
//!
//! Owns the texts, made of `tables/schema`. Names in them are ours; values are parameters, but for
//! one number. Next: `postgres`.

use super::connection::failure;
use crate::failure::Failure;
use crate::tables::schema::{CURRENT, DRAWS, ORDER_LINES, ORDERS, SKUS, Table, Type};
use tokio_postgres::{Client, Error, Statement};

/// Locks the row: who reads it waits for a transaction under way.
pub(super) const STANDS: &str =
    "select source, id, seq, mode from doorbuster_position where sink = $1 for update";
pub(super) const ADVANCE: &str = "update doorbuster_position set source = $3, id = $4, seq = $5 \
     where sink = $1 and seq = $2";
pub(super) const FIRST: &str = "insert into doorbuster_position (sink, source, id, seq, mode) \
     values ($1, $2, $3, $4, $5) on conflict (sink) do nothing";

fn type_of(of: Type) -> &'static str {
    match of {
        Type::Text(_) => "text",
        Type::Number => "bigint",
        Type::Instant => "timestamptz",
        Type::Json => "jsonb",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn names(table: &Table) -> String {
    table.names(quoted)
}

fn keys(table: &Table) -> String {
    table.keys().iter().map(|column| quoted(column.name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn create(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| {
        let null = if column.may_be_null { "" } else { " not null" };
        format!("{} {}{null}", quoted(column.name), type_of(column.of))
    });
    let columns: Vec<_> = columns.collect();
    let mut text = format!(
        "create table {} ({}, primary key ({}));",
        table.name,
        columns.join(", "),
        keys(table)
    );
    for index in table.indexes {
        text += &format!("create index {0}_{index} on {0} (\"{index}\");", table.name);
    }
    text
}

pub(super) async fn is_there(client: &Client, table: &Table) -> Result<bool, Error> {
    let row = client.query_one("select to_regclass($1::text) is not null", &[&table.name]).await?;
    Ok(row.get(0))
}

pub(super) async fn missing_columns(client: &Client, table: &Table) -> Result<Vec<String>, Error> {
    let known = "select attname::text from pg_attribute \
         where attrelid = to_regclass($1::text) and attnum > 0 and not attisdropped";
    let rows = client.query(known, &[&table.name]).await?;
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let missing =
        table.columns.iter().filter(|column| !there.iter().any(|name| name == column.name));
    Ok(missing.map(|column| column.name.to_owned()).collect())
}

pub(super) async fn may_write(client: &Client, table: &Table) -> Result<(), Failure> {
    let asked = "select has_table_privilege(to_regclass($1::text), 'insert') \
         and has_table_privilege(to_regclass($1::text), 'update') \
         and has_table_privilege(to_regclass($1::text), 'select')";
    let row = client.query_one(asked, &[&table.name]).await.map_err(|error| failure(&error))?;
    if row.get::<_, bool>(0) {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "the role may not write the table {}; grant it select, insert and update",
        table.name
    )))
}

pub(super) async fn may_create(client: &Client) -> Result<(), Failure> {
    let asked = "select coalesce(has_schema_privilege(current_schema(), 'create'), false)";
    let row = client.query_one(asked, &[]).await.map_err(|error| failure(&error))?;
    if row.get::<_, bool>(0) {
        return Ok(());
    }
    Err(Failure::refused(
        "the role may not make tables in this schema; grant it create, or make them beforehand",
    ))
}

fn new_name(table: &Table) -> String {
    format!("doorbuster_new_{}", table.word())
}

pub(super) fn staging_name(table: &Table) -> String {
    format!("doorbuster_staged_{}", table.word())
}

fn like(name: &str, table: &Table, then: &str) -> String {
    let columns = table.columns.iter();
    let columns = columns.map(|column| format!("{} {}", quoted(column.name), type_of(column.of)));
    let columns: Vec<_> = columns.collect();
    format!("create temporary table {name} ({}){then}", columns.join(", "))
}

/// Where the rows of a batch go first.
pub(super) fn temporary(table: &Table) -> String {
    like(&new_name(table), table, " on commit delete rows")
}

/// Where the rows of a rebuild go first; what an earlier one left goes.
pub(super) fn staging(table: &Table) -> String {
    let name = staging_name(table);
    format!("drop table if exists pg_temp.{name}; {}", like(&name, table, ""))
}

pub(super) fn copy_into(name: &str, table: &Table) -> String {
    format!("copy {name} ({}) from stdin binary", names(table))
}

fn merge(from: &str, table: &Table) -> String {
    let insert = format!(
        "insert into {0} ({1}) select {1} from {from} on conflict ({2}) do ",
        table.name,
        names(table),
        keys(table)
    );
    if table.keeps {
        return insert + "nothing";
    }
    let set =
        table.values().iter().map(|column| format!("\"{0}\" = excluded.\"{0}\"", column.name));
    insert + "update set " + &set.collect::<Vec<_>>().join(", ")
}

/// How rows get into a table.
pub(super) struct Upsert {
    pub(super) copy: Statement,
    pub(super) merge: Statement,
}

impl Upsert {
    pub(super) async fn prepare(client: &Client, table: &Table) -> Result<Self, Error> {
        let name = new_name(table);
        let copy = client.prepare(&copy_into(&name, table)).await?;
        Ok(Self { copy, merge: client.prepare(&merge(&name, table)).await? })
    }
}

/// What was staged takes the place of what is there. A line is bound to the SKU of its name if its
/// order came after the SKU's last change, or holds units, for such a SKU cannot be deleted.
pub(super) fn take_over(now_ms: i64) -> String {
    let (skus, orders) = (staging_name(&SKUS), staging_name(&ORDERS));
    let (lines, draws) = (staging_name(&ORDER_LINES), staging_name(&DRAWS));
    let now = format!("to_timestamp({now_ms} / 1000.0)");
    let mut text = format!(
        "create index on {skus} (sku); create index on {orders} (id); analyze {skus}; \
         analyze {orders}; analyze {lines}; \
         update {lines} l set sku_seq = \
             (select 0 from {skus} s, {orders} o where s.sku = l.sku and o.id = l.order_id \
              and (s.seq < l.sku_seq or o.status = 'held')); \
         update doorbuster_orders o set archived_at = {now} where archived_at is null \
             and not exists (select from {orders} s where s.id = o.id); \
         update doorbuster_skus k set deleted_at = {now} where deleted_at is null \
             and not exists (select from {skus} s where s.sku = k.sku); \
         update doorbuster_draws d set deleted_at = {now} where deleted_at is null \
             and not exists (select from {draws} s where s.draw = d.draw); "
    );
    for table in CURRENT {
        let staged = staging_name(&table);
        let merged = merge(&staged, &table);
        // What a list does not tell stays as the feed told it.
        let merged = merged.replace(
            "\"principal\" = excluded.\"principal\"",
            "\"principal\" = coalesce(excluded.\"principal\", doorbuster_orders.\"principal\")",
        );
        text += &format!("{merged}; drop table {staged}; ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::schema::EVENTS;

    #[test]
    fn a_table_has_its_key_and_an_upsert_leaves_it_alone() {
        assert!(create(&ORDER_LINES).contains("primary key (\"order_id\", \"sku\")"));
        let lines = merge("new", &ORDER_LINES);
        assert!(lines.contains("on conflict (\"order_id\", \"sku\") do update set \"qty\" ="));
        assert!(merge("new", &EVENTS).ends_with("do nothing"));
    }
}

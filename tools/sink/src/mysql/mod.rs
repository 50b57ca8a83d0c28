//! MariaDB and MySQL as a store of tables.
//!
//! Owns transactions: the position first, which waits for whoever else writes and fences them or
//! us; then inserts of many rows that update what is there. After a failure the connection is made
//! anew. Never drops a table, and never changes a column that is there. Next: `connection`,
//! `statements`, `load`.

mod connection;
mod load;
mod statements;

use crate::config::SinkSettings;
use crate::event::Position;
use crate::failure::Failure;
use crate::tables::schema::{self, ALL, CURRENT, Cells, ENTRIES, POSITION, Table};
use crate::tables::{Changes, DrawRow, EntryRow, OrderRow, SkuRow, Store};
use connection::failure;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

/// A MariaDB or MySQL database.
#[derive(Debug)]
pub(crate) struct Mysql {
    settings: SinkSettings,
    connection: Option<Conn>,
}

impl Mysql {
    pub(crate) fn new(settings: &SinkSettings) -> Self {
        Self { settings: settings.clone(), connection: None }
    }

    fn connected(&mut self) -> Result<&mut Conn, Failure> {
        self.connection.as_mut().ok_or_else(|| Failure::away("not connected"))
    }

    async fn is_ours(&self, connection: &mut Conn) -> Result<(), Failure> {
        if !self.settings.mode.has_tables() {
            return Ok(());
        }
        let others = "select sink from doorbuster_position where sink <> ? and mode <> 'events'";
        let other: Option<String> =
            connection.exec_first(others, (&self.settings.name,)).await.map_err(failed)?;
        match other {
            None => Ok(()),
            Some(other) => Err(Failure::Final(format!(
                "the tables of this database are kept by the sink {other:?} already; use another \
                 database or that name"
            ))),
        }
    }

    async fn make_tables(&self, connection: &mut Conn) -> Result<(), Failure> {
        for table in ALL {
            let there = statements::columns(connection, &table).await?;
            if there.is_empty() {
                connection.query_drop(statements::create(&table)).await.map_err(failed)?;
                tracing::info!(sink = self.settings.name, "made the table {}", table.name);
                continue;
            }
            statements::is_ours(&table, &there)?;
        }
        Ok(())
    }
}

fn failed(error: mysql_async::Error) -> Failure {
    failure(&error)
}

/// The position moves from where it must be, or nothing happens.
async fn fence(
    connection: &mut Conn,
    settings: &SinkSettings,
    from: Option<&Position>,
    to: &Position,
) -> Result<(), Failure> {
    let (name, mode) = (&settings.name, schema::mode_word(settings.mode));
    match from {
        Some(from) => {
            let given = (&to.source, &to.id, to.seq, name, from.seq);
            connection.exec_drop(statements::ADVANCE, given).await.map_err(failed)?;
        }
        None => {
            let given = (name, &to.source, &to.id, to.seq, mode);
            connection.exec_drop(statements::FIRST, given).await.map_err(failed)?;
        }
    }
    if connection.affected_rows() == 1 {
        return Ok(());
    }
    Err(Failure::Fenced(format!("{}.{name} has moved", POSITION.name)))
}

/// Inserts in pieces of few sizes, so that each size is prepared once.
async fn insert(
    connection: &mut Conn,
    into: &str,
    table: &Table,
    rows: &[Cells<'_>],
) -> Result<(), Failure> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(statements::piece(rest.len()));
        let values: Vec<Value> = now.iter().flatten().map(statements::value).collect();
        let text = statements::insert(into, table, now.len());
        connection.exec_drop(text, values).await.map_err(failed)?;
        rest = later;
    }
    Ok(())
}

async fn store(
    connection: &mut Conn,
    settings: &SinkSettings,
    from: Option<&Position>,
    to: &Position,
    rows: &[(Table, Vec<Cells<'_>>)],
) -> Result<(), Failure> {
    fence(connection, settings, from, to).await?;
    for (table, rows) in rows {
        insert(connection, table.name, table, rows).await?;
    }
    Ok(())
}

async fn take_over(
    connection: &mut Conn,
    settings: &SinkSettings,
    from: Option<&Position>,
    to: &Position,
    now_ms: i64,
) -> Result<(), Failure> {
    fence(connection, settings, from, to).await?;
    for statement in statements::take_over(now_ms) {
        connection.query_drop(statement).await.map_err(failed)?;
    }
    Ok(())
}

/// Ends a transaction as its work ended.
async fn end(connection: &mut Conn, done: Result<(), Failure>) -> Result<(), Failure> {
    if done.is_ok() {
        return connection.query_drop("commit").await.map_err(failed);
    }
    let _ = connection.query_drop("rollback").await;
    done
}

impl Store for Mysql {
    fn reload(&mut self, settings: &SinkSettings) {
        self.settings = settings.clone();
    }

    async fn check(&mut self) -> Result<String, Failure> {
        let mut connection = connection::connect(&self.settings).await?;
        for table in ALL {
            let there = statements::columns(&mut connection, &table).await?;
            if !there.is_empty() {
                statements::is_ours(&table, &there)?;
                // The server looks at rights when it prepares.
                let insert = statements::insert(table.name, &table, 1);
                connection.prep(insert).await.map_err(failed)?;
            }
        }
        let version: Option<String> =
            connection.query_first("select version()").await.map_err(failed)?;
        let version = version.unwrap_or_default();
        let _ = connection.disconnect().await;
        Ok(version)
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        self.connection = None;
        let mut connection = connection::connect(&self.settings).await?;
        self.make_tables(&mut connection).await?;
        self.is_ours(&mut connection).await?;
        // Waits for a transaction of a process that was killed and whose end is still under way.
        let found: Option<(String, String, u64, String)> = connection
            .exec_first(statements::STANDS, (&self.settings.name,))
            .await
            .map_err(failed)?;
        self.connection = Some(connection);
        let Some((source, id, seq, mode)) = found else { return Ok(None) };
        schema::same_mode(&mode, self.settings.mode).map_err(Failure::Final)?;
        Ok(Some(Position { source, id, seq }))
    }

    async fn skus(&mut self, ids: &[String]) -> Result<Vec<SkuRow>, Failure> {
        load::skus(self.connected()?, ids).await
    }

    async fn orders(&mut self, ids: &[String]) -> Result<Vec<OrderRow>, Failure> {
        load::orders(self.connected()?, ids).await
    }

    async fn draws(&mut self, ids: &[String]) -> Result<Vec<DrawRow>, Failure> {
        load::draws(self.connected()?, ids).await
    }

    async fn commit(
        &mut self,
        from: Option<&Position>,
        to: &Position,
        changes: &Changes<'_>,
    ) -> Result<(), Failure> {
        let settings = self.settings.clone();
        let connection = self.connected()?;
        let rows = schema::cells(changes);
        connection.query_drop("start transaction").await.map_err(failed)?;
        let done = store(connection, &settings, from, to, &rows).await;
        end(connection, done).await
    }

    async fn add_entries(&mut self, entries: &[EntryRow]) -> Result<(), Failure> {
        let rows: Vec<_> = entries.iter().map(schema::entry).collect();
        insert(self.connected()?, ENTRIES.name, &ENTRIES, &rows).await
    }

    async fn known_draws(&mut self) -> Result<Vec<String>, Failure> {
        let known = "select draw from doorbuster_draws where deleted_at is null";
        self.connected()?.query(known).await.map_err(failed)
    }

    async fn begin_staging(&mut self) -> Result<(), Failure> {
        let connection = self.connected()?;
        for table in CURRENT {
            for statement in statements::staging(&table) {
                connection.query_drop(statement).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn stage(&mut self, changes: &Changes<'_>) -> Result<(), Failure> {
        let connection = self.connected()?;
        connection.query_drop("start transaction").await.map_err(failed)?;
        let mut done = Ok(());
        for (table, rows) in schema::cells(changes) {
            if done.is_ok() {
                let into = statements::staging_name(&table);
                done = insert(connection, &into, &table, &rows).await;
            }
        }
        end(connection, done).await
    }

    async fn finish_staging(
        &mut self,
        from: Option<&Position>,
        to: &Position,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let settings = self.settings.clone();
        let connection = self.connected()?;
        connection.query_drop("start transaction").await.map_err(failed)?;
        let done = take_over(connection, &settings, from, to, now_ms).await;
        end(connection, done).await
    }
}

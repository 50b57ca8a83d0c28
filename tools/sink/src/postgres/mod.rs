//! PostgreSQL as a store of tables.
//!
//! Owns transactions: the position first, which waits for whoever else writes and fences them or
//! us; then per table a binary COPY into a temporary one and one upsert from there. After a failure
//! the connection is made anew. Never drops a table, and never changes a column that is there.
//! Next: `connection`, `statements`, `cells`, `load`.

mod cells;
mod connection;
mod load;
mod statements;

use crate::config::SinkSettings;
use crate::event::Position;
use crate::failure::Failure;
use crate::tables::schema::{self, ALL, CURRENT, Cells, ENTRIES, EVENTS, POSITION, Table};
use crate::tables::{Changes, DrawRow, EntryRow, OrderRow, SkuRow, Store};
use connection::{failure, signed};
use statements::Upsert;
use std::collections::HashMap;
use tokio_postgres::{Client, Statement};

/// A PostgreSQL database.
#[derive(Debug)]
pub(crate) struct Postgres {
    settings: SinkSettings,
    connected: Option<Connected>,
}

struct Connected {
    client: Client,
    upserts: HashMap<&'static str, Upsert>,
    advance: Statement,
    load: load::Statements,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, form: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        form.debug_struct("Connected").finish_non_exhaustive()
    }
}

impl Postgres {
    pub(crate) fn new(settings: &SinkSettings) -> Self {
        Self { settings: settings.clone(), connected: None }
    }

    fn connected(&mut self) -> Result<&mut Connected, Failure> {
        self.connected.as_mut().ok_or_else(|| Failure::away("not connected"))
    }

    /// Of another sink: there is one set of current tables in a schema.
    async fn is_ours(&self, client: &Client) -> Result<(), Failure> {
        let others = "select sink from doorbuster_position where sink <> $1 and mode <> 'events'";
        if !self.settings.mode.has_tables() {
            return Ok(());
        }
        let row = client.query_opt(&format!("{others} limit 1"), &[&self.settings.name]).await;
        match row.map_err(|error| failure(&error))? {
            None => Ok(()),
            Some(row) => Err(Failure::refused(format!(
                "the tables of this schema are kept by the sink {:?} already; use another schema \
                 (options=-csearch_path=… in the url) or that name",
                row.get::<_, String>(0)
            ))),
        }
    }

    /// Makes the tables that are missing; looks at the columns of all of them.
    async fn make_tables(&self, client: &Client) -> Result<(), Failure> {
        let failed = |error: tokio_postgres::Error| failure(&error);
        for table in ALL {
            if !statements::is_there(client, &table).await.map_err(failed)? {
                let ddl = statements::create(&table);
                client.batch_execute(&ddl).await.map_err(failed)?;
                tracing::info!(sink = self.settings.name, "made the table {}", table.name);
            }
        }
        for table in ALL {
            let missing = statements::missing_columns(client, &table).await.map_err(failed)?;
            if !missing.is_empty() {
                return Err(Failure::refused(format!(
                    "the table {} is not one of ours: it has no {}; rename it, or give the sink a \
                     schema of its own (options=-csearch_path=… in the url)",
                    table.name,
                    missing.join(", ")
                )));
            }
        }
        Ok(())
    }

    async fn prepare(&self, client: Client) -> Result<Connected, Failure> {
        let failed = |error: tokio_postgres::Error| failure(&error);
        let mut upserts = HashMap::new();
        for table in CURRENT.iter().chain([&EVENTS]) {
            client.batch_execute(&statements::temporary(table)).await.map_err(failed)?;
            upserts.insert(table.name, Upsert::prepare(&client, table).await.map_err(failed)?);
        }
        let advance = client.prepare(statements::ADVANCE).await.map_err(failed)?;
        let load = load::Statements::prepare(&client).await.map_err(failed)?;
        Ok(Connected { client, upserts, advance, load })
    }
}

impl Connected {
    /// The position moves from where it must be, or nothing happens.
    async fn fence(
        &self,
        settings: &SinkSettings,
        from: Option<&Position>,
        to: &Position,
    ) -> Result<(), Failure> {
        let failed = |error: tokio_postgres::Error| failure(&error);
        let (name, to_seq) = (&settings.name, signed(to.seq));
        let moved = match from {
            Some(from) => {
                let from_seq = signed(from.seq);
                let given: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                    [name, &from_seq, &to.source, &to.id, &to_seq];
                self.client.execute(&self.advance, &given).await.map_err(failed)?
            }
            None => {
                let mode = schema::mode_word(settings.mode);
                let given: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                    [name, &to.source, &to.id, &to_seq, &mode];
                self.client.execute(statements::FIRST, &given).await.map_err(failed)?
            }
        };
        if moved == 1 {
            return Ok(());
        }
        Err(Failure::Fenced(format!("{}.{} has moved", POSITION.name, name)))
    }

    async fn store(&self, rows: &[(Table, Vec<Cells<'_>>)]) -> Result<(), Failure> {
        for (table, rows) in rows {
            let upsert = &self.upserts[table.name];
            cells::copy(&self.client, &upsert.copy, table, rows).await?;
            let stored = self.client.execute(&upsert.merge, &[]).await;
            stored.map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    /// In one transaction, which a failure takes back.
    async fn whole(&self, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
        let failed = |error: tokio_postgres::Error| failure(&error);
        self.client.batch_execute("begin").await.map_err(failed)?;
        match work.await {
            Ok(()) => self.client.batch_execute("commit").await.map_err(failed),
            Err(told) => {
                let _ = self.client.batch_execute("rollback").await;
                Err(told)
            }
        }
    }
}

impl Store for Postgres {
    fn reload(&mut self, settings: &SinkSettings) {
        self.settings = settings.clone();
    }

    async fn check(&mut self) -> Result<String, Failure> {
        let failed = |error: tokio_postgres::Error| failure(&error);
        let client = connection::connect(&self.settings).await?;
        for table in ALL {
            if statements::is_there(&client, &table).await.map_err(failed)? {
                statements::may_write(&client, &table).await?;
            } else {
                statements::may_create(&client).await?;
            }
        }
        let version = client.query_one("show server_version", &[]).await.map_err(failed)?;
        Ok(format!("PostgreSQL {}", version.get::<_, String>(0)))
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        self.connected = None;
        let failed = |error: tokio_postgres::Error| failure(&error);
        let client = connection::connect(&self.settings).await?;
        self.make_tables(&client).await?;
        self.is_ours(&client).await?;
        // Waits for a transaction of a process that was killed and whose end is still under way.
        let found = client.query_opt(statements::STANDS, &[&self.settings.name]).await;
        let found = found.map_err(failed)?;
        if let Some(row) = &found {
            schema::same_mode(row.get(3), self.settings.mode).map_err(Failure::refused)?;
        }
        let position = found.map(|row| Position {
            source: row.get(0),
            id: row.get(1),
            seq: u64::try_from(row.get::<_, i64>(2)).unwrap_or_default(),
        });
        self.connected = Some(self.prepare(client).await?);
        Ok(position)
    }

    async fn skus(&mut self, ids: &[String]) -> Result<Vec<SkuRow>, Failure> {
        let Connected { client, load, .. } = self.connected()?;
        load.skus(client, ids).await
    }

    async fn orders(&mut self, ids: &[String]) -> Result<Vec<OrderRow>, Failure> {
        let Connected { client, load, .. } = self.connected()?;
        load.orders(client, ids).await
    }

    async fn draws(&mut self, ids: &[String]) -> Result<Vec<DrawRow>, Failure> {
        let Connected { client, load, .. } = self.connected()?;
        load.draws(client, ids).await
    }

    async fn commit(
        &mut self,
        from: Option<&Position>,
        to: &Position,
        changes: &Changes<'_>,
    ) -> Result<(), Failure> {
        let settings = self.settings.clone();
        let connected = self.connected()?;
        let rows = schema::cells(changes);
        let work = async {
            connected.fence(&settings, from, to).await?;
            connected.store(&rows).await
        };
        connected.whole(work).await
    }

    async fn add_entries(&mut self, entries: &[EntryRow]) -> Result<(), Failure> {
        let connected = self.connected()?;
        let rows = vec![(ENTRIES, entries.iter().map(schema::entry).collect())];
        connected.whole(connected.store(&rows)).await
    }

    async fn known_draws(&mut self) -> Result<Vec<String>, Failure> {
        let known = "select draw from doorbuster_draws where deleted_at is null";
        let rows = self.connected()?.client.query(known, &[]).await;
        Ok(rows.map_err(|error| failure(&error))?.iter().map(|row| row.get(0)).collect())
    }

    async fn begin_staging(&mut self) -> Result<(), Failure> {
        let client = &self.connected()?.client;
        for table in CURRENT {
            let made = client.batch_execute(&statements::staging(&table)).await;
            made.map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    async fn stage(&mut self, changes: &Changes<'_>) -> Result<(), Failure> {
        let client = &self.connected()?.client;
        for (table, rows) in schema::cells(changes) {
            let into = statements::copy_into(&statements::staging_name(&table), &table);
            let statement = client.prepare(&into).await.map_err(|error| failure(&error))?;
            cells::copy(client, &statement, &table, &rows).await?;
        }
        Ok(())
    }

    async fn finish_staging(
        &mut self,
        from: Option<&Position>,
        to: &Position,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let settings = self.settings.clone();
        let connected = self.connected()?;
        let work = async {
            connected.fence(&settings, from, to).await?;
            let merge = statements::take_over(now_ms);
            connected.client.batch_execute(&merge).await.map_err(|error| failure(&error))
        };
        connected.whole(work).await
    }
}

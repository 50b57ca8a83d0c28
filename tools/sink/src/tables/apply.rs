//! A database as a sink: batches become one transaction each.
//!
//! Owns loading what a batch is about, and looking up at the server what neither the batch nor the
//! database has. Next: `fold`, `rebuild`, `store`.

use super::fold::{Need, Rows, Slot, Wanted, signed};
use super::rows::{Changes, EntryRow, SkuRow};
use super::store::Store;
use super::{listed, rebuild};
use crate::config::{Begin, Mode, SinkSettings};
use crate::event::{Event, Position};
use crate::failure::Failure;
use crate::sink::{Batch, Beginning, Sink};
use crate::source::Source;

/// The sink of a database.
#[derive(Debug)]
pub(crate) struct Tables<S> {
    store: S,
    mode: Mode,
    begin: Option<Begin>,
}

impl<S: Store> Tables<S> {
    pub(crate) fn new(store: S, settings: &SinkSettings) -> Self {
        Self { store, mode: settings.mode, begin: settings.begin }
    }

    async fn load(&mut self, events: &[Event]) -> Result<Rows, Failure> {
        let mut rows = Rows::default();
        let wanted = Wanted::of(events);
        for row in self.store.orders(&wanted.orders).await? {
            rows.orders.insert(row.id.clone(), Slot { row, changed: false });
        }
        for row in self.store.draws(&wanted.draws).await? {
            rows.draws.insert(row.draw.clone(), Slot { row, changed: false });
        }
        let mut skus = wanted.skus;
        skus.extend(rows.missing_skus());
        skus.sort_unstable();
        skus.dedup();
        self.load_skus(&mut rows, &skus).await?;
        Ok(rows)
    }

    async fn load_skus(&mut self, rows: &mut Rows, skus: &[String]) -> Result<(), Failure> {
        for row in self.store.skus(skus).await? {
            rows.skus.entry(row.sku.clone()).or_insert(Slot { row, changed: false });
        }
        Ok(())
    }

    async fn fold(&mut self, events: &[Event], source: &Source) -> Result<Rows, Failure> {
        let mut rows = self.load(events).await?;
        for event in events {
            while let Err(need) = rows.fold(event) {
                self.look_up(&mut rows, need, signed(event.seq()), source).await?;
            }
        }
        Ok(rows)
    }

    /// Afterwards the event that needed it needs it no more.
    async fn look_up(
        &mut self,
        rows: &mut Rows,
        need: Need,
        seq: i64,
        source: &Source,
    ) -> Result<(), Failure> {
        match need {
            Need::Sku(id) => {
                let found = source.sku(&id).await.map_err(elsewhere)?;
                let Some(slot) = rows.skus.get_mut(&id) else { return Ok(()) };
                match found {
                    Some(sku) => {
                        let created_seq = slot.row.created_seq;
                        slot.row = SkuRow { created_seq, ..listed::sku(&sku, sku.seq) };
                    }
                    // It is deleted, and the event of that is still to come.
                    None => slot.row.counted_seq = seq,
                }
                slot.changed = true;
            }
            Need::Draw(id) => {
                let found = source.draw(&id).await.map_err(elsewhere)?;
                let row = found.as_ref().map_or_else(|| listed::lost_draw(&id), listed::draw);
                let skus = row.prizes.clone();
                rows.draws.insert(id.clone(), Slot { row, changed: true });
                self.load_skus(rows, &skus).await?;
                if found.is_some() {
                    self.take_entries(&id, source).await?;
                }
            }
        }
        Ok(())
    }

    /// The entries of a draw that was made before the tables were.
    async fn take_entries(&mut self, draw: &str, source: &Source) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = source.entries(draw, after).await.map_err(elsewhere)?;
            let Some(page) = page else { return Ok(()) };
            let entries: Vec<EntryRow> = page.entries.iter().map(listed::entry).collect();
            self.store.add_entries(&entries).await?;
            after = page.next_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// What the server does not give is nothing that the database refused.
fn elsewhere(failure: Failure) -> Failure {
    Failure::away(format!("source: {failure}"))
}

fn changed<T>(slots: &std::collections::HashMap<String, Slot<T>>) -> Vec<&T> {
    slots.values().filter(|slot| slot.changed).map(|slot| &slot.row).collect()
}

impl<S: Store> Sink for Tables<S> {
    fn beginning(&self) -> Beginning {
        match (self.mode.has_tables(), self.begin) {
            (true, _) => Beginning::Lists,
            (false, Some(Begin::Now)) => Beginning::Now,
            (false, _) => Beginning::Oldest,
        }
    }

    async fn check(&mut self) -> Result<String, Failure> {
        self.store.check().await
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        self.store.open().await
    }

    async fn begin(&mut self, from: Option<&Position>, to: &Position) -> Result<(), Failure> {
        self.store.commit(from, to, &Changes::default()).await
    }

    async fn rebuild(
        &mut self,
        from: Option<&Position>,
        source: &Source,
    ) -> Result<Position, Failure> {
        rebuild::rebuild(&mut self.store, from, source).await
    }

    async fn apply(&mut self, batch: &Batch<'_>, source: &Source) -> Result<(), Failure> {
        let rows = match self.mode.has_tables() {
            true => self.fold(batch.events, source).await?,
            false => Rows::default(),
        };
        let changes = Changes {
            events: if self.mode.has_events() { batch.events } else { &[] },
            skus: changed(&rows.skus),
            orders: changed(&rows.orders),
            draws: changed(&rows.draws),
            entries: rows.entries.iter().collect(),
        };
        self.store.commit(Some(batch.from), batch.to, &changes).await
    }

    fn reload(&mut self, settings: &SinkSettings) {
        self.store.reload(settings);
    }
}

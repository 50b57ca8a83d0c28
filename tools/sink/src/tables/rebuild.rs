//! Tables filled from lists (API 5), beside what readers see, and taken over all at once.
//!
//! Owns the order: the place is noted before anything is listed, and orders are listed before SKUs.
//! So an event after the noted place may be in the lists already, which rows tell by their
//! sequences, and no unit is moved by an event whose order the lists show only afterwards. Next:
//! `listed`, `store`.

use super::listed;
use super::rows::{Changes, DrawRow, EntryRow, OrderRow, SkuRow};
use super::store::Store;
use crate::event::Position;
use crate::failure::Failure;
use crate::source::Source;
use doorbuster::shared::clock;

/// Rows that go to the database at once.
const ROWS: usize = 5_000;
/// Progress is told after so many.
const TOLD_EVERY: usize = 100_000;

/// Fills them; gives the place that they stand for.
pub(super) async fn rebuild<S: Store>(
    store: &mut S,
    from: Option<&Position>,
    source: &Source,
) -> Result<Position, Failure> {
    let to = source.now().await.map_err(elsewhere)?;
    let to = match from {
        Some(from) if to.source.is_empty() => Position { source: from.source.clone(), ..to },
        _ => to,
    };
    let draws = store.known_draws().await?;
    store.begin_staging().await?;
    let orders = stage_orders(store, source).await?;
    let skus = stage_skus(store, source).await?;
    stage_draws(store, source, &draws).await?;
    let now_ms = i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX);
    store.finish_staging(from, &to, now_ms).await?;
    tracing::info!(orders, skus, "tables stand at {}", to.id);
    Ok(to)
}

fn elsewhere(failure: Failure) -> Failure {
    Failure::away(format!("source: {failure}"))
}

async fn stage_orders<S: Store>(store: &mut S, source: &Source) -> Result<usize, Failure> {
    let (mut cursor, mut rows, mut count) = (None, Vec::<OrderRow>::new(), 0);
    loop {
        let page = source.orders(cursor.as_deref()).await.map_err(elsewhere)?;
        let before = count / TOLD_EVERY;
        count += page.entries.len();
        if count / TOLD_EVERY > before {
            tracing::info!(orders = count, "listing");
        }
        rows.extend(page.entries.iter().map(listed::order));
        cursor = page.next_cursor;
        if cursor.is_none() || rows.len() >= ROWS {
            let orders = rows.iter().collect();
            store.stage(&Changes { orders, ..Changes::default() }).await?;
            rows.clear();
        }
        if cursor.is_none() {
            return Ok(count);
        }
    }
}

async fn stage_skus<S: Store>(store: &mut S, source: &Source) -> Result<usize, Failure> {
    let (mut cursor, mut rows, mut count) = (None, Vec::<SkuRow>::new(), 0);
    loop {
        let page = source.skus(cursor.as_deref()).await.map_err(elsewhere)?;
        count += page.entries.len();
        rows.extend(page.entries.iter().map(|sku| listed::sku(sku, page.seq)));
        cursor = page.next_cursor;
        if cursor.is_none() || rows.len() >= ROWS {
            let skus = rows.iter().collect();
            store.stage(&Changes { skus, ..Changes::default() }).await?;
            rows.clear();
        }
        if cursor.is_none() {
            return Ok(count);
        }
    }
}

/// There is no list of draws: those are asked for that the tables name already. Others come with
/// the first event that names them.
async fn stage_draws<S: Store>(
    store: &mut S,
    source: &Source,
    names: &[String],
) -> Result<(), Failure> {
    for name in names {
        let Some(draw) = source.draw(name).await.map_err(elsewhere)? else { continue };
        let row: DrawRow = listed::draw(&draw);
        store.stage(&Changes { draws: vec![&row], ..Changes::default() }).await?;
        let mut after = None;
        while let Some(page) = source.entries(name, after).await.map_err(elsewhere)? {
            let rows: Vec<EntryRow> = page.entries.iter().map(listed::entry).collect();
            let entries = rows.iter().collect();
            store.stage(&Changes { entries, ..Changes::default() }).await?;
            after = page.next_after;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

//! Rows out of PostgreSQL.
//!
//! Owns the queries by id, prepared once a connection. Next: `postgres`.

use super::connection::failure;
use crate::failure::Failure;
use crate::tables::{DrawRow, LineRow, OrderRow, SkuRow, prizes_of};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::{Client, Error, Row, Statement};

pub(super) struct Statements {
    skus: Statement,
    orders: Statement,
    lines: Statement,
    draws: Statement,
}

/// Milliseconds since 1970.
fn ms(row: &Row, at: usize) -> Option<i64> {
    let instant: Option<SystemTime> = row.get(at);
    let since = instant?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let skus = "select sku, total, held, sold, settings::text, deleted_at, seq, created_seq, \
             counted_seq from doorbuster_skus where sku = any($1)";
        let orders = "select id, user_id, principal, status, reference, created_at, expires_at, \
             archived_at, changed_seq from doorbuster_orders where id = any($1)";
        let lines = "select order_id, sku, qty, refunded_qty, sku_seq from doorbuster_order_lines \
             where order_id = any($1)";
        let draws = "select draw, terms::text, commitment, closed_at, deleted_at, seq \
             from doorbuster_draws where draw = any($1)";
        Ok(Self {
            skus: client.prepare(skus).await?,
            orders: client.prepare(orders).await?,
            lines: client.prepare(lines).await?,
            draws: client.prepare(draws).await?,
        })
    }

    async fn rows(
        client: &Client,
        statement: &Statement,
        ids: &[String],
    ) -> Result<Vec<Row>, Failure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        client.query(statement, &[&ids]).await.map_err(|error| failure(&error))
    }

    pub(super) async fn skus(
        &self,
        client: &Client,
        ids: &[String],
    ) -> Result<Vec<SkuRow>, Failure> {
        let rows = Self::rows(client, &self.skus, ids).await?;
        let row = |row: &Row| SkuRow {
            sku: row.get(0),
            total: row.get(1),
            held: row.get(2),
            sold: row.get(3),
            settings: row.get(4),
            deleted_ms: ms(row, 5),
            seq: row.get(6),
            created_seq: row.get(7),
            counted_seq: row.get(8),
        };
        Ok(rows.iter().map(row).collect())
    }

    pub(super) async fn orders(
        &self,
        client: &Client,
        ids: &[String],
    ) -> Result<Vec<OrderRow>, Failure> {
        let rows = Self::rows(client, &self.orders, ids).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut lines: HashMap<String, Vec<LineRow>> = HashMap::new();
        for row in Self::rows(client, &self.lines, &there).await? {
            let line = LineRow {
                sku: row.get(1),
                qty: row.get(2),
                refunded: row.get(3),
                sku_seq: row.get(4),
            };
            lines.entry(row.get(0)).or_default().push(line);
        }
        let row = |row: &Row| {
            let id: String = row.get(0);
            OrderRow {
                lines: lines.remove(&id).unwrap_or_default(),
                id,
                user: row.get(1),
                principal: row.get(2),
                status: row.get(3),
                reference: row.get(4),
                created_ms: ms(row, 5).unwrap_or_default(),
                expires_ms: ms(row, 6),
                archived_ms: ms(row, 7),
                changed_seq: row.get(8),
                has_new_lines: false,
            }
        };
        Ok(rows.iter().map(row).collect())
    }

    pub(super) async fn draws(
        &self,
        client: &Client,
        ids: &[String],
    ) -> Result<Vec<DrawRow>, Failure> {
        let rows = Self::rows(client, &self.draws, ids).await?;
        let row = |row: &Row| {
            let terms: String = row.get(1);
            DrawRow {
                draw: row.get(0),
                prizes: prizes_of(&terms),
                terms,
                commitment: row.get(2),
                closed_ms: ms(row, 3),
                deleted_ms: ms(row, 4),
                seq: row.get(5),
            }
        };
        Ok(rows.iter().map(row).collect())
    }
}

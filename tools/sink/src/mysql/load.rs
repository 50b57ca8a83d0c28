//! Rows out of MariaDB and MySQL.
//!
//! Owns the queries by id, in pieces of few sizes so that each is prepared once. Next: `mysql`.

use super::connection::failure;
use crate::failure::Failure;
use crate::tables::{DrawRow, LineRow, OrderRow, SkuRow, prizes_of};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Value};
use std::collections::HashMap;

/// Ids of one query.
const SIZES: [usize; 4] = [1, 20, 200, 1_000];

/// Milliseconds since 1970 of a column.
fn ms(column: &str) -> String {
    format!("timestampdiff(microsecond, '1970-01-01', {column}) div 1000")
}

/// Rows of these ids; the last id fills a query up to its size.
async fn rows<T: FromRow + Send + 'static>(
    connection: &mut Conn,
    select: &str,
    ids: &[String],
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    for piece in ids.chunks(SIZES[SIZES.len() - 1]) {
        let size = SIZES.into_iter().find(|size| *size >= piece.len()).unwrap_or(piece.len());
        let marks = vec!["?"; size].join(", ");
        let last = piece.last().map(String::as_str).unwrap_or_default();
        let all = piece.iter().map(String::as_str).chain(std::iter::repeat(last)).take(size);
        let values: Vec<Value> = all.map(|id| Value::from(id)).collect();
        let text = format!("{select} in ({marks})");
        let piece: Vec<T> = connection.exec(text, values).await.map_err(|error| failure(&error))?;
        found.extend(piece);
    }
    Ok(found)
}

type Sku = (String, i64, i64, i64, String, Option<i64>, i64, Option<i64>, i64);

pub(super) async fn skus(connection: &mut Conn, ids: &[String]) -> Result<Vec<SkuRow>, Failure> {
    let select = format!(
        "select sku, total, held, sold, settings, {}, seq, created_seq, counted_seq \
         from doorbuster_skus where sku",
        ms("deleted_at")
    );
    let found: Vec<Sku> = rows(connection, &select, ids).await?;
    let row = |(sku, total, held, sold, settings, deleted_ms, seq, created_seq, counted_seq)| {
        SkuRow { sku, total, held, sold, settings, deleted_ms, seq, created_seq, counted_seq }
    };
    Ok(found.into_iter().map(row).collect())
}

type Order = (
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
);
type Line = (String, String, i64, i64, Option<i64>);

pub(super) async fn orders(
    connection: &mut Conn,
    ids: &[String],
) -> Result<Vec<OrderRow>, Failure> {
    let select = format!(
        "select id, user_id, principal, status, reference, {}, {}, {}, changed_seq \
         from doorbuster_orders where id",
        ms("created_at"),
        ms("expires_at"),
        ms("archived_at")
    );
    let found: Vec<Order> = rows(connection, &select, ids).await?;
    let there: Vec<String> = found.iter().map(|order| order.0.clone()).collect();
    let select = "select order_id, sku, qty, refunded_qty, sku_seq from doorbuster_order_lines \
         where order_id";
    let mut lines: HashMap<String, Vec<LineRow>> = HashMap::new();
    let told: Vec<Line> = rows(connection, select, &there).await?;
    for (order, sku, qty, refunded, sku_seq) in told {
        lines.entry(order).or_default().push(LineRow { sku, qty, refunded, sku_seq });
    }
    let row = |(
        id,
        user,
        principal,
        status,
        reference,
        created,
        expires_ms,
        archived_ms,
        changed_seq,
    ): Order| {
        OrderRow {
            lines: lines.remove(&id).unwrap_or_default(),
            id,
            user,
            principal,
            status,
            reference,
            created_ms: created.unwrap_or_default(),
            expires_ms,
            archived_ms,
            changed_seq,
            has_new_lines: false,
        }
    };
    Ok(found.into_iter().map(row).collect())
}

type Draw = (String, String, Option<String>, Option<i64>, Option<i64>, i64);

pub(super) async fn draws(connection: &mut Conn, ids: &[String]) -> Result<Vec<DrawRow>, Failure> {
    let select = format!(
        "select draw, terms, commitment, {}, {}, seq from doorbuster_draws where draw",
        ms("closed_at"),
        ms("deleted_at")
    );
    let found: Vec<Draw> = rows(connection, &select, ids).await?;
    let row = |(draw, terms, commitment, closed_ms, deleted_ms, seq): Draw| DrawRow {
        draw,
        prizes: prizes_of(&terms),
        terms,
        commitment,
        closed_ms,
        deleted_ms,
        seq,
    };
    Ok(found.into_iter().map(row).collect())
}

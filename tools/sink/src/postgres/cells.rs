//! Cells as PostgreSQL reads them in a binary COPY.
//!
//! Owns their bytes. Next: `postgres`.

use super::connection::failure;
use crate::failure::Failure;
use crate::tables::schema::{Cell, Cells, Table, Type};
use bytes::{BufMut, BytesMut};
use std::error::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{self, IsNull, ToSql, to_sql_checked};
use tokio_postgres::{Client, Statement};

/// 2000-01-01 in milliseconds since 1970, where PostgreSQL begins to count.
const BEGINNING_MS: i64 = 946_684_800_000;

#[derive(Debug)]
struct Binary<'a>(&'a Cell<'a>);

impl ToSql for Binary<'_> {
    fn to_sql(
        &self,
        _: &types::Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Cell::Null => return Ok(IsNull::Yes),
            Cell::Text(text) => out.put_slice(text.as_bytes()),
            Cell::Number(number) => out.put_i64(*number),
            Cell::Instant(ms) => out.put_i64((ms - BEGINNING_MS).saturating_mul(1000)),
            Cell::Json(text) => {
                // The version of the binary form.
                out.put_u8(1);
                out.put_slice(text.as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &types::Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn type_of(of: Type) -> types::Type {
    match of {
        Type::Text(_) => types::Type::TEXT,
        Type::Number => types::Type::INT8,
        Type::Instant => types::Type::TIMESTAMPTZ,
        Type::Json => types::Type::JSONB,
    }
}

/// Copies rows to where the statement says.
pub(super) async fn copy(
    client: &Client,
    statement: &Statement,
    table: &Table,
    rows: &[Cells<'_>],
) -> Result<(), Failure> {
    let failed = |error: tokio_postgres::Error| failure(&error);
    let types: Vec<_> = table.columns.iter().map(|column| type_of(column.of)).collect();
    let sink = client.copy_in(statement).await.map_err(failed)?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    let mut writer = std::pin::pin!(writer);
    for row in rows {
        let cells: Vec<Binary<'_>> = row.iter().map(Binary).collect();
        writer.as_mut().write_raw(cells.iter()).await.map_err(failed)?;
    }
    writer.finish().await.map(drop).map_err(failed)
}

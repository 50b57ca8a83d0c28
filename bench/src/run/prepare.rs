//! Before a run: is the server there, and what is it to sell?
//!
//! Owns the SKUs of a run. Everything goes through the typed client, because nothing here is
//! measured. Next: `scenario`.

use super::scenario::{Plan, Scenario};
use crate::error::BenchError;
use crate::load::now;
use doorbuster::client::{Change, Client, NewSku, Precondition, SkuChanges, SkuSettings, Status};
use jiff::Timestamp;
use std::time::Instant;

/// How the server stands; fails if it is not there.
pub(crate) async fn status(client: &Client) -> Result<Status, BenchError> {
    Ok(client.status().await?)
}

/// Puts the run's SKUs on sale.
pub(crate) async fn skus(client: &Client, plan: &Plan, hold_ms: u64) -> Result<(), BenchError> {
    let flash = plan.scenario == Scenario::FlashSale;
    let settings = SkuSettings {
        per_user_limit: plan.per_user_limit(),
        hold_ms: flash.then_some(hold_ms),
        // Until it is known when it opens.
        paused: flash,
        ..SkuSettings::default()
    };
    let new = NewSku { stock: plan.stock, settings };
    for sku in 0..plan.skus() {
        client.put_sku(&plan.sku(sku), &new, Precondition::IfAbsent).await.map_err(|error| {
            match error.code() {
                Some("version_mismatch") => BenchError::Usage(format!(
                    "the server already has {}: name another --run",
                    plan.sku(sku)
                )),
                _ => error.into(),
            }
        })?;
    }
    Ok(())
}

/// Lets the sale begin at an instant of this machine's clock, told in the server's time.
pub(crate) async fn open_at(client: &Client, plan: &Plan, at: Instant) -> Result<(), BenchError> {
    for sku in 0..plan.skus() {
        let sku = client.sku(&plan.sku(sku)).await?.body;
        let wait = i64::try_from(ms_until(at)).unwrap_or(i64::MAX);
        let now: Timestamp = sku.now.parse().map_err(|cause| unclear(&sku.now, cause))?;
        let opens_at = Timestamp::from_millisecond(now.as_millisecond().saturating_add(wait));
        let opens_at = opens_at.map_err(|cause| unclear(&sku.now, cause))?;
        let changes = SkuChanges {
            opens_at: Change::Set(opens_at.to_string()),
            paused: Change::Reset,
            ..SkuChanges::default()
        };
        let version = Precondition::Version(sku.version);
        client.patch_sku(&sku.sku, &changes, version).await?;
    }
    Ok(())
}

fn unclear(instant: &str, cause: jiff::Error) -> BenchError {
    let answer = format!("{instant} as its time ({cause})");
    BenchError::Answer { server: "the server".to_owned(), answer }
}

/// Milliseconds from now until an instant; 0 if it is over.
pub(crate) fn ms_until(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(now()).as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    doorbuster::shared::clock::wall_ms()
}

/// RFC 3339 of milliseconds since 1970.
pub(crate) fn instant(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "unknown".to_owned(), |at| format!("{at:.0}"))
}

//! What losses did: the gap of each, and whether all nodes hold the same in the end, and of each
//! order one.
//!
//! Owns `failover.json`. Reads the journals of nodes that have ended. Next: `conductor`.

use super::conductor::Loss;
use super::nodes::Nodes;
use crate::error::{BenchError, io_error};
use crate::report::gaps::GAP_NS_MIN;
use crate::run::Loaded;
use doorbuster::codec;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::replay::{self, From, Replayed};
use serde_json::json;
use std::fs;
use std::path::Path;

const MS_NS: f64 = 1e6;

/// What was found.
pub(super) struct Found {
    losses: Vec<Loss>,
    /// Of each loss, in nanoseconds.
    gaps_ns: Vec<u64>,
    /// What the check of the answers found.
    differences: u64,
    /// What is wrong with the journals.
    faults: Vec<String>,
    /// Where they were compared.
    sequence: Sequence,
    orders: u64,
}

impl Found {
    /// Compares the journals with one another and with what was answered.
    pub(super) fn of(losses: &[Loss], loaded: &Loaded, nodes: &Nodes) -> Result<Self, BenchError> {
        let gaps = &loaded.recording.gaps;
        let ends = losses.iter().skip(1).map(|loss| loss.at_ns).chain([u64::MAX]);
        let gap_ns = |(loss, end): (&Loss, u64)| {
            let gap = gaps.longest_between(loss.at_ns, end);
            gap.map_or(GAP_NS_MIN, |gap| gap.length_ns())
        };
        let gaps_ns = losses.iter().zip(ends).map(gap_ns).collect();
        let mut found = Self {
            losses: losses.to_vec(),
            gaps_ns,
            differences: loaded.summary.check.differences,
            faults: Vec::new(),
            sequence: 0,
            orders: 0,
        };
        let stale: u64 = losses.iter().map(|loss| loss.stale_reads).sum();
        if stale > 0 {
            found.faults.push(format!("{stale} reads were answered by a writer that was replaced"));
        }
        found.compare(loaded, nodes)?;
        Ok(found)
    }

    fn compare(&mut self, loaded: &Loaded, nodes: &Nodes) -> Result<(), BenchError> {
        let mut ends = Vec::new();
        for node in 0..nodes.count() {
            ends.push(read(&nodes.data(node), None)?.state.sequence);
        }
        self.sequence = ends.iter().copied().min().unwrap_or(0);
        let mut first = None;
        for node in 0..nodes.count() {
            let state = read(&nodes.data(node), Some(self.sequence))?.state;
            let (at, digest) = (state.sequence, codec::digest(&state).to_string());
            self.orders = self.orders.max(u64::from(state.orders.len()));
            let own = first.get_or_insert_with(|| (at, digest.clone()));
            if *own != (at, digest.clone()) {
                self.faults.push(format!(
                    "{} holds {digest} at {at}, and {} holds {} at {}",
                    nodes.name(node),
                    nodes.name(0),
                    own.1,
                    own.0
                ));
            }
        }
        let promised = "orders that were promised are there, as promised";
        let check = &loaded.summary.check;
        let promised = check.compared.iter().find(|compared| compared.what == promised);
        let promised = promised.map_or(0, |compared| compared.count);
        if self.orders != promised {
            let orders = self.orders;
            self.faults.push(format!("{promised} orders are known of, and {orders} are there"));
        }
        Ok(())
    }

    pub(super) fn differences(&self) -> u64 {
        self.differences + self.faults.len() as u64
    }

    /// The gap at a part of all losses, in milliseconds.
    pub(super) fn quantile_ms(&self, quantile: f64) -> f64 {
        let mut gaps_ns = self.gaps_ns.clone();
        gaps_ns.sort_unstable();
        let last = gaps_ns.len().saturating_sub(1);
        let at = (quantile * last as f64).round() as usize;
        gaps_ns.get(at).map_or(f64::NAN, |gap_ns| *gap_ns as f64 / MS_NS)
    }

    pub(super) fn show(&self) {
        println!("{:>5} {:<8} {:>12} {:>10}", "loss", "node", "epochs", "gap ms");
        for (number, (loss, gap_ns)) in self.losses.iter().zip(&self.gaps_ns).enumerate() {
            let epochs = format!("{} -> {}", loss.epoch_before, loss.epoch_after);
            let (number, gap_ms) = (number + 1, *gap_ns as f64 / MS_NS);
            println!("{number:>5} {:<8} {epochs:>12} {gap_ms:>10.0}", loss.node);
        }
        println!("{:>10} {:>10} {:>10} {:>10}  gap ms", "p50", "p90", "p99", "max");
        let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|at| self.quantile_ms(at));
        println!("{p50:>10.0} {p90:>10.0} {p99:>10.0} {max:>10.0}");
        println!("journals compared at sequence {}: {} orders", self.sequence, self.orders);
        for fault in &self.faults {
            println!("NO {fault}");
        }
    }

    pub(super) fn write(&self, report: &Path) -> Result<(), BenchError> {
        let losses = self.losses.iter().zip(&self.gaps_ns).map(|(loss, gap_ns)| {
            json!({
                "node": loss.node,
                "at_s": loss.at_ns as f64 / 1e9,
                "epoch_before": loss.epoch_before,
                "epoch_after": loss.epoch_after,
                "gap_ms": *gap_ns as f64 / MS_NS,
                "stale_reads": loss.stale_reads,
            })
        });
        let told = json!({
            "losses": losses.collect::<Vec<_>>(),
            "gap_p50_ms": self.quantile_ms(0.5),
            "gap_max_ms": self.quantile_ms(1.0),
            "sequence": self.sequence,
            "orders": self.orders,
            "differences": self.differences(),
            "faults": self.faults,
        });
        let file = report.join("failover.json");
        fs::write(&file, format!("{told:#}\n"))
            .map_err(io_error(format!("write {}", file.display())))
    }
}

/// The state of a directory, at its end or at a sequence.
fn read(data: &Path, until: Option<Sequence>) -> Result<Replayed, BenchError> {
    replay::replay(data, From::NewestSnapshot, until, &mut |_| ()).map_err(|error| {
        BenchError::NotComparable { server: data.display().to_string(), fault: error.to_string() }
    })
}

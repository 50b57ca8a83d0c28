//! What is done to the writer, again and again, while orders keep coming.
//!
//! Owns when: not before all that an answer waits for are in sync. What it does to the orders is
//! for
//! `found`. Next: `nodes`.

use super::etcd::Members;
use super::how::How;
use super::nodes::{Nodes, PATIENCE};
use crate::error::BenchError;
use crate::load::now;
use crate::run::STEADY_SKU;
use doorbuster::client::{Client, Error, Options, Policy};
use rustix::process::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// How long a stopped writer stands still.
const STOPPED: Duration = Duration::from_secs(5);
/// How long it is asked afterwards whether it still thinks that it writes.
const ASKED: Duration = Duration::from_secs(1);

/// A writer that was lost.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    pub(super) node: String,
    /// In nanoseconds since the load began.
    pub(super) at_ns: u64,
    pub(super) epoch_before: u32,
    pub(super) epoch_after: u32,
    /// Reads that the old writer answered although another one wrote.
    pub(super) stale_reads: u64,
}

/// How writers are lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conductor {
    pub(super) how: How,
    pub(super) rest: Duration,
}

impl Conductor {
    /// Loses so many writers, each in turn; in the end all are there again.
    pub(super) fn lose(
        &self,
        times: u64,
        nodes: &mut Nodes,
        members: &mut Members,
        begun: Instant,
    ) -> Result<Vec<Loss>, BenchError> {
        let mut losses = Vec::new();
        for number in 1..=times {
            let before = nodes.whole()?;
            thread::sleep(self.rest);
            let node = nodes.find(&before.writer)?;
            let at_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let leader = self.begin(node, nodes, members)?;
            let after = nodes.wait_for("another writer", |register| {
                register.epoch > before.epoch && register.writer != before.writer
            })?;
            let stale_reads = self.end(node, nodes)?;
            if let Some(leader) = leader {
                members.restart(leader)?;
            }
            nodes.start(node)?;
            println!("{number}: {} was lost, {} writes on", before.writer, after.writer);
            losses.push(Loss {
                node: before.writer.to_string(),
                at_ns,
                epoch_before: before.epoch,
                epoch_after: after.epoch,
                stale_reads,
            });
        }
        nodes.whole()?;
        thread::sleep(self.rest);
        Ok(losses)
    }

    /// The writer is gone from here on. Tells which member of etcd went with it.
    fn begin(
        &self,
        node: usize,
        nodes: &mut Nodes,
        members: &mut Members,
    ) -> Result<Option<usize>, BenchError> {
        match self.how {
            How::Kill => nodes.process(node).kill(),
            How::Stop => nodes.process(node).signal(Signal::STOP)?,
            How::Handover => hand_over(node, nodes)?,
            How::EtcdLeader => {
                let leader = members.leader();
                if let Some(leader) = leader {
                    members.kill(leader);
                }
                nodes.process(node).kill();
                return Ok(leader);
            }
        }
        Ok(None)
    }

    /// Waits for the end of the old writer, where it was not killed.
    fn end(&self, node: usize, nodes: &mut Nodes) -> Result<u64, BenchError> {
        let stale_reads = match self.how {
            How::Kill | How::EtcdLeader => return Ok(0),
            How::Handover => 0,
            How::Stop => {
                thread::sleep(STOPPED);
                nodes.process(node).signal(Signal::CONT)?;
                stale_reads(node, nodes)?
            }
        };
        if nodes.process(node).ends_within(PATIENCE) {
            return Ok(stale_reads);
        }
        let server = format!("{}, which no longer writes,", nodes.name(node));
        Err(BenchError::Answer { server, answer: "no end of its process".to_owned() })
    }
}

fn client(node: usize, nodes: &Nodes) -> Result<Client, BenchError> {
    let options = Options { policy: Policy::once(), ..Options::default() };
    Ok(Client::new(&nodes.url(node), options)?)
}

fn hand_over(node: usize, nodes: &Nodes) -> Result<(), BenchError> {
    let client = client(node, nodes)?;
    match nodes.block_on(client.hand_over(None)) {
        // The register tells what became of it.
        Ok(_) | Err(Error::OutcomeUnknown { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Asks a writer that was replaced while it stood still: it may refuse or be silent.
fn stale_reads(node: usize, nodes: &Nodes) -> Result<u64, BenchError> {
    let client = client(node, nodes)?;
    let (begun, mut stale) = (now(), 0);
    while begun.elapsed() < ASKED {
        if nodes.block_on(client.sku(STEADY_SKU)).is_ok() {
            stale += 1;
        }
    }
    Ok(stale)
}

//! What the nodes of a cluster say of themselves, over HTTP, and what is on the disk of the own
//! one.
//!
//! Owns where each is asked: at the URL that the register knows, or the command line names. Changes
//! nothing but by `hand_over`. Next: `doorbuster::client`.

use super::arbiter::Cluster;
use super::asking::{Asking, End};
use crate::inspect::{self, Trouble};
use doorbuster::client::{Client, Error, Options, Policy, Status};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::register::Register;
use std::path::Path;

/// The token, as the other tools look for it.
const TOKEN_VARIABLE: &str = "DOORBUSTER_TOKEN";
/// A node that is there answers within this.
const STATUS_MS_MAX: u64 = 3_000;
/// A handover waits until all is settled.
const HANDOVER_MS_MAX: u64 = 30_000;

/// A node, and what is known of it.
#[derive(Debug)]
pub(super) struct KnownNode {
    pub(super) node: Name,
    pub(super) url: Option<String>,
    /// What it says of itself, if it runs; otherwise why nothing is heard of it.
    pub(super) status: Result<Box<Status>, String>,
    /// What is on its disk: read here, or told by the operator.
    pub(super) on_disk: Option<End>,
}

impl KnownNode {
    /// The last record that it holds, if that is known: exactly where its disk was read or where it
    /// writes, at least where it follows.
    pub(super) fn end(&self) -> Option<End> {
        let of_status = |status: &Status| {
            let epoch = u32::try_from(status.epoch).ok().filter(|epoch| *epoch > 0)?;
            Some(End { epoch, sequence: status.durable_seq.max(status.seq) })
        };
        self.on_disk.or_else(|| self.status.as_deref().ok().and_then(of_status))
    }

    /// The same where it is exact: a node that follows tells what is settled, and may hold more.
    pub(super) fn exact_end(&self) -> Option<End> {
        if self.writes() { self.end() } else { self.on_disk }
    }

    /// Why it is not known what it holds.
    pub(super) fn why(&self) -> String {
        let node = &self.node;
        match &self.status {
            Err(why) => why.clone(),
            Ok(_) => format!(
                "{node} runs and follows, so only its disk tells what it holds: stop it, and tell \
                 with --end {node}=EPOCH-SEQ what `journal info` shows there"
            ),
        }
    }

    /// It runs.
    pub(super) fn runs(&self) -> bool {
        self.status.is_ok()
    }

    /// It runs and decides.
    pub(super) fn writes(&self) -> bool {
        self.status.as_ref().is_ok_and(|status| status.role == "writer")
    }
}

/// A client of one node.
fn client(url: &str, asking: &Asking, policy: Policy) -> Result<Client, Trouble> {
    let token = std::env::var(TOKEN_VARIABLE).ok();
    let options = Options { token, authorities: asking.ca.clone(), policy };
    Client::new(url, options).map_err(|error| Trouble::Usage(error.to_string()))
}

/// Where clients reach a node.
pub(super) fn url<'a>(
    node: &Name,
    register: Option<&'a Register>,
    asking: &'a Asking,
) -> Option<&'a String> {
    let named = asking.urls.iter().find(|(name, _)| name == node).map(|(_, url)| url);
    named.or_else(|| register?.urls.get(node))
}

/// Asks every node of the list, all at once. Of the own one the disk is read as well.
pub(super) async fn ask_all(
    cluster: &Cluster,
    register: Option<&Register>,
    asking: &Asking,
    data: &Path,
) -> Result<Vec<KnownNode>, Trouble> {
    let policy = Policy { attempt_ms_max: STATUS_MS_MAX, ..Policy::once() };
    let mut waiting = Vec::new();
    for (_, node, _) in cluster.nodes()?.iter() {
        let url = url(node, register, asking).cloned();
        let client = url.as_deref().map(|url| client(url, asking, policy)).transpose()?;
        let status = client.map(|client| tokio::spawn(async move { client.status().await }));
        waiting.push((node.clone(), url, status));
    }
    let mut all = Vec::new();
    for (node, url, status) in waiting {
        let status = match status {
            None => Err(format!(
                "{node} cannot be asked: name where clients reach it with --url {node}=http://…, \
                 or, if it is stopped, with --end {node}=EPOCH-SEQ what `journal info` shows there"
            )),
            Some(status) => match status.await {
                Ok(Ok(status)) => Ok(Box::new(status)),
                Ok(Err(error)) => Err(silent(&node, &error)),
                Err(error) => Err(error.to_string()),
            },
        };
        let told = asking.ends.iter().find(|(name, _)| *name == node).map(|(_, end)| *end);
        let own = cluster.config.cluster.node.as_ref() == Some(&node);
        let on_disk = if own { read_disk(cluster, data)? } else { None };
        all.push(KnownNode { node, url, status, on_disk: on_disk.or(told) });
    }
    Ok(all)
}

fn silent(node: &Name, error: &Error) -> String {
    match error {
        Error::NotReached { cause, .. } => format!("{node} does not answer: {cause}"),
        error => format!("{node} does not tell how it stands: {error}"),
    }
}

/// Where the journal of the own node ends, if its directory is here.
fn read_disk(cluster: &Cluster, data: &Path) -> Result<Option<End>, Trouble> {
    if cluster.kept(data)?.is_none() {
        return Ok(None);
    }
    match inspect::end(data) {
        Ok((epoch, sequence)) => Ok(Some(End { epoch, sequence })),
        Err(Trouble::NotThere(_)) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Has a node hand over. An answer that was lost is no trouble: the register tells what became of
/// it.
pub(super) async fn hand_over(
    url: &str,
    to: Option<&Name>,
    asking: &Asking,
) -> Result<(), Trouble> {
    let policy =
        Policy { attempt_ms_max: HANDOVER_MS_MAX, deadline_ms: HANDOVER_MS_MAX, ..Policy::once() };
    match client(url, asking, policy)?.hand_over(to.map(Name::as_str)).await {
        Ok(_) | Err(Error::OutcomeUnknown { .. }) => Ok(()),
        Err(Error::Refused(problem)) if problem.status == 401 => Err(Trouble::NotThere(format!(
            "{url} lets nobody in without a token: put one of the role admin into {TOKEN_VARIABLE}"
        ))),
        Err(Error::Refused(problem)) => Err(Trouble::NotThere(format!(
            "{url} does not hand over: {} ({})",
            problem.detail, problem.code
        ))),
        Err(error) => Err(Trouble::Unreadable(format!("{url}: {error}"))),
    }
}

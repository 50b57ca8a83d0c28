//! How nodes are asked, and how far one is, as the command line takes both. Never asks.

use clap::Args;
use doorbuster::cluster::node::{Name, NodeError};
use doorbuster::domain::model::ids::Sequence;
use std::fmt;
use std::path::PathBuf;

/// How nodes are asked.
#[derive(Args)]
pub(crate) struct Asking {
    /// Where clients reach a node, as n1=http://10.0.0.1:7070; before what the register says
    #[arg(long = "url", value_name = "NODE=URL", value_parser = node_url)]
    pub(crate) urls: Vec<(Name, String)>,
    /// How far the journal of a stopped node is, as `journal info` shows it there: n2=5-1234
    #[arg(long = "end", value_name = "NODE=EPOCH-SEQ", value_parser = node_end)]
    pub(crate) ends: Vec<(Name, End)>,
    /// PEM file of the certificate authorities to believe, for https [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// The name of a node.
pub(crate) fn node(text: &str) -> Result<Name, NodeError> {
    Name::parse(text)
}

fn node_url(text: &str) -> Result<(Name, String), String> {
    let (node, url) = text.split_once('=').ok_or("must be of the form n1=http://10.0.0.1:7070")?;
    Ok((Name::parse(node).map_err(|error| error.to_string())?, url.to_owned()))
}

fn node_end(text: &str) -> Result<(Name, End), String> {
    let (node, end) = text.split_once('=').ok_or("must be of the form n2=5-1234")?;
    Ok((Name::parse(node).map_err(|error| error.to_string())?, End::parse(end)?))
}

/// How far a journal is: the epoch and the sequence of its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) epoch: u32,
    pub(crate) sequence: Sequence,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

impl End {
    /// Takes what `Display` writes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be an epoch and a sequence, as 5-1234".to_owned();
        let (epoch, sequence) = text.split_once('-').ok_or_else(wrong)?;
        let sequence = sequence.parse().map_err(|_| wrong())?;
        Ok(Self { epoch: epoch.parse().map_err(|_| wrong())?, sequence })
    }

    /// The first record that it does not have.
    pub(crate) fn lost_from(self) -> Self {
        Self { sequence: self.sequence + 1, ..self }
    }
}

//! The command line.
//!
//! Owns its words. Next: `config`, which it names.

use crate::dead::DeadCommand;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Brings what Doorbuster decides into databases, streams and services
#[derive(Debug, Parser)]
#[command(name = "doorbuster-sink", version)]
pub(crate) struct Arguments {
    /// The configuration, in TOML
    #[arg(long, global = true, default_value = "sink.toml")]
    pub(crate) config: PathBuf,
    /// Lines for the operator as JSON
    #[arg(long)]
    pub(crate) log_json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Looks whether the server and all targets can be reached and let us write; writes nothing
    Check,
    /// Events that did not get there
    #[command(subcommand)]
    Dead(DeadCommand),
}

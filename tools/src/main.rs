//! `doorbusterctl`: what an operator asks of a data directory.
//!
//! All but `snapshot create` only look: they change no byte, take no lock, and run beside a live
//! server.
//! Exit codes: 0 good, 1 damage found, 2 usage, 3 cannot read. Next: `look`, `show`.
#![forbid(unsafe_code)]

mod images;
mod look;
mod progress;
mod show;

use clap::{Parser, Subcommand};
use doorbuster::replay::From;
use std::path::PathBuf;
use std::process::ExitCode;

/// Look into a data directory of Doorbuster.
#[derive(Parser)]
#[command(name = "doorbusterctl", version)]
struct Arguments {
    /// The data directory
    #[arg(long, global = true, default_value = "./data", value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look at the journal
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Apply the events of the journal and print what comes of it
    Replay {
        /// End at the last frame that holds nothing beyond this sequence
        #[arg(long, value_name = "SEQ")]
        until: Option<u64>,
        /// Begin at the first event, not at the newest image
        #[arg(long)]
        from_genesis: bool,
    },
    /// Look at the images, or take one
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
}

#[derive(Subcommand)]
enum SnapshotCommand {
    /// Print them, newest first
    List,
    /// Read every byte of each
    Verify,
    /// Take one of everything the journal holds; the server must not run
    Create,
}

#[derive(Subcommand)]
enum JournalCommand {
    /// Print its segments and where it ends
    Info,
    /// Check every byte that is used, and that the records make sense
    Verify,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let looked = match arguments.command {
        Command::Journal(JournalCommand::Info) => look::info(&arguments.data),
        Command::Journal(JournalCommand::Verify) => look::verify(&arguments.data),
        Command::Replay { until, from_genesis } => {
            let from = if from_genesis { From::Genesis } else { From::NewestImage };
            look::replay(&arguments.data, &look::Span { from, until })
        }
        Command::Snapshot(SnapshotCommand::List) => images::list(&arguments.data),
        Command::Snapshot(SnapshotCommand::Verify) => images::verify(&arguments.data),
        Command::Snapshot(SnapshotCommand::Create) => images::create(&arguments.data),
    };
    match looked {
        Ok(findings) => {
            show::print(&findings, arguments.json);
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            show::complain(&trouble, arguments.json);
            ExitCode::from(trouble.code())
        }
    }
}

//! `doorbusterctl`: what an operator asks of a data directory.
//!
//! The commands here only look: they change no byte, take no lock, and run beside a live server.
//! Exit codes: 0 good, 1 damage found, 2 usage, 3 cannot read. Next: `look`, `show`.
#![forbid(unsafe_code)]

mod look;
mod show;

use clap::{Parser, Subcommand};
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
    /// Apply every event of the journal and print what comes of it
    Replay,
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
        Command::Replay => look::replay(&arguments.data),
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

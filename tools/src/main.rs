//! `doorbusterctl`: what an operator asks of a data directory.
//!
//! All but `snapshot create` and an accepted `journal repair` only look: they change no byte, take
//! no lock, and run beside a live server.
//! Exit codes: 0 good, 1 damage or a difference found, or what was asked for is not there, 2 usage,
//! 3 cannot read. Next: `look`, `show`.
#![forbid(unsafe_code)]
// A reader who goes away early must not cause a panic: see `show`.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod again;
mod draw;
mod dump;
mod events;
mod images;
mod instant;
mod look;
mod lookup;
mod mend;
mod progress;
mod show;
mod token;

use clap::{Args, Parser, Subcommand};
use doorbuster::domain::ids::PrincipalName;
use doorbuster::replay::{From, Until};
use look::{Findings, Span, Trouble};
use mend::Accepted;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Look into a data directory of Doorbuster.
#[derive(Parser)]
#[command(name = "doorbusterctl", version)]
struct Arguments {
    /// The data directory
    #[arg(long, global = true, default_value = "./data", value_name = "DIR")]
    data: PathBuf,
    /// Print JSON instead of text: one object, from `journal dump` one a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look at the journal, or repair it
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Apply the events of the journal and print what comes of it
    Replay {
        #[command(flatten)]
        reach: Reach,
        /// Decide again every command that made an event, and compare
        #[arg(long)]
        recheck: bool,
    },
    /// Look at the images, or take one
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Print an order and what happened to it
    Order {
        /// Its id, `<epoch>-<sequence>`
        id: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Print a SKU with its counts and settings
    Sku {
        /// Its id
        id: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Look at draws
    #[command(subcommand)]
    Draw(DrawCommand),
    /// Make tokens
    #[command(subcommand)]
    Token(TokenCommand),
}

/// How much of the history counts.
#[derive(Args)]
struct Reach {
    /// End behind this sequence, or behind the last event at or before this instant of RFC 3339
    #[arg(long, value_name = "SEQ|TIME", value_parser = instant::until)]
    until: Option<Until>,
    /// Begin at the first event, not at the newest image
    #[arg(long)]
    from_genesis: bool,
}

impl Reach {
    fn span(&self) -> Span {
        let from = if self.from_genesis { From::Genesis } else { From::NewestImage };
        Span { from, until: self.until.unwrap_or(Until::End) }
    }
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
    /// Print every record and whatever else is there, also of a damaged journal
    Dump {
        /// Records from this sequence on
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        from: u64,
        /// Records up to this sequence
        #[arg(long, value_name = "SEQ", default_value_t = u64::MAX, hide_default_value = true)]
        to: u64,
    },
    /// Check every byte that is used, and that the records make sense
    Verify,
    /// Print what a repair would lose; with that accepted, repair. The server must not run
    Repair {
        /// Give up everything that the repair cannot keep
        #[arg(long, conflicts_with = "accept_loss_from")]
        accept_tail_loss: bool,
        /// Give up everything from this sequence on; refused if more or less would be lost
        #[arg(long, value_name = "SEQ")]
        accept_loss_from: Option<u64>,
    },
}

#[derive(Subcommand)]
enum DrawCommand {
    /// Work out every pick again from the seed, and check every reason against the journal
    Verify {
        /// Its id
        id: String,
        /// The commitment as it was published, to be compared with the seed
        #[arg(long, value_name = "HEX")]
        commitment: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Print a fresh token, once, and the entry to add to the tokens' file
    New {
        /// Whose it is; tokens of one name share orders and keys
        #[arg(long, value_parser = token::name)]
        name: PrincipalName,
        /// What it may do
        #[arg(long)]
        role: token::Role,
        /// How its requests are treated
        #[arg(long)]
        class: Option<token::Class>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Where the system has no handler to give, such a limit ends a repair without a word.
    let _ = doorbuster::signals::outlive_file_limit();
    if let Command::Journal(JournalCommand::Dump { from, to }) = arguments.command {
        return match dump::show(&arguments.data, from..=to, arguments.json) {
            Ok(whole) => ExitCode::from(u8::from(!whole)),
            Err(trouble) => failed(&trouble, arguments.json),
        };
    }
    match run(&arguments.data, arguments.command) {
        Ok(findings) => {
            show::print(&findings, arguments.json);
            ExitCode::from(u8::from(findings.wrong))
        }
        Err(trouble) => failed(&trouble, arguments.json),
    }
}

fn failed(trouble: &Trouble, as_json: bool) -> ExitCode {
    show::complain(trouble, as_json);
    ExitCode::from(trouble.code())
}

fn run(data: &Path, command: Command) -> Result<Findings, Trouble> {
    match command {
        Command::Journal(JournalCommand::Info) => look::info(data),
        Command::Journal(JournalCommand::Verify) => look::verify(data),
        Command::Journal(JournalCommand::Dump { .. }) => unreachable!("it was taken before"),
        Command::Journal(JournalCommand::Repair { accept_tail_loss, accept_loss_from }) => {
            let accepted = match (accept_tail_loss, accept_loss_from) {
                (_, Some(sequence)) => Accepted::From(sequence),
                (true, None) => Accepted::Tail,
                (false, None) => Accepted::Nothing,
            };
            mend::mend(data, accepted)
        }
        Command::Replay { reach, recheck: true } => again::recheck(data, reach.span()),
        Command::Replay { reach, recheck: false } => look::replay(data, reach.span()),
        Command::Snapshot(SnapshotCommand::List) => images::list(data),
        Command::Snapshot(SnapshotCommand::Verify) => images::verify(data),
        Command::Snapshot(SnapshotCommand::Create) => images::create(data),
        Command::Order { id, reach } => lookup::order(data, &id, reach.span()),
        Command::Sku { id, reach } => lookup::sku(data, &id, reach.span()),
        Command::Draw(DrawCommand::Verify { id, commitment, reach }) => {
            draw::verify(data, &id, commitment.as_deref(), reach.span())
        }
        Command::Token(TokenCommand::New { name, role, class }) => token::new(&name, role, class),
    }
}

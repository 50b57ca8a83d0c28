//! `doorbusterctl`: what an operator asks of a data directory.
//!
//! All but `snapshot create`, an accepted `journal repair` and `restore` only look: they change no
//! byte of it, take no lock, and run beside a live server.
//! Exit codes: 0 good, 1 damage or a difference found, or what was asked for is not there, 2 usage,
//! 3 cannot read, or not write what was asked for. Next: `arguments`, `inspect`, `show`.
#![forbid(unsafe_code)]
// A reader who goes away early must not cause a panic: see `show`.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod arguments;
mod backup;
mod cluster;
mod draw;
mod dump;
mod events;
mod explain;
mod get;
mod inspect;
mod instant;
mod manual;
mod members;
mod printable;
mod progress;
mod recheck;
mod refusals;
mod repair;
mod show;
mod snapshots;
mod token;

use arguments::{
    Arguments, ClusterCommand, Command, DrawCommand, JournalCommand, SnapshotCommand, TokenCommand,
};
use doorbuster::process::output;
use inspect::{Findings, Trouble};
use repair::Accepted;
use std::path::Path;
use std::process::ExitCode;

const PROGRAM: &str = "doorbusterctl";

fn main() -> ExitCode {
    // Where the system has no handler to give, such a limit ends the process without a word.
    let _ = doorbuster::process::signals::outlive_file_limit();
    let Arguments { data, json, command } = match output::parse(PROGRAM) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if let Err(told) = command.check() {
        return output::refuse(PROGRAM, &told);
    }
    let ended = match command {
        Command::Journal(JournalCommand::Dump { from, to }) => dump::show(&data, from..=to, json),
        Command::Completions { shell } => manual::completions(shell).map(|()| true),
        Command::Man { to } => manual::pages(to.as_deref()).map(|()| true),
        Command::Explain { wanted, reach } => explain::explain(&data, wanted, reach.span())
            .and_then(|story| explain::print(&story, json).map(|()| true)),
        command => run(&data, command).and_then(|findings| {
            show::print(&findings, json)?;
            Ok(!findings.wrong)
        }),
    };
    ExitCode::from(match ended {
        Ok(good) => u8::from(!good),
        Err(trouble) => show::complain(&trouble, json),
    })
}

fn run(data: &Path, command: Command) -> Result<Findings, Trouble> {
    match command {
        Command::Journal(JournalCommand::Info) => inspect::info(data),
        Command::Journal(JournalCommand::Verify) => inspect::verify(data),
        Command::Journal(JournalCommand::Repair { accept_tail_loss, accept_loss_from }) => {
            let accepted = match (accept_tail_loss, accept_loss_from) {
                (_, Some(sequence)) => Accepted::From(sequence),
                (true, None) => Accepted::Tail,
                (false, None) => Accepted::Nothing,
            };
            repair::repair_journal(data, accepted)
        }
        Command::Replay { reach, recheck: true } => recheck::recheck(data, reach.span()),
        Command::Replay { reach, recheck: false } => inspect::replay(data, reach.span()),
        Command::Snapshot(SnapshotCommand::List) => snapshots::list(data),
        Command::Snapshot(SnapshotCommand::Verify) => snapshots::verify(data),
        Command::Snapshot(SnapshotCommand::Create) => snapshots::create(data),
        Command::Order { id, reach } => get::order(data, &id, reach.span()),
        Command::Sku { id, reach } => get::sku(data, &id, reach.span()),
        Command::Draw(DrawCommand::Verify { id, commitment, reach }) => {
            draw::verify(data, &id, commitment.as_deref(), reach.span())
        }
        Command::Backup { to, history, rate_mb } => {
            backup::backup(data, &to, rate_mb * BYTES_PER_MB, history)
        }
        Command::Restore { from, until, rate_mb } => {
            let bytes_per_s = rate_mb.map(|rate_mb| rate_mb * BYTES_PER_MB);
            backup::restore(&from, data, until, bytes_per_s)
        }
        Command::Cluster { config, command } => run_cluster(data, config.as_deref(), command),
        Command::Token(TokenCommand::New { name, role, class, expires_at }) => {
            token::new(&name, role, class, expires_at)
        }
        Command::Journal(JournalCommand::Dump { .. })
        | Command::Explain { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => unreachable!("it was taken before"),
    }
}

fn run_cluster(
    data: &Path,
    config: Option<&Path>,
    command: ClusterCommand,
) -> Result<Findings, Trouble> {
    match command {
        ClusterCommand::Init => cluster::init(data, config),
        ClusterCommand::Status => cluster::status(config),
        ClusterCommand::Handover { to, asking } => cluster::handover(config, to.as_ref(), &asking),
        ClusterCommand::Takeover { to, yes, asking } => {
            cluster::takeover(data, config, to.as_ref(), yes, &asking)
        }
        ClusterCommand::Force { node, accept_loss_from, asking } => {
            cluster::force(data, config, &node, accept_loss_from, &asking)
        }
        ClusterCommand::Restore { yes, asking } => cluster::restore(data, config, yes, &asking),
        ClusterCommand::Forget { node, yes, asking } => {
            cluster::forget(data, config, &node, yes, &asking)
        }
    }
}

const BYTES_PER_MB: u64 = 1_000_000;

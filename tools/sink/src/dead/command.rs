//! `doorbuster-sink dead list|retry|drop`.
//!
//! Owns what an operator sees of dead letters and may ask for. Sends and forgets nothing itself: the
//! sink does, within a second or at its next start. Next: `letters`.

use super::letters::Letters;
use super::record::{Fate, Request};
use crate::config::Config;
use std::fmt::Write;

/// What an operator wants.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub(crate) enum DeadCommand {
    /// Shows the events that did not get there, and why
    List {
        /// Of this sink only
        #[arg(long)]
        sink: Option<String>,
    },
    /// Has them sent again, in their order
    Retry {
        /// Whose letters
        #[arg(long)]
        sink: String,
        /// Only those that hang together with this subject, such as orders/7k3v9q2m-17
        #[arg(long)]
        subject: Option<String>,
    },
    /// Gives them up: the target never gets them
    Drop {
        /// Whose letters
        #[arg(long)]
        sink: String,
        /// Only those that hang together with this subject, such as orders/7k3v9q2m-17
        #[arg(long)]
        subject: Option<String>,
    },
}

/// Does it, and gives what to print.
pub(crate) fn run(config: &Config, command: &DeadCommand) -> Result<String, String> {
    match command {
        DeadCommand::List { sink } => list(config, sink.as_deref()),
        DeadCommand::Retry { sink, subject } => ask(config, sink, Fate::Retry, subject.clone()),
        DeadCommand::Drop { sink, subject } => ask(config, sink, Fate::Drop, subject.clone()),
    }
}

fn open(config: &Config, sink: &str) -> Result<Letters, String> {
    if config.sink(sink).is_none() {
        return Err(format!("the configuration has no sink {sink:?}"));
    }
    let directory = &config.state.directory;
    let failed = |cause| format!("{}: {cause}", directory.display());
    Letters::open(directory, sink).map_err(failed)
}

fn list(config: &Config, only: Option<&str>) -> Result<String, String> {
    let mut text = String::new();
    let all = config.sinks.iter().map(|sink| sink.name.as_str());
    for sink in only.map_or_else(|| all.collect(), |sink| vec![sink]) {
        let letters = open(config, sink)?;
        for (_, letter) in letters.all() {
            let event = &letter.event;
            let (id, kind, subject) = (&event.id, &event.kind, &event.subject);
            // An error may have line feeds; a letter is one line.
            let error = letter.error.replace(['\n', '\t'], " ");
            let _ = writeln!(text, "{sink}\t{id}\t{kind}\t{subject}\t{}\t{error}", letter.at);
        }
    }
    Ok(text)
}

fn ask(config: &Config, sink: &str, fate: Fate, subject: Option<String>) -> Result<String, String> {
    let mut letters = open(config, sink)?;
    let request = Request { fate, subject };
    let count = letters.chosen(&request).len();
    if count == 0 {
        return Ok("no letters\n".to_owned());
    }
    let failed = |cause| format!("{}: {cause}", config.state.directory.display());
    letters.ask(request).map_err(failed)?;
    let what = match fate {
        Fate::Retry => "to be sent again",
        Fate::Drop => "to be dropped",
    };
    Ok(format!("{count} letters {what}, by the running sink within a second or at its start\n"))
}

//! `doorbuster-sink`: what Doorbuster decides, in the shop's own databases, streams and services.
//!
//! Follows the public feed, and nothing else of a server. Exit codes: 0 good, 1 a sink has stopped
//! or a check found something, 2 usage, 3 the configuration cannot be read. Next: `run`, `worker`,
//! `sink`.
#![forbid(unsafe_code)]
// A reader who goes away early must not cause a panic.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod alert;
mod arguments;
mod check;
mod config;
mod dead;
mod event;
mod failure;
mod file;
mod instant;
#[cfg(feature = "kafka")]
mod kafka;
mod listen;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "nats")]
mod nats;
mod place;
mod post;
#[cfg(feature = "postgres")]
mod postgres;
mod run;
mod sink;
mod source;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod tables;
mod targets;
#[cfg(test)]
mod testing;
#[cfg(any(feature = "nats", feature = "postgres"))]
mod tls;
mod webhook;
mod worker;

use arguments::{Arguments, Command};
use config::Config;
use doorbuster::config::{LogFormat, LogLevel, LogSettings};
use doorbuster::process::{log, output};
use std::io::Write;
use std::process::ExitCode;
use tokio::runtime::Builder;

const PROGRAM: &str = "doorbuster-sink";
/// All sinks share these; none of them computes for long.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let arguments: Arguments = match output::parse(PROGRAM) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let config = match Config::read(&arguments.config) {
        Ok(config) => config,
        Err(told) => return complain(&told, 3),
    };
    if let Some(Command::Dead(command)) = &arguments.command {
        return match dead::run(&config, command) {
            Ok(text) => print(&text, true),
            Err(told) => complain(&told, 1),
        };
    }
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(cause) => return complain(&cause.to_string(), 1),
    };
    if arguments.command.is_some() {
        let (text, good) = runtime.block_on(check::check(&config));
        return print(&text, good);
    }
    let format = if arguments.log_json { LogFormat::Json } else { LogFormat::Text };
    if let Err(cause) = log::start(LogSettings { format, level: LogLevel::Info }) {
        return complain(&cause.to_string(), 1);
    }
    let ended = runtime.block_on(run::run(config, arguments.config));
    runtime.shutdown_background();
    log::flush();
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(told) => complain(&told, 1),
    }
}

fn print(text: &str, good: bool) -> ExitCode {
    match output::print(text) {
        Ok(()) => ExitCode::from(u8::from(!good)),
        Err(cause) => complain(&output::reason(&cause), output::UNWRITTEN),
    }
}

fn complain(told: &str, code: u8) -> ExitCode {
    // What cannot be told there cannot be told.
    let _ = writeln!(std::io::stderr().lock(), "{PROGRAM}: {told}");
    ExitCode::from(code)
}

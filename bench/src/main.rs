//! Measures Doorbuster against what else could be there, in one run on one machine.
//!
//! Today: `peers`, the CPU that a server spends on a durable order against a bare hyper that
//! answers the same bytes; `engine`, the rules, the journal and the replay by themselves; `images`,
//! what buyers feel of them; `idle`. Never says a number without its conditions. Next: `peers`,
//! `load`.
#![forbid(unsafe_code)]

mod bare;
mod engine;
mod error;
mod idle;
mod images;
mod load;
mod peers;
mod server;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Load and latency reports for Doorbuster.
#[derive(Parser)]
#[command(name = "doorbuster-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare servers in one run: throughput, latency, CPU of the server per request
    Peers(peers::Options),
    /// Measure the engine without network and syncs, replay, and memory
    Engine(engine::Options),
    /// Compare durable orders while images are taken with those while none are; and the memory
    Images(images::Options),
    /// Measure the CPU time of a server that nobody asks anything
    Idle(idle::Options),
    /// Serve fixed bytes with hyper and nothing else; what `peers` compares with
    #[command(hide = true)]
    Bare,
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Peers(options) => peers::run(&options),
        Command::Engine(options) => engine::run(&options),
        Command::Images(options) => images::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::Bare => bare::serve(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("doorbuster-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

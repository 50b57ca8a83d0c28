//! Measures Doorbuster against what else could be there, in one run on one machine.
//!
//! Today: `bars`, every bar of the design in one table; `peers`, throughput, latency and CPU of a
//! durable order against bare hyper, Redis and PostgreSQL; `engine`, the rules, the journal and the
//! replay by themselves; `batch`, durable decisions a second in batches; `restart`, how long a
//! start takes after a long history; `feed`, what followers cost; `images`, what buyers feel of
//! them; `crowd`, what they feel of thousands of idle and slow connections; `tables` and `sizes`,
//! what full tables take and do; `overload`, a crowd of many times the capacity; `stall`, a writer
//! that stands still; `slow-disk`, syncs that take long; `strangers`, ten million unknown names;
//! `attack`, what attackers do beside an honest client; `failover`, how long a sale stands still
//! when
//! its writer is lost; `idle`; `run`, load of a kind on a server that is there, and `report` of
//! what that left behind. Never says a number without its conditions. Next: `run`, `bars`, `peers`.
#![forbid(unsafe_code)]

// Before all others: they write with its macros.
#[macro_use]
mod out;

mod arguments;
mod attack;
mod bare;
mod bars;
mod batch;
mod crowd;
mod engine;
mod error;
mod failover;
mod feed;
mod idle;
mod images;
mod load;
mod memory;
mod overload;
mod peers;
mod protocol;
mod report;
mod restart;
mod run;
mod server;
mod slow_disk;
mod stall;
mod strangers;
mod tables;

use clap::{CommandFactory as _, Parser, Subcommand};
use doorbuster::process::output;
use signal_hook::consts::SIGXFSZ;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

const NOTES: &str = "\
Exit codes: 0 good; 1 a difference was found, or a bar does not hold; 2 usage; 3 it could not be
measured, or its output not be written.

Environment: DOORBUSTER_URL and DOORBUSTER_TOKEN are the server and the token of `run`.

Examples:
  doorbuster-bench run --url http://127.0.0.1:7070 --scenario flash-sale --rate 5000 --duration 20 \\
      --connections 64 --report report
  doorbuster-bench bars
  doorbuster-bench report diff report-before report-after";

/// Load and latency reports for Doorbuster.
#[derive(Parser)]
#[command(name = "doorbuster-bench", version, after_help = NOTES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Hold every bar of the design against this machine, in one table
    Bars(bars::Options),
    /// Compare servers in one run: throughput, latency, CPU of the server per request
    Peers(peers::Options),
    /// Measure the engine without network and syncs, replay, and memory
    Engine(engine::Options),
    /// Compare durable orders while images are taken with those while none are; and the memory
    Images(images::Options),
    /// Measure the CPU time of a server that nobody asks anything
    Idle(idle::Options),
    /// Measure how long a start takes after millions of orders and a kill
    Restart(restart::Options),
    /// Measure durable decisions a second in batches
    Batch(batch::Options),
    /// Measure what followers of the feed cost those who order
    Feed(feed::Options),
    /// Hold thousands of idle and slow connections open while others buy
    Crowd(crowd::Options),
    /// Fill every table, offer far more, and hold the memory to the sizing table
    Tables(tables::Options),
    /// Measure what a row of each table takes in memory
    Sizes(tables::sizes::Options),
    /// Offer many times what can be served, and see who is served, who is told, and the return
    Overload(overload::Options),
    /// Let the writer stand still under load, and see what those hear who come, and the return
    Stall(stall::Options),
    /// Let every data sync take long, and see what a crowd gets of the shared ones
    SlowDisk(slow_disk::Options),
    /// Offer ten million names that nobody knows, and watch the memory
    Strangers(strangers::Options),
    /// Attack a server by every known way, each beside an honest client
    Attack(attack::Options),
    /// Lose one writer of a cluster after another, and see how long a sale stands still
    Failover(failover::Options),
    /// Load a server at a rate and report the latencies that a crowd would have suffered
    Run(run::Options),
    /// Merge or compare what `run` left behind
    #[command(subcommand)]
    Report(report::Command),
    /// Print what makes a shell complete these commands
    Completions {
        /// Whose
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one of every command
    Man {
        /// Where the pages go; a directory that is there
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Serve fixed bytes with hyper and nothing else; what `peers` compares with
    #[command(hide = true)]
    Bare(bare::Options),
}

fn main() -> ExitCode {
    // A limit on the size of files is an error of a write, not the end of the process. Where the
    // system refuses even this, it stays what it was.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let arguments: Arguments = match output::parse("doorbuster-bench") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let ended = match arguments.command {
        Command::Bars(options) => bars::run(&options),
        Command::Peers(options) => peers::run(&options),
        Command::Engine(options) => engine::run(&options),
        Command::Images(options) => images::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::Restart(options) => restart::run(&options),
        Command::Batch(options) => batch::run(&options),
        Command::Feed(options) => feed::run(&options),
        Command::Crowd(options) => crowd::run(&options),
        Command::Tables(options) => tables::run(&options),
        Command::Sizes(options) => tables::sizes::run(&options),
        Command::Overload(options) => overload::run(&options),
        Command::Stall(options) => stall::run(&options),
        Command::SlowDisk(options) => slow_disk::run(&options),
        Command::Strangers(options) => strangers::run(&options),
        Command::Attack(options) => attack::run(&options),
        Command::Failover(options) => failover::run(&options),
        Command::Run(options) => run::run(&options),
        Command::Report(command) => report::run(&command),
        Command::Completions { shell } => arguments::completions(Arguments::command(), shell),
        Command::Man { to } => arguments::pages(Arguments::command(), to.as_deref()),
        Command::Bare(options) => bare::serve(&options),
    };
    let code = match ended {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("doorbuster-bench: {error}");
            error.exit_code()
        }
    };
    match out::failure() {
        None => ExitCode::from(code),
        Some(cause) => {
            eprintln!("doorbuster-bench: {}", output::reason(&cause));
            ExitCode::from(output::UNWRITTEN)
        }
    }
}

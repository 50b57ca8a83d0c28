//! Measures Doorbuster against what else could be there, in one run on one machine.
//!
//! Today: `bars`, every bar of the design in one table; `peers`, throughput, latency and CPU of a
//! durable order against bare hyper, Redis and PostgreSQL; `engine`, the rules, the journal and the
//! replay by themselves; `batch`, durable decisions a second in batches; `restart`, how long a start
//! takes after a long history; `feed`, what followers cost; `images`, what buyers feel of them;
//! `crowd`, what they feel of thousands of idle and slow connections; `tables` and `sizes`, what full
//! tables take and do; `overload`, a crowd of many times the capacity; `stall`, a writer that stands
//! still; `slow-disk`, syncs that take long; `strangers`, ten million unknown names; `idle`; `run`, load of a kind on a server that is there, and `report` of what that
//! left behind.
//! Never says a number without its conditions. Next: `run`, `bars`, `peers`.
#![forbid(unsafe_code)]

mod bare;
mod bars;
mod batch;
mod crowd;
mod dialect;
mod engine;
mod error;
mod feed;
mod idle;
mod images;
mod load;
mod memory;
mod overload;
mod peers;
mod report;
mod restart;
mod run;
mod server;
mod slow_disk;
mod stall;
mod strangers;
mod tables;

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
    /// Load a server at a rate and report the latencies that a crowd would have suffered
    Run(run::Options),
    /// Merge or compare what `run` left behind
    #[command(subcommand)]
    Report(report::Command),
    /// Serve fixed bytes with hyper and nothing else; what `peers` compares with
    #[command(hide = true)]
    Bare(bare::Options),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
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
        Command::Run(options) => run::run(&options),
        Command::Report(command) => report::run(&command),
        Command::Bare(options) => bare::serve(&options),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("doorbuster-bench: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

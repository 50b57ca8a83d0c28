//! What a server costs that nobody asks anything: its CPU time over some seconds.

use crate::arguments::at_least_one;
use crate::error::BenchError;
use crate::peers::{self, start};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to look.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds to look for
    #[arg(long, default_value_t = 10, value_parser = at_least_one::<u64>())]
    pub(crate) seconds: u64,
    /// The server's binary [default: beside this one]
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    measure(options, None).map(drop)
}

/// Prints the CPU time that was used meanwhile; its share of one core, of which 1 is all.
pub(crate) fn measure(options: &Options, data: Option<&Path>) -> Result<f64, BenchError> {
    let folder = peers::data_folder(data)?;
    let server = start::doorbuster(options.server.as_deref(), "group", folder.path())?;
    // Past the first seal and the first spare segment.
    std::thread::sleep(Duration::from_secs(2));
    let before = server.cpu_ns()?;
    std::thread::sleep(Duration::from_secs(options.seconds));
    let spent = server.cpu_ns()? - before;
    let share = spent as f64 / (options.seconds as f64 * 1e9);
    println!(
        "an idle server used {:.3} ms of CPU in {} s: {:.4} % of a core",
        spent as f64 / 1e6,
        options.seconds,
        share * 100.0
    );
    Ok(share)
}

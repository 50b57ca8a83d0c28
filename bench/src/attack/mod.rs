//! Attacks, each beside an honest client: what it met alone, what it met meanwhile, and a bar.
//!
//! Table of contents. What all share: `shop`, a server with its operator; `honest`, the client that
//! counts; `storm`, requests without a pause; `silent`, connections that say nothing; `found`, what
//! came of an attack. The attacks: places (`silent_tls`, `silence`), memory (`bodies`), the
//! writer's turns (`holds`), rows of tables (`tables`), the directory (`lock`), tokens that were
//! taken back (`revoked`), buckets (`users`), turns of an IO thread (`refusals`), metrics
//! (`labels`), disk (`journal`). Each file says what a server that falls for it does. Never asserts
//! a time at the short scale.

mod bodies;
mod found;
mod holds;
mod honest;
mod journal;
mod labels;
mod lock;
mod refusals;
mod revoked;
mod shop;
mod silence;
mod silent;
mod silent_tls;
mod storm;
mod tables;
mod users;

use crate::error::BenchError;
use crate::load::now;
use crate::peers;
use crate::report::conditions::{machine, today};
use found::Found;
use shop::{Plan, Shop};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which, how long, and how strict.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Attack>,
    /// How large: `short` takes a minute and judges counts and memory, no times; `full` judges all
    #[arg(long, value_enum, default_value_t = Scale::Full)]
    scale: Scale,
    /// Seconds that an attack goes on [default: 10, and half a second at the short scale]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: Option<u64>,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    strict: bool,
    /// The server's binary [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where its data goes [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// How large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scale {
    /// Small, and no bar is about time
    Short,
    /// As an attacker would
    Full,
}

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Attack {
    /// A thousand silent connections to a port with TLS, and 235 more a second
    SilentTls,
    /// Bodies of requests whose heads are refused, and then nothing
    Bodies,
    /// As many silent connections as there may be, and new ones all the time
    Silence,
    /// Holds whose uses an attacker chose to lie together, all due at one moment
    Holds,
    /// A principal that fills every table that it can
    Tables,
    /// Two servers on one directory, by every trick with its lock
    Lock,
    /// Batches, streams and connections that go on behind their token's end
    Revoked,
    /// More users than there are buckets, and newcomers behind them
    Users,
    /// The refusals that cost most
    Refusals,
    /// Orders of SKUs that do not exist
    Labels,
    /// Extensions and refusals without end, for the disk
    Journal,
}

impl Attack {
    const ALL: [Self; 11] = [
        Self::SilentTls,
        Self::Bodies,
        Self::Silence,
        Self::Holds,
        Self::Tables,
        Self::Lock,
        Self::Revoked,
        Self::Users,
        Self::Refusals,
        Self::Labels,
        Self::Journal,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::SilentTls => "silent-tls",
            Self::Bodies => "bodies",
            Self::Silence => "silence",
            Self::Holds => "holds",
            Self::Tables => "tables",
            Self::Lock => "lock",
            Self::Revoked => "revoked",
            Self::Users => "users",
            Self::Refusals => "refusals",
            Self::Labels => "labels",
            Self::Journal => "journal",
        }
    }

    fn run(self, stage: &Stage<'_>) -> Result<Found, BenchError> {
        match self {
            Self::SilentTls => silent_tls::run(stage),
            Self::Bodies => bodies::run(stage),
            Self::Silence => silence::run(stage),
            Self::Holds => holds::run(stage),
            Self::Tables => tables::run(stage),
            Self::Lock => lock::run(stage),
            Self::Revoked => revoked::run(stage),
            Self::Users => users::run(stage),
            Self::Refusals => refusals::run(stage),
            Self::Labels => labels::run(stage),
            Self::Journal => journal::run(stage),
        }
    }
}

/// What an attack may use.
struct Stage<'a> {
    options: &'a Options,
    folder: &'a Path,
}

impl Stage<'_> {
    fn is_short(&self) -> bool {
        self.options.scale == Scale::Short
    }

    /// What depends on the scale.
    fn of<T>(&self, short: T, full: T) -> T {
        if self.is_short() { short } else { full }
    }

    fn lasts(&self) -> Duration {
        let usual = self.of(Duration::from_millis(500), Duration::from_secs(10));
        self.options.seconds.map_or(usual, Duration::from_secs)
    }

    /// A server to be, with a folder of its own.
    fn plan(&self, name: &str, settings: &[(&'static str, String)]) -> Plan {
        let mut all = Vec::new();
        if self.is_short() {
            // A short life needs no more.
            all.push(("journal.segment_bytes", (1 << 20).to_string()));
            all.push(("snapshots.ballast_bytes", "0".to_owned()));
        }
        all.extend_from_slice(settings);
        Plan {
            binary: self.options.server.clone(),
            place: self.folder.join(name),
            settings: all,
            is_secured: false,
        }
    }

    /// A server with what the honest client orders.
    fn open(&self, name: &str, settings: &[(&'static str, String)]) -> Result<Shop, BenchError> {
        let shop = Shop::open(self.plan(name, settings))?;
        honest::put_goods(&shop)?;
        Ok(shop)
    }
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.data.as_deref())?;
    let stage = Stage { options, folder: folder.path() };
    let conditions = format!("{}, {}", today(), machine());
    println!("{conditions}");
    println!("durability group; the honest client, the attackers and the server share the cores");
    let asked = |attack: &Attack| options.only.is_empty() || options.only.contains(attack);
    let attacks: Vec<Attack> = Attack::ALL.into_iter().filter(asked).collect();
    let mut all = Vec::new();
    for (number, attack) in attacks.iter().enumerate() {
        println!("\n{} of {}: {}", number + 1, attacks.len(), attack.name());
        // One that fails does not take away what the others found.
        let begun = now();
        let found = attack.run(&stage).unwrap_or_else(|error| Found::failed(&error));
        found.print_told();
        println!("   took {:.1} s", begun.elapsed().as_secs_f64());
        all.push((attack.name(), found));
    }
    println!("\n{conditions}");
    let missed = found::print(&all);
    if options.strict && missed > 0 { Err(BenchError::BarsMissed { missed }) } else { Ok(()) }
}

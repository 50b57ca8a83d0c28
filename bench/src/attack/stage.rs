//! What an attack may use, and how large it is.
//!
//! Owns the options and the names of attacks. Never attacks. Next: `shop`, `honest`.

use super::honest;
use super::shop::{Plan, Shop};
use crate::arguments::ServerOptions;
use crate::error::BenchError;
use std::path::Path;
use std::time::Duration;

/// Which, how long, and how strict.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(super) only: Vec<Attack>,
    /// How large: `short` takes a minute and judges counts and memory, no times; `full` judges all
    #[arg(long, value_enum, default_value_t = Scale::Full)]
    pub(super) scale: Scale,
    /// Seconds that an attack goes on [default: 10, and half a second at the short scale]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) seconds: Option<u64>,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) server: ServerOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scale {
    /// Small, and no bar is about time
    Short,
    /// As an attacker would
    Full,
}

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Attack {
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
    /// Batches, streams and connections that go on after their token's end
    Revoked,
    /// More users than there are buckets, and newcomers after them
    Users,
    /// The refusals that cost most
    Refusals,
    /// Orders of SKUs that do not exist
    Labels,
    /// Extensions and refusals without end, for the disk
    Journal,
}

impl Attack {
    pub(super) const ALL: [Self; 11] = [
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

    pub(super) const fn name(self) -> &'static str {
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
}

/// What an attack may use.
pub(super) struct Stage<'a> {
    pub(super) options: &'a Options,
    pub(super) folder: &'a Path,
}

impl Stage<'_> {
    pub(super) fn is_short(&self) -> bool {
        self.options.scale == Scale::Short
    }

    /// What depends on the scale.
    pub(super) fn of<T>(&self, short: T, full: T) -> T {
        if self.is_short() { short } else { full }
    }

    pub(super) fn lasts(&self) -> Duration {
        let usual = self.of(Duration::from_millis(500), Duration::from_secs(10));
        self.options.seconds.map_or(usual, Duration::from_secs)
    }

    /// A server to be, with a folder of its own.
    pub(super) fn plan(&self, name: &str, settings: &[(&'static str, String)]) -> Plan {
        let mut all = Vec::new();
        if self.is_short() {
            // A short life needs no more.
            all.push(("journal.segment_bytes", (1 << 20).to_string()));
            all.push(("snapshots.ballast_bytes", "0".to_owned()));
        }
        all.extend_from_slice(settings);
        Plan {
            binary: self.options.server.binary.clone(),
            place: self.folder.join(name),
            settings: all,
            is_secured: false,
        }
    }

    /// A server with what the honest client orders.
    pub(super) fn open(
        &self,
        name: &str,
        settings: &[(&'static str, String)],
    ) -> Result<Shop, BenchError> {
        let shop = Shop::open(self.plan(name, settings))?;
        honest::put_goods(&shop)?;
        Ok(shop)
    }
}

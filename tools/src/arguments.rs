//! The command line, as clap reads it, and what its help says.
//!
//! Owns names, bounds and the relations between values. Never does what is asked. Next: `main`.

use crate::cluster::asking::{self, Asking, End};
use crate::inspect::Span;
use crate::token;
use crate::{explain, instant};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use doorbuster::cluster::node::Name;
use doorbuster::domain::model::ids::{PrincipalName, Stamp};
use doorbuster::engine::replay::{From, Until};
use std::path::PathBuf;

/// More is no limit.
const RATE_MB_MAX: u64 = 1_000_000;

const NOTES: &str = "\
Exit codes: 0 good; 1 damage or a difference found, or what was asked for is not there; 2 usage;
3 cannot read, or cannot write what was asked for.

Environment: DOORBUSTER_DATA names the data directory where --data does not.

`doorbusterctl help COMMAND` tells more of one; --help shows examples.";

const LONG_NOTES: &str = "\
Exit codes:
  0  good
  1  damage or a difference found, or what was asked for is not there
  2  usage
  3  cannot read, or cannot write what was asked for

Environment:
  DOORBUSTER_DATA  the data directory, where --data does not name it

Examples:
  doorbusterctl --data /var/lib/doorbuster journal verify
  doorbusterctl replay --until 2027-01-15T12:00:00Z --json
  doorbusterctl journal dump --from 1000 --to 1100
  doorbusterctl backup --to /backups/2027-01-15
  doorbusterctl --data ./restored restore --from /backups/2027-01-15 --until 1234
  doorbusterctl cluster --config doorbuster.toml status
  doorbusterctl token new --name shop --role buy --expires-at 2028-01-01T00:00:00Z

All but `snapshot create`, an accepted `journal repair` and `restore` only look: they change no byte
of the data directory and run beside a live server.";

const BACKUP_NOTES: &str = "\
Copies the newest snapshot and the segments behind it, synced, reads the copy back from the disk and
replays it, and prints the sequence and the digest that it holds. Until all of that is done the copy
lies in DIR/unfinished, and a restore refuses it. `sha256sum -c SHA256SUMS` in DIR checks it with
ordinary tools. Replaying takes as much memory as the server's tables.

Example: doorbusterctl --data /var/lib/doorbuster backup --to /backups/$(date -u +%Y%m%dT%H%M%SZ)";

const RESTORE_NOTES: &str = "\
The data directory must be empty or not there yet. Every file of the backup is compared with its
hash, and the result is replayed before it gets its name. The first start of the restored directory
begins a new life: what was sold behind its end is unknown to it.

Examples:
  doorbusterctl --data ./data restore --from /backups/20270115T120000Z
  doorbusterctl --data ./rehearsal restore --from /backups/20270115T120000Z --until 1234";

const CLUSTER_NOTES: &str = "\
Which cluster, which node and which arbiter stand in the server's settings: cluster.name,
cluster.node, cluster.nodes, cluster.url, cluster.arbiter and cluster.arbiter_auth_file, in the file
that --config names or as DOORBUSTER_CLUSTER_NAME and so on. Nodes are asked at the URLs that the
register knows; where they have tokens, one of the role admin stands in DOORBUSTER_TOKEN.

`init` is done on the node whose journal all others shall hold; they start empty. It changes nothing
where there is a register already. `status` exits with 1 where an endpoint of the arbiter does not
answer, knows no leader, or an alarm is raised, and where there is no register.

`takeover`, `force` and `restore` say what may be lost and change nothing until that is accepted.
docs/CLUSTER.md tells which of them is for what.

Examples:
  doorbusterctl --data /var/lib/doorbuster cluster --config /etc/doorbuster.toml init
  doorbusterctl cluster --config /etc/doorbuster.toml status --json
  doorbusterctl cluster --config /etc/doorbuster.toml handover --to n2
  doorbusterctl cluster --config /etc/doorbuster.toml force n3 --accept-loss-from 5-1234";

/// Look into a data directory of Doorbuster, back it up, and bring it back.
#[derive(Parser)]
#[command(name = "doorbusterctl", version, after_help = NOTES, after_long_help = LONG_NOTES)]
pub(crate) struct Arguments {
    /// The data directory
    #[arg(
        long,
        global = true,
        env = "DOORBUSTER_DATA",
        default_value = "./data",
        value_name = "DIR"
    )]
    pub(crate) data: PathBuf,
    /// Print JSON instead of text: one object, from `journal dump` one a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
    /// Look at the snapshots, or take one
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Print an order and what happened to it
    Order {
        /// Its id, as clients see it
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
    /// Tell one buyer's story: what was asked, what was decided, who held the units, who got them
    Explain {
        #[command(flatten)]
        wanted: explain::Wanted,
        #[command(flatten)]
        reach: Reach,
    },
    /// Copy what a start needs to a new directory, checked; the server may run
    #[command(after_help = BACKUP_NOTES)]
    Backup {
        /// The backup: a directory that is empty or not there yet
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Also older snapshots and segments that are still kept, so that a restore can go back
        /// further
        #[arg(long)]
        history: bool,
        /// Megabytes that are read a second, at most
        #[arg(
            long,
            value_name = "MB",
            default_value_t = 32,
            value_parser = clap::value_parser!(u64).range(1..=RATE_MB_MAX)
        )]
        rate_mb: u64,
    },
    /// Make the data directory from a backup, or from a copy of a data directory
    #[command(after_help = RESTORE_NOTES)]
    Restore {
        /// The backup
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// End after this sequence, or after the last event at or before this instant of RFC 3339
        #[arg(long, value_name = "SEQ|TIME", value_parser = instant::until)]
        until: Option<Until>,
        /// Megabytes that are read a second, at most [default: no limit]
        #[arg(
            long,
            value_name = "MB",
            value_parser = clap::value_parser!(u64).range(1..=RATE_MB_MAX)
        )]
        rate_mb: Option<u64>,
    },
    /// Look at a cluster and its register, hand over, and mend what nodes may not
    #[command(after_help = CLUSTER_NOTES)]
    Cluster {
        /// The server's settings as TOML; its environment variables count too
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Make tokens
    #[command(subcommand)]
    Token(TokenCommand),
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
}

impl Command {
    /// What no value by itself shows to be wrong.
    ///
    /// # Errors
    /// As clap tells what is wrong with a command line.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        match self {
            Self::Journal(JournalCommand::Dump { from, to }) if from > to => {
                let told = format!("--from {from} lies behind --to {to}: there is nothing between");
                Err(Arguments::command().error(ErrorKind::ValueValidation, told))
            }
            _ => Ok(()),
        }
    }
}

/// How much of the history counts.
#[derive(Args)]
pub(crate) struct Reach {
    /// End after this sequence, or after the last event at or before this instant of RFC 3339
    #[arg(long, value_name = "SEQ|TIME", value_parser = instant::until)]
    until: Option<Until>,
    /// Begin at the first event, not at the newest snapshot
    #[arg(long)]
    from_genesis: bool,
}

impl Reach {
    pub(crate) fn span(&self) -> Span {
        let from = if self.from_genesis { From::Genesis } else { From::NewestSnapshot };
        Span { from, until: self.until.unwrap_or(Until::End) }
    }
}

#[derive(Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Print them, newest first
    List,
    /// Read every byte of each
    Verify,
    /// Take one of everything the journal holds; the server must not run
    Create,
}

#[derive(Subcommand)]
pub(crate) enum JournalCommand {
    /// Print its segments and where it ends
    Info,
    /// Print every record and whatever else is there, also of a damaged journal
    Dump {
        /// Records from this sequence on
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        from: u64,
        /// Records up to this sequence
        #[arg(
            long,
            value_name = "SEQ",
            default_value_t = u64::MAX,
            hide_default_value = true,
            value_parser = clap::value_parser!(u64).range(1..)
        )]
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
        #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
        accept_loss_from: Option<u64>,
    },
}

#[derive(Subcommand)]
pub(crate) enum DrawCommand {
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
pub(crate) enum ClusterCommand {
    /// Make the register, once: this node writes, with the journal of the data directory
    Init,
    /// Print the register, and how the arbiter is
    Status,
    /// Let another node write; nothing is lost
    Handover {
        /// A node that is in sync [default: any]
        #[arg(long, value_name = "NODE", value_parser = asking::node)]
        to: Option<Name>,
        #[command(flatten)]
        asking: Asking,
    },
    /// With replication.mode = async: let a copy write whose writer is gone
    Takeover {
        /// The copy [default: cluster.node]
        #[arg(long, value_name = "NODE", value_parser = asking::node)]
        to: Option<Name>,
        /// Give up what the copy lacks; without it, it is told what that is
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        asking: Asking,
    },
    /// Let a copy write that is behind, where every disk in sync is gone for good
    Force {
        /// The copy
        #[arg(value_parser = asking::node)]
        node: Name,
        /// Give up everything from this record on; refused if more or less would be lost
        #[arg(long, value_name = "EPOCH-SEQ", value_parser = End::parse)]
        accept_loss_from: Option<End>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Make the register anew, where it is gone or older than what nodes know
    Restore {
        /// Go on although some nodes cannot be asked what they hold
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        asking: Asking,
    },
    /// Take a node out of the register that will not come back
    Forget {
        /// The node
        #[arg(value_parser = asking::node)]
        node: Name,
        /// Also under a writer that runs, which then takes over anew
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
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
        /// When it ends, an instant of RFC 3339 that is still to come [default: never]
        #[arg(long, value_name = "TIME", value_parser = token::expiry)]
        expires_at: Option<Stamp>,
    },
}

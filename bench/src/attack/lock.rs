//! Two servers on one directory, by every trick with the lock and the directory's name.
//!
//! A server falls for it whose lock is a file that can be taken away: a second one starts on the
//! same journal, both sell the last unit, and what one of them answered is gone after the next
//! start. Judged are units sold, answers that are remembered, and that no two serve at a time.
//! Next: `shop`.

use super::found::Found;
use super::shop::{self, HONEST, OPERATOR, Shop, until};
use super::stage::Stage;
use crate::error::{BenchError, io_error};
use crate::load::{self, now};
use crate::run::connection::Connection;
use crate::server::Server;
use doorbuster::client::Origin;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What is done to the directory of a live server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    Removed,
    Renamed,
    Replaced,
    Linked,
    JournalMoved,
    Moved,
    MovedAndMadeAnew,
    BoundElsewhere,
}

const TRICKS: [Trick; 8] = [
    Trick::Removed,
    Trick::Renamed,
    Trick::Replaced,
    Trick::Linked,
    Trick::JournalMoved,
    Trick::Moved,
    Trick::MovedAndMadeAnew,
    Trick::BoundElsewhere,
];
/// The unit that both could sell.
const UNIT: &str = "unit";
const WITHIN: Duration = Duration::from_secs(30);

/// What came of one trick.
#[derive(Debug)]
struct Outcome {
    /// The second did not serve.
    refused: bool,
    /// The first ended by itself.
    stopped: bool,
    /// Keys of orders that were taken.
    sold: Vec<String>,
    /// Of these, how many the next server does not know.
    lost: usize,
}

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let mut found = Found::default();
    for trick in TRICKS {
        let place = format!("lock-{}", trick.as_str().replace(' ', "-"));
        let plan = stage.plan(&place, &[]);
        let (data, other) = (plan.data(), plan.place.join("other"));
        let shop = Shop::open(plan)?;
        shop.put_sku(UNIT, 1)?;
        if let Err(cause) = trick.play(&data, &other) {
            found.tell(format!("{}: not possible here ({cause})", trick.as_str()));
            continue;
        }
        let outcome = second(shop, trick, (&data, &other));
        let undone = trick.undo(&data, &other).map_err(io_error("put a directory back"));
        let outcome = outcome.and_then(|outcome| undone.map(|()| outcome))?;
        let Outcome { refused, stopped, sold, lost } = check(stage, &place, outcome)?;
        let kept_out = if refused { "the second refused" } else { "the second served" };
        let first = if stopped { "the first stopped" } else { "the first went on" };
        found.bar(
            (stopped || refused && !trick.takes_its_name()) && sold.len() <= 1,
            format!("{}: {kept_out}, {first}, {} of 1 unit sold", trick.as_str(), sold.len()),
        );
        found.bar(lost == 0, format!("{}: {lost} answers lost", trick.as_str()));
    }
    Ok(found)
}

/// Starts a second server, and has both sell.
fn second(shop: Shop, trick: Trick, (data, other): (&Path, &Path)) -> Result<Outcome, BenchError> {
    let (plan, mut first, origin) = shop.into_parts();
    let path = if trick.goes_elsewhere() { other } else { data };
    let second = match plan.start(path) {
        Ok(second) => Some(second),
        Err(BenchError::NotListening { .. }) => None,
        Err(error) => return Err(error),
    };
    let refused = second.is_none();
    if trick.takes_its_name() {
        // It looks now and then.
        let begun = now();
        until("the first server ends", || {
            Ok((first.has_ended() || begun.elapsed() > WITHIN).then_some(()))
        })?;
    }
    let mut sold = Vec::new();
    let servers =
        [Some((&first, &origin)), second.as_ref().map(|(server, origin)| (server, origin))];
    for (server, name) in servers.into_iter().zip(["one", "two"]) {
        if server.is_some_and(|server| sells(server, name)) {
            sold.push(name.to_owned());
        }
    }
    Ok(Outcome { refused, stopped: first.has_ended(), sold, lost: 0 })
}

/// Whether a server sells the unit; one that is gone does not.
fn sells((server, origin): (&Server, &Origin), name: &str) -> bool {
    let asked = load::with_event_loop(WITHIN, async {
        let connection = Connection::open(origin, server.address).await;
        let mut connection = connection.map_err(io_error("connect"))?;
        let order = shop::order(HONEST, UNIT, name);
        let seen = connection.ask(&order, WITHIN).await;
        Ok(seen.is_ok_and(|seen| seen.status == 201))
    });
    asked.unwrap_or(false)
}

/// Both are gone: whether the next one knows what they answered.
fn check(stage: &Stage<'_>, place: &str, mut outcome: Outcome) -> Result<Outcome, BenchError> {
    let next = match Shop::open(stage.plan(place, &[])) {
        // What two wrote is no journal any more: with it all is lost that was answered, the SKU
        // too.
        Err(BenchError::NotListening { .. }) => {
            outcome.lost = outcome.sold.len() + 1;
            return Ok(outcome);
        }
        next => next?,
    };
    for name in &outcome.sold {
        let ask = format!("GET /v1/requests/{name}");
        let (status, _) = next.ask(&shop::request(Some(HONEST), &ask, "", ""))?;
        outcome.lost += usize::from(status != 200);
    }
    let sku = shop::request(Some(OPERATOR), &format!("GET /v1/skus/{UNIT}"), "", "");
    let (status, sku) = next.ask_json(&sku)?;
    let sold = sku["sold"].as_u64().unwrap_or(0);
    // The SKU itself was answered too.
    outcome.lost += usize::from(status != 200 || sold != outcome.sold.len() as u64);
    Ok(outcome)
}

impl Trick {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "lock removed",
            Self::Renamed => "lock renamed",
            Self::Replaced => "lock replaced",
            Self::Linked => "directory linked",
            Self::JournalMoved => "journal moved",
            Self::Moved => "directory moved",
            Self::MovedAndMadeAnew => "directory moved and made anew",
            Self::BoundElsewhere => "directory bound elsewhere",
        }
    }

    /// The second server starts at the other path.
    const fn goes_elsewhere(self) -> bool {
        matches!(self, Self::Linked | Self::Moved | Self::BoundElsewhere)
    }

    /// What the first server has is no longer at its path: it must stop.
    const fn takes_its_name(self) -> bool {
        matches!(self, Self::JournalMoved | Self::Moved | Self::MovedAndMadeAnew)
    }

    fn play(self, data: &Path, other: &Path) -> io::Result<()> {
        let lock = data.join("LOCK");
        match self {
            Self::Removed => fs::remove_file(lock),
            Self::Renamed => fs::rename(lock, data.join("LOCK.stale")),
            Self::Replaced => {
                fs::write(data.join("LOCK.next"), "stale")?;
                fs::rename(data.join("LOCK.next"), lock)
            }
            Self::Linked => std::os::unix::fs::symlink(data, other),
            Self::JournalMoved => fs::rename(data.join("journal"), other),
            Self::Moved => fs::rename(data, other),
            Self::MovedAndMadeAnew => {
                fs::rename(data, other)?;
                fs::create_dir(data)
            }
            Self::BoundElsewhere => {
                fs::create_dir(other)?;
                mount(&["--bind".into(), data.into(), other.into()])
            }
        }
    }

    /// What was made at the path meanwhile goes, and the server's own comes back.
    fn undo(self, data: &Path, other: &Path) -> io::Result<()> {
        let put_back = |at: PathBuf| {
            if at.exists() {
                fs::remove_dir_all(&at)?;
            }
            fs::rename(other, at)
        };
        match self {
            Self::JournalMoved => put_back(data.join("journal")),
            Self::Moved | Self::MovedAndMadeAnew => put_back(data.to_path_buf()),
            Self::BoundElsewhere => unmount(other),
            _ => Ok(()),
        }
    }
}

fn mount(arguments: &[PathBuf]) -> io::Result<()> {
    succeeds(Command::new("mount").args(arguments))
}

fn unmount(path: &Path) -> io::Result<()> {
    succeeds(Command::new("umount").arg(path))
}

fn succeeds(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(io::Error::other(said())) }
}

//! Starts PostgreSQL on a cluster of its own and creates the tables and the function in it.
//!
//! PostgreSQL refuses to run as root; there it runs as the user `postgres` of Debian's package.

use super::start;
use crate::error::{BenchError, io_error};
use crate::load;
use crate::protocol::{Protocol, SCHEMA, Verdict, query};
use crate::server::{Server, free_address};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Room for the most connections that make sense here, the machine's own included.
const CONNECTIONS_MAX: u64 = 1_100;
/// Above the default: no checkpoint falls into a short run. Nothing here loosens durability.
const SETTINGS: &[&str] = &["fsync=on", "synchronous_commit=on", "max_wal_size=4GB"];

/// What it takes where it is not root's.
const INITDB: &str = "run initdb; the user postgres must be able to enter the folder that --data \
                      names, which is this one where it does not say";

/// A user to run as.
#[derive(Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

/// Starts PostgreSQL on a new folder; None where it is not installed.
pub(crate) fn start(data: &Path) -> Result<Option<Server>, BenchError> {
    let folders = folders();
    let programs = [start::find("initdb", &folders), start::find("postgres", &folders)];
    let [Some(initdb), Some(postgres)] = programs else { return Ok(None) };
    let account = rustix::process::geteuid().is_root().then(account).transpose()?;
    make_folder(data, account)?;
    let cluster = data.join("cluster");
    let mut making = as_account(&initdb, account, data);
    making.args(["--username=bench", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]);
    let made = making.arg(&cluster).output().map_err(io_error(INITDB))?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(BenchError::NotListening { server: "initdb".to_owned(), said });
    }
    let address = free_address()?;
    let mut command = as_account(&postgres, account, data);
    command.arg("-D").arg(&cluster).args(["-h", "127.0.0.1", "-k", ""]);
    command.args(["-p", &address.port().to_string()]);
    command.args(["-N", &CONNECTIONS_MAX.to_string()]);
    // A refusal is no news for its log.
    command.args(["-c", "log_min_messages=fatal"]);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    let mut server = Server::start_silent(
        "postgresql",
        &mut command,
        &data.join("log"),
        // All its processes end at once with this.
        Signal::QUIT,
        (address, Protocol::Postgres { prepared: false }),
        &query("SELECT 1"),
    )?;
    let created = load::ask(address, &server.protocol, query(SCHEMA))?;
    if server.protocol.verdict(&created) == Verdict::Other {
        return Err(load::unexpected(&created));
    }
    server.protocol = Protocol::Postgres { prepared: true };
    load::put_sku(address, &server.protocol, load::SKU, load::STOCK)?;
    server.about = format!(
        "{}; one prepared call an order (unique key, user's limit, conditional row update in one \
         transaction); {}, else as it comes: answers leave after their commit is synced",
        start::version(&postgres)?,
        SETTINGS.join(", ")
    );
    Ok(Some(server))
}

/// The newest version first.
fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// The user `postgres`.
fn account() -> Result<Account, BenchError> {
    let users = fs::read_to_string("/etc/passwd").map_err(io_error("read /etc/passwd"))?;
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        let user = fields.next()?.parse().ok()?;
        Some(Account { user, group: fields.next()?.parse().ok()? })
    });
    let missing = "PostgreSQL does not run as root, and there is no user `postgres` to run it as";
    found.ok_or_else(|| BenchError::Usage(missing.to_owned()))
}

/// Makes the folder, and lets the other user into it.
fn make_folder(data: &Path, account: Option<Account>) -> Result<(), BenchError> {
    let making = || io_error("make a folder for PostgreSQL");
    fs::create_dir(data).map_err(making())?;
    let Some(Account { user, group }) = account else { return Ok(()) };
    chown(data, Some(user), Some(group)).map_err(making())?;
    let parent = data.parent().unwrap_or(data);
    fs::set_permissions(parent, fs::Permissions::from_mode(0o711)).map_err(making())
}

fn as_account(program: &Path, account: Option<Account>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

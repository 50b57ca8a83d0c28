//! Programs that the tests start: where they are, ports for them, and users to run as.
//!
//! Owns what happens where one is missing. Next: `postgres`, `mariadb`, `nats`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A child that ends with this.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }
}

/// Told, and an error where it must be there.
pub(crate) fn missing(what: &str) {
    let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!must, "there must be {what} in continuous integration");
    eprintln!("left out: it takes {what}");
}

pub(crate) fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    socket.local_addr().expect("it has an address").port()
}

/// A folder that this user can write, outside of the build, whose parents others may not enter.
pub(crate) fn folder_of(user: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some((user, group)) = account(user) {
        chown(folder.path(), Some(user), Some(group)).expect("root may give it away");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// User and group of this name, if this process is root.
fn account(name: &str) -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("there are users");
    users.lines().find_map(|line| {
        let mut fields = line.strip_prefix(&format!("{name}:"))?.split(':').skip(1);
        let user = fields.next()?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    })
}

/// A command that runs as this user, where this process is root.
pub(crate) fn command_as(user: &str, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    if let Some((user, group)) = account(user) {
        command.uid(user).gid(group);
    }
    command
}

/// The first of these that exists.
pub(crate) fn find(places: &[&str]) -> Option<PathBuf> {
    places.iter().map(PathBuf::from).find(|place| place.is_file())
}

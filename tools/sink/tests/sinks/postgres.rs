//! A PostgreSQL of our own.
//!
//! Owns starting it on a new cluster, killing it and starting it again. Next: `database`.

use crate::database::Database;
use crate::programs::{Program, command_as, find, folder_of, free_port, missing};
use doorbuster_test_support::wait;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const USER: &str = "postgres";

pub(crate) struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
    server: Option<Program>,
}

/// The newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    versions.sort();
    let (_, newest) = versions.pop()?;
    find(&[newest.join("bin/postgres").to_str()?]).map(|_| newest.join("bin"))
}

impl Postgres {
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            missing("Debian's package postgresql");
            return None;
        };
        let folder = folder_of(USER);
        let mut making = command_as(USER, &programs.join("initdb"));
        making.args(["--username=shop", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]);
        making.arg(folder.path().join("cluster")).current_dir(folder.path());
        let made = making.output().expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Self { folder, programs, port: free_port(), server: None };
        postgres.go_on();
        Some(postgres)
    }

    fn psql(&self, database: &str, sql: &str) -> Option<String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-At", "-h", "127.0.0.1", "-U", "shop", "-d", database]);
        command.args(["-p", &self.port.to_string(), "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let ran = command.stdin(Stdio::null()).output().expect("psql runs");
        ran.status.success().then(|| String::from_utf8(ran.stdout).expect("it prints text"))
    }
}

impl Database for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://shop@127.0.0.1:{}/{name}", self.port)
    }

    fn make(&self, name: &str) {
        let made = self.psql("postgres", &format!("create database {name}"));
        made.expect("a database is made");
    }

    fn run(&self, name: &str, sql: &str) {
        self.psql(name, sql).unwrap_or_else(|| panic!("it fails: {sql}"));
    }

    fn rows(&self, name: &str, table: &str) -> Option<Vec<Value>> {
        let sql = format!("select coalesce(json_agg(row_to_json(t)), '[]') from {table} t");
        let text = self.psql(name, &sql)?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    fn number(&self, name: &str, sql: &str) -> Option<u64> {
        self.psql(name, sql)?.trim().parse().ok()
    }

    fn stop(&mut self) {
        // Its children end when their parent is gone; the next start waits for that.
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    fn go_on(&mut self) {
        let cluster = self.folder.path().join("cluster");
        wait::until("a PostgreSQL that answers", || {
            let over = self
                .server
                .as_mut()
                .is_none_or(|server| server.0.try_wait().expect("it can be asked").is_some());
            if over {
                let _ = fs::remove_file(cluster.join("postmaster.pid"));
                let log = self.folder.path().join("log");
                let log = fs::File::options().create(true).append(true).open(log);
                let mut command = command_as(USER, &self.programs.join("postgres"));
                command.arg("-D").arg(&cluster).args(["-h", "127.0.0.1", "-k", ""]);
                command.args(["-p", &self.port.to_string()]).current_dir(self.folder.path());
                command.stdout(Stdio::null()).stderr(log.expect("a log is made"));
                self.server = Some(Program(command.spawn().expect("postgres runs")));
            }
            self.psql("postgres", "select 1").map(drop)
        });
    }
}

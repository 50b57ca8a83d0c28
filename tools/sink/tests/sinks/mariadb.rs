//! A MariaDB of our own.
//!
//! Owns starting it on a new directory, killing it and starting it again. Next: `database`.

use crate::database::Database;
use crate::programs::{Program, command_as, find, folder_of, free_port, missing};
use doorbuster_test_support::wait;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const USER: &str = "mysql";
const CLIENT: &str = "/usr/bin/mariadb";

pub(crate) struct MariaDb {
    folder: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    server: Option<Program>,
}

impl MariaDb {
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = find(&["/usr/sbin/mariadbd"]) else {
            missing("Debian's package mariadb-server");
            return None;
        };
        let folder = folder_of(USER);
        let mut making = command_as(USER, Path::new("/usr/bin/mariadb-install-db"));
        making.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        making.args(["--skip-test-db", "--user=mysql"]);
        making.arg(format!("--datadir={}", folder.path().join("data").display()));
        let made = making.output().expect("mariadb-install-db runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut mariadb = Self { folder, program, port: free_port(), server: None };
        mariadb.go_on();
        mariadb.sql("mysql", "create user shop@'127.0.0.1' identified by ''").expect("a user");
        mariadb.sql("mysql", "grant all on *.* to shop@'127.0.0.1'").expect("rights");
        Some(mariadb)
    }

    fn sql(&self, database: &str, sql: &str) -> Option<String> {
        let mut command = Command::new(CLIENT);
        command.args(["--no-defaults", "-u", "root", "-h", "127.0.0.1", "-N", "-B", "-r"]);
        command.args(["-P", &self.port.to_string(), "-D", database, "-e", sql]);
        let ran = command.stdin(Stdio::null()).output().expect("mariadb runs");
        ran.status.success().then(|| String::from_utf8(ran.stdout).expect("it prints text"))
    }

    /// Names of a table's columns.
    fn columns(&self, database: &str, table: &str) -> Option<Vec<String>> {
        let sql = format!(
            "select column_name from information_schema.columns where table_schema = database() \
             and table_name = '{table}' order by ordinal_position"
        );
        let names = self.sql(database, &sql)?.lines().map(str::to_owned).collect::<Vec<_>>();
        (!names.is_empty()).then_some(names)
    }
}

impl Database for MariaDb {
    fn kind(&self) -> &'static str {
        "mysql"
    }

    fn url(&self, name: &str) -> String {
        format!("mysql://shop@127.0.0.1:{}/{name}", self.port)
    }

    fn make(&self, name: &str) {
        self.sql("mysql", &format!("create database {name}")).expect("a database is made");
    }

    fn run(&self, name: &str, sql: &str) {
        self.sql(name, sql).unwrap_or_else(|| panic!("it fails: {sql}"));
    }

    fn rows(&self, name: &str, table: &str) -> Option<Vec<Value>> {
        let columns = self.columns(name, table)?;
        let members: Vec<_> = columns
            .iter()
            .map(|column| match column.as_str() {
                "data" | "settings" | "terms" => {
                    format!("'{column}', json_extract(`{column}`, '$')")
                }
                column => format!("'{column}', `{column}`"),
            })
            .collect();
        let sql = format!("select json_object({}) from {table}", members.join(", "));
        let text = self.sql(name, &sql)?;
        let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        Some(text.lines().map(row).collect())
    }

    fn number(&self, name: &str, sql: &str) -> Option<u64> {
        self.sql(name, sql)?.trim().parse().ok()
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    fn go_on(&mut self) {
        let folder = self.folder.path();
        let log = fs::File::options().create(true).append(true).open(folder.join("log"));
        let mut command = command_as(USER, &self.program);
        command.arg("--no-defaults");
        command.arg(format!("--datadir={}", folder.join("data").display()));
        command.arg(format!("--socket={}", folder.join("socket").display()));
        command.arg(format!("--pid-file={}", folder.join("pid").display()));
        command.arg(format!("--port={}", self.port));
        command.args(["--bind-address=127.0.0.1", "--skip-log-bin", "--user=mysql"]);
        command.args(["--innodb-log-file-size=256M", "--skip-name-resolve"]);
        command.stdout(Stdio::null()).stderr(log.expect("a log is made"));
        self.server = Some(Program(command.spawn().expect("mariadbd runs")));
        wait::until("a MariaDB that answers", || self.sql("mysql", "select 1").map(drop));
    }
}

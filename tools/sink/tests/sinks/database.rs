//! What the tests ask of a database, by its own command line and not by the sink's libraries.
//!
//! Next: `postgres`, `mariadb`, `tables`.

use serde_json::Value;

/// A database server of our own.
pub(crate) trait Database {
    /// As the configuration names it.
    fn kind(&self) -> &'static str;
    fn url(&self, name: &str) -> String;
    /// Makes a database.
    fn make(&self, name: &str);
    fn run(&self, name: &str, sql: &str);
    /// All rows of a table; none where it is not there.
    fn rows(&self, name: &str, table: &str) -> Option<Vec<Value>>;
    fn number(&self, name: &str, sql: &str) -> Option<u64>;
    /// By SIGKILL.
    fn stop(&mut self);
    fn go_on(&mut self);

    /// How far the sink is.
    fn position(&self, name: &str) -> u64 {
        self.number(name, "select coalesce(max(seq), 0) from doorbuster_position").unwrap_or(0)
    }
}

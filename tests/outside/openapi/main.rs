//! The contract's document against tools that nobody here wrote: two linters, two generators whose
//! clients do a whole sale, and a tester that makes thousands of requests from it.
//!
//! Owns how those are run, each against a real server. `docs/openapi.json` is what they read, and
//! it must be what is served. What they need is installed by `tests/outside/openapi/install`; where
//! it is missing, a test says so and returns, unless CI is set, which makes it a failure. Start
//! with `document`, then `tools`, `lints`, `sales`, `explored`.

mod document;
mod explored;
mod lints;
mod sales;
mod tools;

use doorbuster_test_support::process::Server;
use doorbuster_test_support::target::Target;
use doorbuster_test_support::tokens::TokensFile;
use tempfile::TempDir;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

/// The admin's token in these tests.
const TOKEN: &str = "admin";

/// A server that asks for a token, and where it lives.
fn server() -> (Server, TempDir) {
    let directory = TARGET.directory();
    let file = TokensFile::beside(directory.path(), &[("a", "admin", TOKEN, "")]);
    // Nothing is to be refused because the disk is slow.
    let launch = file.launch(TARGET).variable("JOURNAL_STALL_MS", "60000");
    (launch.variable("OVERLOAD_WAIT_MS_MAX", "60000").start(), directory)
}

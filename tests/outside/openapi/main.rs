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

// All of these serve `tests/server` first; not everything in them is needed here.
#[allow(dead_code)]
#[path = "../../server/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../../server/noise.rs"]
mod noise;
#[allow(dead_code)]
#[path = "../../server/patience.rs"]
mod patience;
#[allow(dead_code)]
#[path = "../../server/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../../server/tokens.rs"]
mod tokens;

use process::Server;
use tempfile::TempDir;
use tokens::TokensFile;

/// The admin's token in these tests.
const TOKEN: &str = "admin";

/// A server that asks for a token, and where it lives.
fn server() -> (Server, TempDir) {
    let directory = process::directory();
    let file = TokensFile::beside(directory.path(), &[("a", "admin", TOKEN, "")]);
    // Nothing is to be refused because the disk is slow.
    let launch = file.launch().variable("JOURNAL_STALL_MS", "60000");
    (launch.variable("OVERLOAD_WAIT_MS_MAX", "60000").start(), directory)
}

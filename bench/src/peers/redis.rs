//! Starts Redis with an append-only file of its own and loads the script into it.

use super::start;
use crate::error::{BenchError, io_error};
use crate::load;
use crate::protocol::{Protocol, SCRIPT, bulk, command};
use crate::server::{Server, free_address};
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;

/// Starts Redis on a new folder, `fsync` one of `always` and `everysec`; None where it is not
/// installed.
pub(crate) fn start(fsync: &str, data: &Path) -> Result<Option<Server>, BenchError> {
    let Some(program) = start::find("redis-server", &[]) else { return Ok(None) };
    std::fs::create_dir(data).map_err(io_error("make a folder for Redis"))?;
    let address = free_address()?;
    let mut server = Command::new(&program);
    server.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--dir"]).arg(data);
    server.args(["--daemonize", "no", "--save", "", "--appendonly", "yes"]);
    // Rewriting the file meanwhile would cost what the others are not asked to do.
    server.args(["--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0"]);
    let protocol = Protocol::Redis { script: String::new() };
    let mut server = Server::start_silent(
        &format!("redis {fsync}"),
        &mut server,
        &data.join("log"),
        Signal::KILL,
        (address, protocol),
        &command(&[b"ECHO", b"here"]),
    )?;
    let load_script = command(&[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()]);
    let loaded = load::ask(address, &server.protocol, load_script)?;
    let script = bulk(&loaded).ok_or_else(|| load::unexpected(&loaded))?;
    server.protocol = Protocol::Redis { script: String::from_utf8_lossy(script).into_owned() };
    let version = start::version(&program)?;
    let version = version.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let promise = match fsync {
        "always" => "answers leave after their sync, one sync for all of an event-loop turn",
        _ => "answers at once, syncs every second; a power cut may take that",
    };
    server.about = format!(
        "Redis {}; one EVALSHA an order (key, stock, limit, deduct, remember); appendonly yes, \
         appendfsync {fsync}: {promise}; save off, rewrites off, else as it comes",
        version.unwrap_or("of unknown version")
    );
    load::put_sku(address, &server.protocol, load::SKU, load::STOCK)?;
    Ok(Some(server))
}

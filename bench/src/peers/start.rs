//! Starts Doorbuster and bare hyper, and says where programs are. Next: `redis`, `postgres`.

use crate::error::{BenchError, io_error};
use crate::load;
use crate::server::Server;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What hyper is here, as it was locked when this program was built.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// hyper and nothing else; with the bytes in `answer`, or those of an order's answer.
pub(crate) fn bare(answer: Option<&Path>) -> Result<Server, BenchError> {
    let own = std::env::current_exe().map_err(io_error("find this program"))?;
    let mut command = Command::new(own);
    command.arg("bare");
    if let Some(answer) = answer {
        command.arg("--answer").arg(answer);
    }
    let mut server = Server::start("bare hyper", &mut command)?;
    let version = LOCK.split_once("name = \"hyper\"\nversion = \"");
    let version = version.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown");
    server.about = format!("hyper {version}; one thread; keeps nothing, answers fixed bytes");
    Ok(server)
}

/// Starts the server on a data directory and creates what is ordered.
pub(crate) fn doorbuster(
    binary: Option<&Path>,
    mode: &str,
    data: &Path,
) -> Result<Server, BenchError> {
    started(&format!("doorbuster {mode}"), mode, &mut command(binary, mode, data)?)
}

/// The same without timing of requests.
pub(crate) fn untimed(
    binary: Option<&Path>,
    mode: &str,
    data: &Path,
) -> Result<Server, BenchError> {
    let mut command = command(binary, mode, data)?;
    command.env("DOORBUSTER_LATENCY_TIMED", "false");
    started(&format!("doorbuster {mode} untimed"), mode, &mut command)
}

/// The command line of the server on a data directory.
pub(crate) fn command(
    binary: Option<&Path>,
    mode: &str,
    data: &Path,
) -> Result<Command, BenchError> {
    let own = std::env::current_exe().map_err(io_error("find this program"))?;
    let binary = binary.map_or_else(|| own.with_file_name("doorbuster"), Path::to_path_buf);
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0", "--durability", mode, "--data"]).arg(data);
    Ok(command)
}

fn started(name: &str, mode: &str, command: &mut Command) -> Result<Server, BenchError> {
    let mut server = Server::start(name, command)?;
    let promise = match mode {
        "group" => "an answer leaves after its sync, one sync for all that wait".to_owned(),
        "os" => "answers at once, the kernel syncs; a power cut may take back seconds".to_owned(),
        other => {
            let interval_ms = other.trim_start_matches("interval:");
            format!("answers at once, syncs every {interval_ms} ms; a power cut may take those")
        }
    };
    let version = version(command.get_program())?;
    server.about = format!("{version}; durability {mode}: {promise}; else as it comes");
    load::put_sku(server.address, &server.protocol, load::SKU, load::STOCK)?;
    Ok(server)
}

/// What a program says it is.
pub(super) fn version(program: impl AsRef<OsStr>) -> Result<String, BenchError> {
    let program = program.as_ref();
    let said = Command::new(program).arg("--version").output();
    let said = said.map_err(io_error(format!("run {}", program.display())))?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Where a program is, among the folders of `PATH` and then others.
pub(super) fn find(program: &str, others: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(others.iter().cloned());
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

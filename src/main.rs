//! The server's command line: flags over environment over file, then `server::run`.
//!
//! Owns the exit codes and what is printed by commands that end at once. Decides nothing that a
//! setting could. Next: `config`, `server`.
#![forbid(unsafe_code)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use doorbuster::config::{ConfigError, Kind, Sources};
use doorbuster::process::log;
use doorbuster::process::server::{self, ServerError, Signals};
use rustix::fs::Mode;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code of a server that did not start, or did not end in good order.
const FAILED: u8 = 1;
/// The command line, the environment or the file is wrong.
const USAGE: u8 = 2;
/// Standard output could not be written.
const UNWRITTEN: u8 = 3;
/// Another node writes: started again, this one follows.
const AGAIN: u8 = 75;

const AFTER_HELP: &str = "\
Settings:
  Every setting has a name (`doorbuster config` lists them with defaults and bounds). It may stand
  in the TOML file that --config or DOORBUSTER_CONFIG names, in the environment, or, for those of
  daily use, in a flag. Flags go over the environment, the environment over the file. An unknown
  setting is an error.

Environment:
  DOORBUSTER_CONFIG  a TOML file of settings
  DOORBUSTER_NAME    the setting of that name, in upper case with _ in place of each dot:
                     DOORBUSTER_HTTP_IDLE_MS is http.idle_ms
  NO_COLOR           no colours on a terminal
  RUST_BACKTRACE     1: a panic is told with its backtrace
  NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID are systemd's (Type=notify).
  DOORBUSTER_TOKEN and DOORBUSTER_URL are the tools'; DOORBUSTER_PORT, DOORBUSTER_PORT_* and
  DOORBUSTER_SERVICE_* are set by a cluster for a Service named doorbuster. They are left alone.

Signals:
  SIGTERM, SIGINT    drain and stop; a second one ends at once
  SIGHUP             read tokens, certificates, address lists and limits again

Exit codes:
  0  stopped in good order, or printed what was asked for
  1  could not start, or was ended by a second signal
  2  the command line, the environment or the settings file is wrong
  3  standard output could not be written (a closed pipe is no error)
  75 another node was made the writer: to be started again, to follow it";

/// Sells what thousands of people want in the same second.
#[derive(Parser)]
#[command(name = "doorbuster", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serve; what is done without a command too
    Serve,
    /// Print the effective settings with their defaults and bounds
    Config,
    /// Print completions for a shell
    Completions {
        /// Which
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Args, Clone)]
struct Flags {
    /// Where journal and snapshots are kept [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// Where to listen, an address or a host name; port 0 picks one [default: 127.0.0.1:7070]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A TOML file of settings
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// When an answer may leave: group, interval:MS or os [default: group]
    #[arg(long, global = true, value_name = "MODE")]
    durability: Option<String>,
    /// Threads that read requests and write answers [default: cores - 1]
    #[arg(long, global = true, value_name = "N")]
    io_threads: Option<String>,
    /// How the writer waits for work: park or spin [default: park]
    #[arg(long, global = true, value_name = "HOW")]
    wait: Option<String>,
    /// Certificate chain in PEM to speak TLS with
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Private key of the certificate in PEM
    #[arg(long, global = true, value_name = "FILE")]
    tls_key: Option<String>,
    /// Start although the clock is far from the journal's last stamp
    #[arg(long, global = true)]
    accept_clock: bool,
    /// Listen beyond loopback without tokens
    #[arg(long, global = true)]
    insecure: bool,
}

/// Where the settings file is named, if no flag does.
const CONFIG_VARIABLE: &str = "DOORBUSTER_CONFIG";

fn main() -> ExitCode {
    // Whatever the umask was: no other user reads what is written, and this process does.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_parsed(&error),
    };
    match arguments.command {
        Some(Command::Completions { shell }) => print(&completions(shell)),
        Some(Command::Man) => man(),
        Some(Command::Config) => match sources(arguments.flags).and_then(checked) {
            Ok(sources) => print(&settings(&sources)),
            Err(error) => usage(&error),
        },
        Some(Command::Serve) | None => serve(arguments.flags),
    }
}

/// Help and version come this way too.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        return print(&if coloured { text.ansi().to_string() } else { text.to_string() });
    }
    // Where that cannot be written, the exit code still says it.
    let _ = error.print();
    ExitCode::from(USAGE)
}

/// Prints a text whole, or says why not.
fn print(text: &str) -> ExitCode {
    match doorbuster::process::output::print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => failed(&ServerError::Output(cause)),
    }
}

fn usage(error: &ConfigError) -> ExitCode {
    log::say(format_args!("doorbuster: {error}"));
    ExitCode::from(USAGE)
}

fn failed(error: &ServerError) -> ExitCode {
    log::say(format_args!("doorbuster: {error}"));
    ExitCode::from(match error {
        ServerError::Settings(_) => USAGE,
        ServerError::Output(_) => UNWRITTEN,
        ServerError::Cluster(error) if error.is_to_start_again() => AGAIN,
        _ => FAILED,
    })
}

/// Values out of their bounds are errors where they are only printed, too.
fn checked(sources: Sources) -> Result<Sources, ConfigError> {
    sources.config().map(|_| sources)
}

fn serve(flags: Flags) -> ExitCode {
    // Before anything that takes time: until then a signal that means nothing yet would end the
    // process.
    let start = |part| move |cause| ServerError::Start { part, cause };
    let signals = match Signals::watch().map_err(start("the signal handlers")) {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    let config = match sources(flags.clone()).and_then(|sources| sources.config()) {
        Ok(config) => config,
        Err(error) => return usage(&error),
    };
    if let Err(error) = log::start(config.log).map_err(start("the log")) {
        return failed(&error);
    }
    let reread = move || sources(flags.clone())?.config();
    let ended = match server::run(&config, Box::new(reread), signals) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    };
    log::flush();
    ended
}

fn completions(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "doorbuster", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn man() -> ExitCode {
    let mut out = Vec::new();
    match clap_mangen::Man::new(Arguments::command()).render(&mut out) {
        Ok(()) => print(&String::from_utf8_lossy(&out)),
        Err(cause) => failed(&ServerError::Output(cause)),
    }
}

fn sources(flags: Flags) -> Result<Sources, ConfigError> {
    let mut sources = Sources::default();
    let file = flags.config.or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from));
    if let Some(file) = file {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| ConfigError::File { file: name.clone(), cause: error.to_string() })?;
        sources.file(&name, &text)?;
    }
    let variables = std::env::vars_os().filter(|(name, _)| name != CONFIG_VARIABLE);
    sources.environment(variables)?;
    let given = [
        ("data", flags.data),
        ("listen", flags.listen),
        ("durability", flags.durability),
        ("io_threads", flags.io_threads),
        ("wait", flags.wait),
        ("tls.cert", flags.tls_cert),
        ("tls.key", flags.tls_key),
        ("accept_clock", flags.accept_clock.then(|| "true".to_owned())),
        ("insecure", flags.insecure.then(|| "true".to_owned())),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            sources.set("command line", name, value)?;
        }
    }
    Ok(sources)
}

/// As a TOML file that would give the same settings.
fn settings(sources: &Sources) -> String {
    let mut out = String::new();
    for (entry, value, origin) in sources.effective() {
        let bare = match entry.kind {
            Kind::Number | Kind::Flag => true,
            Kind::NumberOrWord => value.parse::<u64>().is_ok(),
            Kind::Text => false,
        };
        let quoted = || toml::Value::String(value.to_owned()).to_string();
        let shown = if bare { value.to_owned() } else { quoted() };
        let (meaning, bounds, default) = (entry.meaning, entry.bounds, entry.default);
        let explained = format!("# {meaning}: {bounds}\n# default {default}; from {origin}");
        // A text in memory takes every write.
        let _ = writeln!(out, "{explained}\n{} = {shown}\n", entry.name);
    }
    out
}

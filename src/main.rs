//! The server's command line: flags over environment over file, then `server::run`.
#![forbid(unsafe_code)]

use clap::{Args, Parser, Subcommand};
use doorbuster::config::{Config, ConfigError, Kind, Sources};
use doorbuster::server;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sells what thousands of people want in the same second.
#[derive(Parser)]
#[command(name = "doorbuster", version)]
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
}

#[derive(Args, Clone)]
struct Flags {
    /// Where journal and snapshots are kept [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// Where to listen; port 0 picks one [default: 127.0.0.1:7070]
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
    let arguments = Arguments::parse();
    let flags = arguments.flags.clone();
    let sources = match sources(arguments.flags) {
        Ok(sources) => sources,
        Err(error) => return usage(&error),
    };
    let config = match sources.config() {
        Ok(config) => config,
        Err(error) => return usage(&error),
    };
    match arguments.command {
        Some(Command::Config) => print_settings(&sources),
        Some(Command::Serve) | None => serve(&config, flags),
    }
}

fn usage(error: &ConfigError) -> ExitCode {
    eprintln!("doorbuster: {error}");
    ExitCode::from(2)
}

fn serve(config: &Config, flags: Flags) -> ExitCode {
    let reread = move || sources(flags.clone())?.config();
    match server::run(config, Box::new(reread)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("doorbuster: {error}");
            ExitCode::FAILURE
        }
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
fn print_settings(sources: &Sources) -> ExitCode {
    let mut out = std::io::stdout().lock();
    for (entry, value, origin) in sources.effective() {
        // Whoever reads may have seen enough.
        let _ = writeln!(out, "# {}: {}", entry.meaning, entry.bounds);
        let _ = writeln!(out, "# default {}; from {origin}", entry.default);
        let bare = match entry.kind {
            Kind::Number | Kind::Flag => true,
            Kind::NumberOrWord => value.parse::<u64>().is_ok(),
            Kind::Text => false,
        };
        let quoted = || toml::Value::String(value.to_owned()).to_string();
        let shown = if bare { value.to_owned() } else { quoted() };
        let _ = writeln!(out, "{} = {shown}\n", entry.name);
    }
    ExitCode::SUCCESS
}

//! Lines for the operator, on standard error: time, level, module, message, fields.
//!
//! Owns their form and which levels are written. Where nothing was started (a simulation, a tool, a
//! test of the library) events go nowhere. What an event costs is bounded: it is put together where
//! it happens and handed to a thread that writes; a line that cannot be written is lost, and
//! nothing else is. No event stands on the path of a request. The only place that names
//! tracing-subscriber. Next: `log/lines`.

mod lines;

use crate::config::{LogFormat, LogLevel, LogSettings};
use crate::shared::clock;
use crate::shared::instant;
use lines::{Lines, Sink};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Arguments};
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, OnceLock};
use std::thread;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt as lines_layer, reload};

/// Events of libraries are none of the operator's.
const OURS: &str = "doorbuster";

static STARTED: OnceLock<Log> = OnceLock::new();

struct Log {
    lines: Arc<Lines>,
    level: reload::Handle<Targets, Registry>,
}

/// When an event happened: RFC 3339, UTC, milliseconds.
struct Time;

impl FormatTime for Time {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let text = instant::format(clock::wall_ms());
        out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// From here on events are told, panics among them. Once in a process.
///
/// # Errors
/// When the system has no thread to give, or it was started before.
pub fn start(settings: LogSettings) -> io::Result<()> {
    let lines = Arc::new(Lines::default());
    let writing = lines.clone();
    let thread = thread::Builder::new().name("log".to_owned());
    thread.spawn(move || writing.write_for_ever(&mut io::stderr()))?;
    let (filter, level) = reload::Layer::new(filter(settings.level));
    let coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let layer = lines_layer::layer()
        .with_timer(Time)
        .with_ansi(coloured)
        .with_writer(Sink::into(lines.clone()));
    let registry = tracing_subscriber::registry().with(filter);
    let set =
        match settings.format {
            LogFormat::Text => set_global_default(registry.with(layer)),
            LogFormat::Json => set_global_default(registry.with(
                layer.json().flatten_event(true).with_current_span(false).with_span_list(false),
            )),
        };
    set.map_err(io::Error::other)?;
    let log = STARTED.set(Log { lines, level });
    log.map_err(|_| io::Error::other("the log was started before"))?;
    panic::set_hook(Box::new(told_panic));
    Ok(())
}

fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_target(OURS, level)
}

/// From here on events of this level and above are told.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(log) = STARTED.get() {
        // It fails only where the subscriber is gone, and with it every reader.
        let _ = log.level.reload(filter(level));
    }
}

/// The standard library's own hook writes where it stands, and would stand still with the reader.
fn told_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("with a value that is no text");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let current = thread::current();
    let thread = current.name().unwrap_or("without a name");
    // Taken where RUST_BACKTRACE asks for it.
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => {
            let trace = trace.to_string();
            tracing::error!(thread, place, said, trace, "panicked");
        }
        _ => tracing::error!(thread, place, said, "panicked"),
    }
    // The process ends with this one; clients may wait for any other.
    if thread == "main" {
        flush();
    }
}

/// A bare sentence about what ends the process, without time and level.
pub fn say(sentence: Arguments<'_>) {
    let text = format!("{sentence}\n");
    match STARTED.get() {
        Some(log) => {
            log.lines.push(text.as_bytes());
            log.lines.flush();
        }
        None => drop(io::stderr().write_all(text.as_bytes())),
    }
}

/// Writes over the line before, for progress that is watched on a terminal.
pub(crate) fn progress(line: Arguments<'_>) {
    if let Some(log) = STARTED.get() {
        log.lines.push(format!("\r{line} ").as_bytes());
    }
}

/// Waits until everything is written that was told, but not for a reader who does not read.
pub fn flush() {
    if let Some(log) = STARTED.get() {
        log.lines.flush();
    }
}

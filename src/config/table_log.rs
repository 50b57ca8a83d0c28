//! The settings of lines on standard error. A new one is a row here and a member of `Config`.
//!
//! Owns only the list; what is told is where it happens, how it looks is in `log`. Next: `table`.

use super::table::{Kind, Setting, set};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// What is told: this and everything graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Faults of the server.
    Error,
    /// What an operator must look at.
    Warn,
    /// What the server did.
    Info,
    /// What helps to find out why.
    Debug,
}

/// How and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Stays as it was at the start.
    pub format: LogFormat,
    /// May change while the server runs.
    pub level: LogLevel,
}

fn format(text: &str) -> Option<LogFormat> {
    match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn level(text: &str) -> Option<LogLevel> {
    match text {
        "error" => Some(LogLevel::Error),
        "warn" => Some(LogLevel::Warn),
        "info" => Some(LogLevel::Info),
        "debug" => Some(LogLevel::Debug),
        _ => None,
    }
}

pub(super) static LOG: &[Setting] = &[
    Setting {
        name: "log.format",
        kind: Kind::Text,
        default: "text",
        bounds: "text or json",
        meaning: "how lines on standard error look",
        take: |config, text| set(&mut config.log.format, format(text)),
    },
    Setting {
        name: "log.level",
        kind: Kind::Text,
        default: "info",
        bounds: "error, warn, info or debug",
        meaning: "what is told on standard error, this and graver; read again on SIGHUP",
        take: |config, text| set(&mut config.log.level, level(text)),
    },
];

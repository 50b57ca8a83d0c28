//! The settings of lines on standard error. A new one is a row here and a member of
//! `LogSettings`.
//!
//! Owns only the list; what is told is where it happens, how it looks is in `log`. Next: `table`.

use super::bounds::set;
use super::setting::{Kind, Setting};
use super::values::{LogFormat, LogLevel};

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

//! The configuration file (API 10).
//!
//! Owns its members, their bounds and how they rest on one another; every refusal names the member
//! and what to write instead. Reads the files that hold secrets, and never tells one. Next: `run`.

use serde::Deserialize;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Sinks of one process; sixteen of them may be webhooks.
const SINKS_MAX: usize = 32;
const WEBHOOKS_MAX: usize = 16;
const BATCH_MAX: usize = 10_000;
const IN_FLIGHT_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) source: SourceSettings,
    #[serde(default, rename = "sink")]
    pub(crate) sinks: Vec<SinkSettings>,
    #[serde(default)]
    pub(crate) retry: RetrySettings,
    pub(crate) alert: Option<AlertSettings>,
    #[serde(default)]
    pub(crate) dead: DeadSettings,
    #[serde(default)]
    pub(crate) state: StateSettings,
    pub(crate) listen: Option<ListenSettings>,
}

/// Where the feed is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceSettings {
    pub(crate) urls: Vec<String>,
    pub(crate) token_file: Option<PathBuf>,
    /// For `https`: certificate authorities in PEM; none means the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Postgres,
    Mysql,
    Kafka,
    Nats,
    Webhook,
    File,
}

/// What a database gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    #[default]
    Tables,
    Events,
    Both,
}

impl Mode {
    pub(crate) fn has_tables(self) -> bool {
        self != Self::Events
    }

    pub(crate) fn has_events(self) -> bool {
        self != Self::Tables
    }
}

/// Where a target that takes events only begins when it is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Begin {
    Oldest,
    Now,
}

/// In which order a webhook is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ordered {
    /// One after another.
    #[default]
    All,
    /// Those of one subject one after another, several subjects at a time.
    Subject,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SinkSettings {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) mode: Mode,
    pub(crate) topic: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) batch: Option<usize>,
    pub(crate) in_flight: Option<usize>,
    pub(crate) begin: Option<Begin>,
    #[serde(default)]
    pub(crate) ordered: Ordered,
    pub(crate) timeout_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetrySettings {
    pub(crate) first_ms: u64,
    pub(crate) factor: u64,
    pub(crate) max_ms: u64,
    pub(crate) alert_after: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { first_ms: 1_000, factor: 2, max_ms: 60_000, alert_after: 3 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertSettings {
    pub(crate) url: String,
}

/// When an event goes to the dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DeadSettings {
    pub(crate) after: DeadAfter,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) enum DeadAfter {
    /// The sink stops instead.
    #[default]
    Never,
    /// It was refused so often.
    Tries(u32),
}

impl TryFrom<toml::Value> for DeadAfter {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        let tries = value.as_integer().and_then(|tries| u32::try_from(tries).ok());
        match (value.as_str(), tries) {
            (Some("never"), _) => Ok(Self::Never),
            (None, Some(tries @ 1..)) => Ok(Self::Tries(tries)),
            _ => Err("dead.after is \"never\" or how often to try, 1 or more".to_owned()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateSettings {
    /// Positions of webhooks, and dead letters.
    pub(crate) directory: PathBuf,
}

impl Default for StateSettings {
    fn default() -> Self {
        Self { directory: PathBuf::from("sink-state") }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenSettings {
    pub(crate) metrics: String,
}

impl Config {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|cause| format!("{}: {cause}", show(file)))?;
        let config: Self =
            toml::from_str(&text).map_err(|told| format!("{}: {told}", show(file)))?;
        config.checked().map_err(|told| format!("{}: {told}", show(file)))
    }

    fn checked(self) -> Result<Self, String> {
        if self.source.urls.is_empty() {
            return Err("source.urls names no server".to_owned());
        }
        if self.sinks.is_empty() {
            return Err("there is no [[sink]]".to_owned());
        }
        if self.sinks.len() > SINKS_MAX {
            return Err(format!("more than {SINKS_MAX} sinks; use another process for the others"));
        }
        let webhooks = self.sinks.iter().filter(|sink| sink.kind == Kind::Webhook).count();
        if webhooks > WEBHOOKS_MAX {
            return Err(format!("more than {WEBHOOKS_MAX} webhooks; use another process"));
        }
        let mut names = HashSet::new();
        for sink in &self.sinks {
            sink.check().map_err(|told| format!("sink {:?}: {told}", sink.name))?;
            if !names.insert(&sink.name) {
                return Err(format!("two sinks are named {:?}", sink.name));
            }
        }
        let RetrySettings { first_ms, factor, max_ms, alert_after } = self.retry;
        if first_ms == 0 || factor == 0 || max_ms < first_ms || alert_after == 0 {
            let told =
                "retry: first_ms, factor and alert_after are 1 or more, max_ms at least first_ms";
            return Err(told.to_owned());
        }
        Ok(self)
    }

    pub(crate) fn sink(&self, name: &str) -> Option<&SinkSettings> {
        self.sinks.iter().find(|sink| sink.name == name)
    }
}

impl SinkSettings {
    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let named = (1..=64).contains(&self.name.len()) && self.name.bytes().all(plain);
        if !named || self.name.starts_with('.') {
            return Err("a name has 1 to 64 letters, digits, dots, lines and dashes".to_owned());
        }
        let schemes: &[&str] = match self.kind {
            Kind::Postgres => &["postgres://", "postgresql://"],
            Kind::Mysql => &["mysql://"],
            Kind::Kafka => &["kafka://"],
            Kind::Nats => &["nats://", "tls://"],
            Kind::Webhook => &["http://", "https://"],
            Kind::File => &["file://"],
        };
        if !schemes.iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(format!("its url begins with {}", schemes.join(" or ")));
        }
        if !(1..=BATCH_MAX).contains(&self.batch()) {
            return Err(format!("batch is 1 to {BATCH_MAX}"));
        }
        if !(1..=IN_FLIGHT_MAX).contains(&self.in_flight()) {
            return Err(format!("in_flight is 1 to {IN_FLIGHT_MAX}"));
        }
        if self.topic.is_some() && self.kind != Kind::Kafka {
            return Err("topic is for kafka".to_owned());
        }
        if self.subject.is_some() && self.kind != Kind::Nats {
            return Err("subject is for nats".to_owned());
        }
        let sql = matches!(self.kind, Kind::Postgres | Kind::Mysql);
        if self.mode != Mode::Tables && !sql {
            return Err("mode is for postgres and mysql".to_owned());
        }
        if self.begin.is_some() && sql && self.mode.has_tables() {
            return Err("tables begin with the state of now; begin is for events alone".to_owned());
        }
        if self.ordered == Ordered::Subject && self.batch.is_some_and(|batch| batch > 1) {
            return Err("ordered = \"subject\" sends single events; leave batch out".to_owned());
        }
        Ok(())
    }

    /// Events that go to the target at once.
    pub(crate) fn batch(&self) -> usize {
        let usual = if self.kind == Kind::Webhook { 1 } else { 2_000 };
        self.batch.unwrap_or(usual)
    }

    /// Events that are read before the target takes the batch before them.
    pub(crate) fn ahead(&self) -> usize {
        self.batch().max(self.in_flight()) * 2
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.unwrap_or(16)
    }

    /// The whole of a file of secrets, without what a text editor leaves at its end.
    pub(crate) fn secret(&self) -> Result<Option<String>, String> {
        self.secret_file.as_deref().map(read_secret).transpose()
    }
}

/// The text of a file of secrets.
pub(crate) fn read_secret(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|cause| format!("{}: {cause}", show(file)))?;
    match text.trim() {
        "" => Err(format!("{}: there is nothing in it", show(file))),
        text => Ok(text.to_owned()),
    }
}

fn show(file: &Path) -> std::path::Display<'_> {
    file.display()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(more: &str) -> String {
        let text = format!("[source]\nurls = [\"http://127.0.0.1:7070\"]\n{more}");
        let read = toml::from_str::<Config>(&text).map_err(|told| told.to_string());
        match read.and_then(Config::checked) {
            Ok(_) => "good".to_owned(),
            Err(told) => told,
        }
    }

    const FILE: &str = "[[sink]]\nname = \"f\"\nkind = \"file\"\nurl = \"file:///tmp/f\"\n";

    #[test]
    fn a_file_of_settings_is_read_and_its_mistakes_are_named() {
        assert_eq!(told(FILE), "good");
        for (more, part) in [
            ("", "no [[sink]]"),
            (&format!("{FILE}{FILE}"), "two sinks are named \"f\""),
            (&format!("{FILE}mode = \"events\"\n"), "mode is for"),
            (&format!("{FILE}batch = 0\n"), "batch is 1 to 10000"),
            (&format!("{FILE}colour = 1\n"), "unknown field `colour`"),
            (&FILE.replace("file:///", "http://"), "begins with file://"),
            (&FILE.replace("\"f\"", "\"../f\""), "a name has"),
            (&format!("{FILE}[dead]\nafter = 0\n"), "\"never\" or how often"),
            (&format!("{FILE}[retry]\nfirst_ms = 0\n"), "retry: first_ms"),
        ] {
            assert!(told(more).contains(part), "{more}: {}", told(more));
        }
        assert_eq!(told(&format!("{FILE}[dead]\nafter = 3\n")), "good");
        assert_eq!(told(&format!("{FILE}[dead]\nafter = \"never\"\n")), "good");
    }

    #[test]
    fn the_example_is_good() {
        let example = include_str!("../../../deploy/sink.toml");
        let read: Config = toml::from_str(example).expect("they are settings");
        assert_eq!(read.checked().map(|config| config.sinks.len()), Ok(3));
    }

    #[test]
    fn a_secret_is_what_a_file_has_without_its_last_line_feed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        assert!(read_secret(&file).unwrap_err().contains("No such file"));
        fs::write(&file, "\n").expect("it is written");
        assert!(read_secret(&file).unwrap_err().contains("nothing in it"));
        fs::write(&file, "pass word\n").expect("it is written");
        assert_eq!(read_secret(&file).unwrap(), "pass word");
    }
}

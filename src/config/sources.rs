//! Where values come from, and which goes before which.
//!
//! Flags go over environment, environment over file, file over default; an unknown key is an error
//! wherever it stands. Owns no bounds: those are the table's. Next: `table`, `relations`,
//! `environment`.

use super::environment::{self, Whose};
use super::error::ConfigError;
use super::relations::check_relations;
use super::setting::{Setting, environment_name};
use super::table::{self, settings};
use super::values::Config;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Reads the settings again, from where they came from at the start.
pub type Reread = Box<dyn Fn() -> Result<Config, ConfigError> + Send>;

/// Values by setting name, as text, with where they came from; later ones win.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    values: BTreeMap<&'static str, (String, String)>,
}

impl Sources {
    /// Takes a value. A later one for the same setting wins.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn set(&mut self, origin: &str, name: &str, value: String) -> Result<(), ConfigError> {
        let unknown = || ConfigError::Unknown { origin: origin.into(), name: name.into() };
        let entry = table::find(name).ok_or_else(unknown)?;
        self.values.insert(entry.name, (value, origin.to_owned()));
        Ok(())
    }

    /// Takes a TOML file; tables stand for dotted names.
    ///
    /// # Errors
    /// When it does not parse, or names a setting that does not exist.
    pub fn file(&mut self, file: &str, text: &str) -> Result<(), ConfigError> {
        let bad = |cause: String| ConfigError::File { file: file.to_owned(), cause };
        let parsed: toml::Table = text.parse().map_err(|error| bad(format!("{error}")))?;
        self.table(file, "", &parsed)
    }

    fn table(&mut self, file: &str, prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = format!("{prefix}{key}");
            let unknown = || ConfigError::Unknown { origin: file.into(), name: name.clone() };
            if let toml::Value::Table(inner) = value {
                let below = format!("{name}.");
                let known = settings().any(|entry| entry.name.starts_with(&below));
                known.then_some(()).ok_or_else(unknown)?;
                self.table(file, &below, inner)?;
                continue;
            }
            // A quoted key with dots would be a second way to write the same name.
            let entry = table::find(&name).filter(|_| !key.contains('.')).ok_or_else(unknown)?;
            let text = entry.kind.text(value).ok_or_else(|| ConfigError::Value {
                origin: file.to_owned(),
                name: entry.name,
                value: value.to_string(),
                bounds: entry.bounds,
            })?;
            self.set(file, &name, text)?;
        }
        Ok(())
    }

    /// Takes the environment's `DOORBUSTER_…` variables, but for what a cluster sets for a Service
    /// of this name, and what the tools read.
    ///
    /// # Errors
    /// When another one names no setting, or is not UTF-8.
    pub fn environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        const ORIGIN: &str = "environment";
        for (variable, value) in variables {
            let variable = variable.to_string_lossy();
            if !variable.starts_with("DOORBUSTER_") {
                continue;
            }
            let entry = settings().find(|entry| environment_name(entry.name) == variable);
            let Some(entry) = entry else {
                match environment::whose(&variable) {
                    Whose::Others => continue,
                    Whose::Service => {
                        return Err(ConfigError::ServiceLink { name: variable.to_string() });
                    }
                    Whose::Nobody => {
                        let (origin, name) = (ORIGIN.into(), variable.to_string());
                        return Err(ConfigError::Unknown { origin, name });
                    }
                }
            };
            let value = value.into_string().map_err(|value| ConfigError::Value {
                origin: ORIGIN.into(),
                name: entry.name,
                value: value.to_string_lossy().into_owned(),
                bounds: "UTF-8",
            })?;
            self.set(ORIGIN, entry.name, value)?;
        }
        Ok(())
    }

    /// The value of each setting as text, with where it came from.
    pub fn effective(&self) -> impl Iterator<Item = (&'static Setting, &str, &str)> {
        settings().map(|entry| match self.values.get(entry.name) {
            Some((value, origin)) => (entry, value.as_str(), origin.as_str()),
            None => (entry, entry.default, "default"),
        })
    }

    /// The settings.
    ///
    /// # Errors
    /// When a value is out of its bounds, or two contradict each other.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut config = table::blank();
        for (entry, value, origin) in self.effective() {
            (entry.take)(&mut config, value).ok_or_else(|| ConfigError::Value {
                origin: origin.to_owned(),
                name: entry.name,
                value: value.to_owned(),
                bounds: entry.bounds,
            })?;
        }
        check_relations(&config)?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Durability;
    use super::*;
    use crate::domain::model::settings::Settings;

    fn check(set: &[(&str, &str)], expect: Result<(), &str>) {
        let mut sources = Sources::default();
        let result = set
            .iter()
            .try_for_each(|(name, value)| sources.set("flag", name, (*value).to_owned()))
            .and_then(|()| sources.config().map(drop));
        match (result, expect) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (result, expect) => panic!("{set:?} gave {result:?}, not {expect:?}"),
        }
    }

    #[test]
    fn the_defaults_are_the_ones_of_the_contract() {
        let config = Sources::default().config().unwrap();
        assert_eq!(config.rules, Settings::default());
        assert_eq!(config.listen.to_string(), "127.0.0.1:7070");
        assert_eq!(config.durability, Durability::Group);
        assert!(!config.accept_clock && !config.insecure);
    }

    #[test]
    fn values_out_of_bounds_and_unknown_names_are_errors() {
        check(&[("hold_ms_default", "1000")], Ok(()));
        check(&[("hold_ms_default", "0")], Err("hold_ms_default is \"0\", but must be"));
        check(&[("hold_ms_defualt", "1")], Err("there is no setting hold_ms_defualt"));
        check(&[("durability", "interval:10")], Ok(()));
        check(&[("durability", "interval:0")], Err("group, os, or interval:MS"));
        check(&[("durability", "always")], Err("group, os, or interval:MS"));
        check(&[("journal.segment_bytes", "262144")], Ok(()));
        check(&[("journal.segment_bytes", "262145")], Err("multiple of 4,096"));
        check(&[("listen", "0.0.0.0:7070")], Err("--insecure"));
        check(&[("listen", "0.0.0.0:7070"), ("insecure", "true")], Ok(()));
        check(&[("listen", "0.0.0.0:7070"), ("auth.tokens_file", "t.toml")], Ok(()));
        check(&[("listen", "0.0.0.0:7070"), ("auth.tokens_file", "")], Err("auth.tokens_file"));
        check(&[("tls.cert", "c.pem"), ("tls.key", "k.pem")], Ok(()));
        check(&[("tls.cert", "c.pem")], Err("go together"));
        check(&[("tls.key", "k.pem")], Err("go together"));
        check(&[("address.proxy_protocol", "on")], Err("name the proxies"));
        let proxied = [("address.proxy_protocol", "on"), ("address.trusted_proxies", "::1")];
        check(&proxied, Ok(()));
        check(&[("address.proxy_protocol", "true")], Err("must be off or on"));
        check(&[("listen", "localhost")], Err("an address or a host name, and a port"));
        check(&[("listen", "localhost:7070")], Ok(()));
        check(&[("orders.retain_ms", "1000")], Err("must not be below idempotency.retain_ms"));
    }

    #[test]
    fn flags_go_over_environment_over_file() {
        let mut sources = Sources::default();
        sources
            .file("a.toml", "hold_ms_max = 5\nio_threads = 2\n[orders]\nretain_ms = 86400001")
            .unwrap();
        let variables = [
            ("DOORBUSTER_HOLD_MS_MAX", "6"),
            ("DOORBUSTER_ORDERS_RETAIN_MS", "86400002"),
            ("HOME", "x"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        sources.environment(variables.into_iter()).unwrap();
        sources.set("flag", "orders.retain_ms", "86400003".to_owned()).unwrap();
        let config = sources.config().unwrap();
        assert_eq!((config.rules.hold_ms_max, config.io_threads), (6, 2));
        assert_eq!(config.rules.orders_retain_ms, 86_400_003);
        let typo = [("DOORBUSTER_HOLD_MAX".into(), "6".into())];
        assert!(sources.environment(typo.into_iter()).is_err());
        let link = [("DOORBUSTER_METRICS_PORT".into(), "tcp://10.0.0.1:9090".into())];
        let told = sources.environment(link.into_iter()).unwrap_err().to_string();
        assert!(told.contains("DOORBUSTER_METRICS_PORT") && told.contains("enableServiceLinks"));
        assert!(sources.file("b.toml", "[orders]\nretain = 1").is_err());
        assert!(sources.file("b.toml", "orders = [").is_err());
    }

    #[test]
    fn a_file_says_each_setting_in_one_way_and_of_its_kind() {
        let fails = |text: &str| assert!(Sources::default().file("a", text).is_err(), "{text}");
        for text in ["[limits]", "[listen]", "data = 5", "data = [\"a\"]", "accept_clock = 1"] {
            fails(text);
        }
        fails("hold_ms_max = \"600000\"");
        fails("\"idempotency.retain_ms\" = 5000");
        for text in ["io_threads = 2", "io_threads = \"auto\"", "[snapshots]\nkeep = \"all\""] {
            assert!(Sources::default().file("a", text).is_ok(), "{text}");
        }
    }
}

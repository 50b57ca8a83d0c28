//! What a setting is: a row of a table.
//!
//! Owns its form in the file and its name in the environment. Never its value. Next: `table`.

use super::values::Config;

#[derive(Debug)]
pub struct Setting {
    /// Its name in the file; dots separate tables.
    pub name: &'static str,
    /// What it is written as in the file.
    pub kind: Kind,
    /// Its default, as text.
    pub default: &'static str,
    /// What it may be, to be read after "must be".
    pub bounds: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// Takes a text; none if it is out of bounds.
    pub(super) take: fn(&mut Config, &str) -> Option<()>,
}

/// What a setting is written as in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// true or false.
    Flag,
    /// An integer, or a word as a string.
    NumberOrWord,
}

impl Kind {
    /// The value as text, if it is of this kind.
    pub(super) fn text(self, value: &toml::Value) -> Option<String> {
        match (self, value) {
            (Self::Text | Self::NumberOrWord, toml::Value::String(text)) => Some(text.clone()),
            (Self::Number | Self::NumberOrWord, toml::Value::Integer(number)) => {
                Some(number.to_string())
            }
            (Self::Flag, toml::Value::Boolean(flag)) => Some(flag.to_string()),
            _ => None,
        }
    }
}

/// A setting's name in the environment.
#[must_use]
pub fn environment_name(name: &str) -> String {
    format!("DOORBUSTER_{}", name.replace('.', "_").to_uppercase())
}

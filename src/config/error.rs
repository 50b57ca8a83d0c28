//! Why settings cannot be used, in the words that an operator reads.
//!
//! Never decides that: the tables, `sources` and `relations` do.

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No setting has this name.
    #[error("{origin}: there is no setting {name}; `doorbuster config` lists them all")]
    Unknown {
        /// File, environment or flag.
        origin: String,
        name: String,
    },
    /// A variable that is no setting and has the form of what a cluster sets.
    #[error(
        "environment: there is no setting {name}; `doorbuster config` lists them all. If it comes \
         from a Kubernetes Service, say `enableServiceLinks: false` in the pod's specification"
    )]
    ServiceLink { name: String },
    /// The value does not fit the setting.
    #[error("{origin}: {name} is {value:?}, but must be {bounds}")]
    Value {
        /// File, environment or flag.
        origin: String,
        name: &'static str,
        value: String,
        /// What it may be.
        bounds: &'static str,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Relation(String),
    /// The file is no TOML of settings.
    #[error("{file}: {cause}")]
    File {
        file: String,
        /// What is wrong with it.
        cause: String,
    },
}

//! Every setting: its name, default, bounds, and where it may come from.
//!
//! Settings that decide outcomes end in `rules` and are journaled; the others shape only this
//! process. Read `setting` (what a setting is), `table` (the common ones), `table_http`,
//! `table_log`, `table_cluster`, `table_replication`, `table_admission` (the others), `bounds` and
//! `admission` (how their texts are read), `values` (what comes of them), `listen`, then `sources`
//! (flags, environment, file), `environment`, `relations` and `relations_cluster` (which settings
//! contradict each other), `error`.

mod admission;
mod bounds;
mod environment;
mod error;
mod listen;
mod relations;
mod relations_cluster;
mod setting;
mod sources;
mod table;
mod table_admission;
mod table_cluster;
mod table_http;
mod table_log;
mod table_replication;
mod values;

pub use admission::{AdmissionSettings, Rate};
pub use error::ConfigError;
pub use listen::Listen;
pub use setting::{Kind, Setting, environment_name};
pub use sources::{Reread, Sources};
pub use table::settings;
pub use values::{
    ClusterSettings, Config, Durability, HttpSettings, LogFormat, LogLevel, LogSettings,
    ReplicationMode, ReplicationSettings, Wait, WhenAlone,
};

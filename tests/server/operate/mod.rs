//! What an operator sets, reads and starts.
//!
//! - `command_line`: help, completions, the manual page, host names
//! - `configuration`: flags, environment and file
//! - `output`: standard output that takes nothing
//! - `logging`: lines on standard error
//! - `notified`: under a service manager, and its unit file
//! - `operations`: probes, status and settings that a client can feel
//! - `observe`: latencies and metrics, the dashboard and alerts
//! - `modes`: read-only, and a drain over HTTP
//! - `permissions`: who may read what is written
//! - `core_dumps`: no core unless it is asked for
//! - `file_limit`: a limit on the size of files

pub(crate) mod command_line;
pub(crate) mod configuration;
pub(crate) mod core_dumps;
pub(crate) mod file_limit;
pub(crate) mod logging;
pub(crate) mod modes;
pub(crate) mod notified;
pub(crate) mod observe;
pub(crate) mod operations;
pub(crate) mod output;
pub(crate) mod permissions;

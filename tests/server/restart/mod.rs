//! How a server ends and starts again, in good order or not.
//!
//! - `stops`: orderly stops, and what a start changes
//! - `drain`: SIGTERM under load
//! - `signals`: signals before the server serves
//! - `crash`: `kill -9` under load; what matters most
//! - `damage`: a journal whose end was lost
//! - `failing`: starts at which a call to the disk fails
//! - `restored`: an old copy of the directory is put back
//! - `directory`: one directory and one port have one server

pub(crate) mod crash;
pub(crate) mod damage;
pub(crate) mod directory;
pub(crate) mod drain;
pub(crate) mod failing;
pub(crate) mod restored;
pub(crate) mod signals;
pub(crate) mod stops;

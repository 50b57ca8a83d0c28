//! Many commands in one request: `POST /v1/batch` (API 5).
//!
//! - `promises`: its keys, its order, its bounds
//! - `alone`: each line is answered as if it had been sent alone
//! - `faults`: streams at fault, and what is refused before the first line

pub(crate) mod alone;
pub(crate) mod faults;
pub(crate) mod promises;

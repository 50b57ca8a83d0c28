//! Keeps the memory of this process out of core dumps: it holds tokens, keys and the seeds of
//! draws, and a server that can no longer trust what it knows aborts on purpose.
//!
//! Owns one limit of the process, which its threads and children share. Never dumps anything. Next:
//! `server`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// A core file may have this many bytes, which is less than any has, so none is written. It is not
/// 0: where the system hands cores to a program (a `|` in `kernel.core_pattern`) it looks at no
/// limit but this one, which it takes to mean none (`core(5)`).
const CORE_BYTES_MAX: u64 = 1;

/// Lets no core of this process be dumped, and lets nothing allow it again.
///
/// # Errors
/// When the system does not take the limit.
pub(crate) fn prevent() -> io::Result<()> {
    // One that is 0 already cannot be raised.
    let maximum = getrlimit(Resource::Core).maximum;
    let bytes = Some(maximum.map_or(CORE_BYTES_MAX, |maximum| maximum.min(CORE_BYTES_MAX)));
    Ok(setrlimit(Resource::Core, Rlimit { current: bytes, maximum: bytes })?)
}

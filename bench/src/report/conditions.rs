//! What the generator runs on, as the system says it.

use super::summary::Machine;
use std::fs;

/// This machine.
pub(crate) fn machine() -> Machine {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    Machine {
        cpu: field("/proc/cpuinfo", "model name", ':'),
        cores,
        memory: memory(&field("/proc/meminfo", "MemTotal", ':')),
        system: field("/etc/os-release", "PRETTY_NAME", '=').trim_matches('"').to_owned(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
    }
}

/// The day by the system's clock, in UTC.
pub(crate) fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cpu, cores, memory, system, kernel } = self;
        write!(f, "{cores} cores ({cpu}), {memory}, {system}, Linux {kernel}")
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The first line's value that begins with a name.
fn field(file: &str, name: &str, joint: char) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| {
        let (own, value) = line.split_once(joint)?;
        (own.trim() == name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_else(unknown)
}

/// The system counts in kibibytes.
fn memory(kib: &str) -> String {
    let count: Option<u64> = kib.strip_suffix(" kB").and_then(|count| count.parse().ok());
    count.map_or_else(unknown, |kib| format!("{:.1} GiB", kib as f64 / 1024.0 / 1024.0))
}

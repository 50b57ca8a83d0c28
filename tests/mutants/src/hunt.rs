//! The hunt: one build, then the simulator against each mutant.
//!
//! Owns the command lines, and what an answer of the simulator means. A simulator that ends in a
//! way of its own has found nothing. Never looks into a run. Next: `tests/sim/src/search.rs`.

use crate::copy::{self, CopyError};
use crate::mutant::{Made, Mutant};
use crate::switched::CHOSEN;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Seeds whose traces are written down.
const TRACED_SEEDS: u64 = 25;

/// The hunt could not be held.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// The copy could not be made.
    #[error("{0}")]
    Copy(#[from] CopyError),
    /// A program could not be run, or a file not be read.
    #[error("{what}: {cause}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        cause: io::Error,
    },
    /// The copy does not build.
    #[error("the mutants do not build\n{0}")]
    Build(String),
    /// With no mutant chosen the copy does not do what the product does.
    #[error("without a mutant the traces are {found}, not {expected}")]
    Control {
        /// What the copy's simulator did.
        found: String,
        /// What the product's does.
        expected: String,
    },
    /// The simulator ended in a way of its own.
    #[error("the simulator ended with {0}")]
    Simulator(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> HuntError {
    |cause| HuntError::Io { what: what.into(), cause }
}

/// What found a mutant.
#[derive(Debug)]
pub struct Finding {
    /// The rule that does not hold, and the seed.
    pub by: String,
    /// Seeds that were needed; none of a drill.
    pub seeds: u64,
}

impl Finding {
    /// Reads what the simulator says.
    fn read(found: &str) -> Self {
        let seed = found.split_once(" (seed ").and_then(|(_, rest)| rest.strip_suffix(')'));
        let seeds = seed.and_then(|seed| seed.parse().ok()).unwrap_or(0);
        Self { by: found.to_owned(), seeds }
    }
}

/// The simulator of the copy.
#[derive(Debug)]
pub struct Simulator {
    program: PathBuf,
}

impl Simulator {
    /// Brings the copy up to date and builds it, below Cargo's folder `target`.
    ///
    /// # Errors
    /// [`HuntError`].
    pub fn build(root: &Path, target: &Path, mutants: &[Mutant]) -> Result<Self, HuntError> {
        let source = target.join("mutants").join("source");
        copy::make(root, &source, mutants)?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // The settings of Cargo are those of the workspace.
        cargo.current_dir(root).args(["build", "--locked", "--package", "doorbuster-sim"]);
        cargo.arg("--manifest-path").arg(source.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(target).args(["--message-format", "json-render-diagnostics"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.stdin(Stdio::null()).output().map_err(io_error("cargo"))?;
        let told = || HuntError::Build(String::from_utf8_lossy(&output.stderr).into_owned());
        if !output.status.success() {
            return Err(told());
        }
        let built = executable(&output.stdout).ok_or_else(told)?;
        // Its place is that of the product's simulator, too.
        let program = target.join("mutants").join("simulator");
        std::fs::copy(&built, &program).map_err(io_error(built.display().to_string()))?;
        Ok(Self { program })
    }

    /// Checks that the copy does what the product does as long as no mutant is chosen.
    ///
    /// # Errors
    /// [`HuntError::Control`] if it does not.
    pub fn check_control(&self, root: &Path) -> Result<(), HuntError> {
        let kept = root.join("tests/sim/tests/traces.txt");
        let expected = std::fs::read_to_string(&kept).map_err(io_error("traces.txt"))?;
        let mut all = 0_u64;
        for seed in 1..=TRACED_SEEDS {
            let output = self.run(&["--seed", &seed.to_string()], None)?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let trace = text.lines().next().and_then(|line| line.split_once(" trace "));
            let trace = trace.and_then(|(_, trace)| u64::from_str_radix(trace, 16).ok());
            let trace = trace.filter(|_| output.status.success());
            all = all.rotate_left(1) ^ trace.ok_or_else(|| ended(&output))?;
        }
        let (found, expected) = (format!("{all:016x}"), expected.trim().to_owned());
        if found == expected { Ok(()) } else { Err(HuntError::Control { found, expected }) }
    }

    /// What finds this mutant within so many seeds; none if nothing does.
    ///
    /// # Errors
    /// [`HuntError::Simulator`] where that cannot be said.
    pub fn hunt(
        &self,
        number: usize,
        mutant: &Mutant,
        seeds_max: u64,
    ) -> Result<Option<Finding>, HuntError> {
        let seeds = seeds_max.to_string();
        let mut arguments = vec!["--until-found", "--seeds", &seeds];
        if mutant.on_two_machines {
            arguments.push("--replicated");
        }
        let output = match mutant.made {
            Made::Edits(_) => self.run(&arguments, Some(number))?,
            Made::Lie => {
                arguments.extend(["--lie", mutant.name]);
                self.run(&arguments, None)?
            }
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.lines().find_map(|line| line.strip_prefix("found: "));
        match (output.status.code(), found) {
            (Some(0), None) => Ok(None),
            (Some(1), Some(found)) => Ok(Some(Finding::read(found))),
            _ => Err(ended(&output)),
        }
    }

    fn run(&self, arguments: &[&str], chosen: Option<usize>) -> Result<Output, HuntError> {
        let mut simulator = Command::new(&self.program);
        simulator.args(arguments).stdin(Stdio::null()).env_remove(CHOSEN);
        if let Some(number) = chosen {
            simulator.env(CHOSEN, number.to_string());
        }
        simulator.output().map_err(io_error(self.program.display().to_string()))
    }
}

fn ended(output: &Output) -> HuntError {
    let told = String::from_utf8_lossy(&output.stderr);
    HuntError::Simulator(format!("{}\n{told}", output.status))
}

/// The program in what Cargo tells of a build.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(messages).ok()?;
    let messages = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let mut programs = messages.filter_map(|message: serde_json::Value| {
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    programs.next_back()
}

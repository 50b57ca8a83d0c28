//! Which lines and arms of the parts that must not fail no test comes to.
//!
//! `measure` runs the tests with the compiler's own counters and calls this with the folder of
//! counts and the programs that counted. A *region* is what the compiler counts: code that runs as
//! a whole, so each arm, each closure, and the way out of each `?` is one. A line is hit if a
//! region on it is, which an error arm on the same line hides; so the list is of regions, not of
//! lines. Never decides what is enough. Next: `docs/PROOF.md`.

use llvm_profparser::coverage::SourceLocation;
use llvm_profparser::coverage::coverage_mapping::CoverageMapping;
use llvm_profparser::merge_profiles;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, error, fs};

/// What is looked at, under the names of the table in `docs/PROOF.md`.
const GROUPS: &[(&str, &[&str])] = &[
    ("domain", &["src/domain/"]),
    ("codec and snapshots", &["src/codec/", "snapshots/src/"]),
    ("journal, with its repair", &["journal/src/"]),
    (
        "recovery and repair",
        &["src/engine/recovery/mod.rs", "src/engine/replay/mod.rs", "src/engine/replay/", "src/engine/recheck/mod.rs", "tools/src/repair.rs"],
    ),
];

type Regions = BTreeMap<SourceLocation, usize>;

fn main() -> Result<(), Box<dyn error::Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let counts = arguments.next().ok_or("say where the counts are, then the programs")?;
    let programs: Vec<PathBuf> = arguments.collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let counts: Vec<PathBuf> =
        fs::read_dir(counts)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    let profile = merge_profiles(&counts)?;
    let mapping = CoverageMapping::new(&programs, &profile, false)?;
    let report =
        mapping.generate_subreport(|paths| paths.iter().any(|path| path.starts_with(&root)))?;
    let mut table = Vec::new();
    for (group, places) in GROUPS {
        println!("# {group}\n");
        let mut sum = Sum::default();
        for (path, result) in &report.files {
            let Ok(path) = path.strip_prefix(&root) else { continue };
            let path = path.display().to_string();
            if places.iter().any(|place| path.starts_with(place)) && !path.ends_with("_tests.rs") {
                sum.add(&path, &fs::read_to_string(root.join(&path))?, &result.hits);
            }
        }
        table.push(format!("| {group} | {} |", sum.row()));
    }
    println!("| group | lines | hit | | regions | hit | |\n|---|---:|---:|---:|---:|---:|---:|");
    println!("{}", table.join("\n"));
    Ok(())
}

#[derive(Default)]
struct Sum {
    lines: usize,
    lines_hit: usize,
    regions: usize,
    regions_hit: usize,
}

impl Sum {
    /// Counts a file and tells what is not hit in it.
    fn add(&mut self, path: &str, text: &str, regions: &Regions) {
        let text: Vec<&str> = text.lines().collect();
        let end = tests_start(&text);
        let mut lines = BTreeMap::<usize, bool>::new();
        let mut missed = Vec::new();
        for (place, &count) in regions.iter().filter(|(place, _)| place.line_start <= end) {
            self.regions += 1;
            self.regions_hit += usize::from(count > 0);
            if count == 0 {
                missed.push(place);
            }
            for line in place.line_start..=place.line_end {
                if holds_code(text.get(line - 1).unwrap_or(&"")) {
                    *lines.entry(line).or_default() |= count > 0;
                }
            }
        }
        let lines_missed: BTreeSet<_> =
            lines.iter().filter(|(_, hit)| !**hit).map(|(line, _)| *line).collect();
        self.lines += lines.len();
        self.lines_hit += lines.len() - lines_missed.len();
        for place in missed {
            let whole = lines_missed.contains(&place.line_start);
            let part = if whole { "" } else { "   (a part of the line)" };
            println!("{path}:{}: {}{part}", place.line_start, shown(&text, place));
        }
    }

    fn row(&self) -> String {
        let percent = |hit, all| 100.0 * hit as f64 / all as f64;
        format!(
            "{} | {} | {:.1} % | {} | {} | {:.1} %",
            self.lines,
            self.lines_hit,
            percent(self.lines_hit, self.lines),
            self.regions,
            self.regions_hit,
            percent(self.regions_hit, self.regions),
        )
    }
}

/// The number of lines before the tests of a file, which come last.
fn tests_start(text: &[&str]) -> usize {
    let starts = |pair: &[&str]| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    };
    text.windows(2).position(starts).unwrap_or(text.len())
}

/// More than brackets and a comment.
fn holds_code(line: &str) -> bool {
    let line = line.trim();
    !line.starts_with("//") && line.chars().any(char::is_alphanumeric)
}

/// What a region says, on one line.
fn shown(text: &[&str], place: &SourceLocation) -> String {
    let line = text.get(place.line_start - 1).copied().unwrap_or_default();
    let from = place.column_start.saturating_sub(1);
    let to = if place.line_end == place.line_start { place.column_end - 1 } else { line.len() };
    let piece = line.get(from..to.min(line.len())).unwrap_or(line).trim();
    if piece == "?" { format!("the `?` of {}", line.trim()) } else { piece.to_owned() }
}

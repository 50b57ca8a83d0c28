//! What says that a backup is whole, and what it holds: `BACKUP.json`, which comes last, and
//! `SHA256SUMS`, which `sha256sum -c` reads, too.
//!
//! Owns the two files, in both directions, and the comparison of a backup with them. Believes
//! nothing that it reads: names are those of our files or refused. Never repairs.

use super::paced::Meter;
use super::staging::{UNFINISHED, io_error};
use crate::inspect::Trouble;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// What a backup holds; a directory without it is none.
pub(super) const FACTS: &str = "BACKUP.json";
/// The hash of every file but itself.
pub(super) const SUMS: &str = "SHA256SUMS";
/// The version of both.
const FORMAT: u64 = 1;
/// Both files are far shorter, in bytes.
const LISTING_BYTES_MAX: u64 = 64 << 20;
/// Hashed at once, in bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// What a backup says that it holds.
pub(super) struct Promise {
    pub(super) sequence: u64,
    pub(super) digest: String,
}

/// The text of `BACKUP.json`.
pub(super) fn facts_text(facts: &[(&'static str, Value)]) -> String {
    let mut object = json!({ "format": FORMAT });
    for (name, value) in facts {
        object[*name] = value.clone();
    }
    format!("{object:#}\n")
}

/// Hashes every file of a backup that is being made.
pub(super) fn sums_text(root: &Path, meter: &Meter) -> Result<String, Trouble> {
    let mut text = String::new();
    for name in files(root)? {
        let hash = hash(&root.join(&name), meter)?;
        text.push_str(&format!("{hash}  {name}\n"));
    }
    Ok(text)
}

/// Compares a backup with what it says of itself. None where the directory says nothing: it is a
/// data directory, or a copy of one.
pub(super) fn check(root: &Path, meter: &Meter) -> Result<Option<Promise>, Trouble> {
    if root.join(UNFINISHED).exists() {
        return Err(Trouble::Damage(format!(
            "{} holds no finished backup: {} shows that it was interrupted, or is still being made",
            root.display(),
            root.join(UNFINISHED).display(),
        )));
    }
    let (facts, sums) = (read(root, FACTS)?, read(root, SUMS)?);
    let (facts, sums) = match (facts, sums) {
        (None, None) => return Ok(None),
        (Some(facts), Some(sums)) => (facts, sums),
        (None, Some(_)) => return Err(incomplete(root, FACTS)),
        (Some(_), None) => return Err(incomplete(root, SUMS)),
    };
    let mut expected = parse_sums(root, &sums)?;
    for name in files(root)? {
        let Some(sum) = expected.remove(&name) else {
            let told = format!("{} is not of this backup", root.join(&name).display());
            return Err(Trouble::Damage(format!("{told}: {SUMS} does not name it")));
        };
        if hash(&root.join(&name), meter)? != sum {
            return Err(Trouble::Damage(format!(
                "{} is damaged: it is not what was backed up, its hash is not the one in {SUMS}",
                root.join(&name).display(),
            )));
        }
    }
    if let Some((missing, _)) = expected.pop_first() {
        return Err(incomplete(root, &missing));
    }
    promise(root, &facts).map(Some)
}

fn incomplete(root: &Path, missing: &str) -> Trouble {
    Trouble::Damage(format!("{} is not a whole backup: {missing} is missing", root.display(),))
}

fn promise(root: &Path, facts: &str) -> Result<Promise, Trouble> {
    let bad = |what: &str| Trouble::Damage(format!("{}: {what}", root.join(FACTS).display()));
    let facts: Value = serde_json::from_str(facts).map_err(|_| bad("it is not JSON"))?;
    match facts["format"].as_u64() {
        Some(FORMAT) => {}
        Some(format) => return Err(bad(&format!("format {format} is newer than this tool"))),
        None => return Err(bad("it names no format")),
    }
    let sequence = facts["seq"].as_u64().ok_or_else(|| bad("it names no seq"))?;
    let digest = facts["digest"].as_str().ok_or_else(|| bad("it names no digest"))?;
    Ok(Promise { sequence, digest: digest.to_owned() })
}

fn parse_sums(root: &Path, text: &str) -> Result<BTreeMap<String, String>, Trouble> {
    let mut sums = BTreeMap::new();
    for (line, number) in text.lines().zip(1_u64..) {
        let entry = line.split_once("  ").filter(|(hash, name)| {
            hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_ours(name)
        });
        let Some((hash, name)) = entry else {
            let place = root.join(SUMS).display().to_string();
            return Err(Trouble::Damage(format!(
                "{place}, line {number}: it is no hash of a file"
            )));
        };
        sums.insert(name.to_owned(), hash.to_ascii_lowercase());
    }
    Ok(sums)
}

/// A file that a backup may have, by its name from the top.
fn is_ours(name: &str) -> bool {
    let plain = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    match name.split_once('/') {
        Some(("journal", file)) => plain(file) && file.ends_with(".segment"),
        Some(("snapshots", file)) => plain(file) && file.ends_with(".image"),
        Some(_) => false,
        None => name == FACTS,
    }
}

/// The files of a backup that have a hash, sorted.
fn files(root: &Path) -> Result<Vec<String>, Trouble> {
    let mut found = vec![FACTS.to_owned()];
    for folder in ["journal", "snapshots"] {
        let path = root.join(folder);
        let entries = match fs::read_dir(&path) {
            // A copy may have lost a directory with nothing in it.
            Err(cause) if cause.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(io_error("read", &path))?,
        };
        for entry in entries {
            let entry = entry.map_err(io_error("read", &path))?;
            found.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
        }
    }
    found.sort();
    Ok(found)
}

fn read(root: &Path, name: &str) -> Result<Option<String>, Trouble> {
    let path = root.join(name);
    let file = match File::open(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io_error("open", &path))?,
    };
    let mut text = String::new();
    match file.take(LISTING_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(cause) if cause.kind() == ErrorKind::InvalidData => {
            Err(Trouble::Damage(format!("{} is damaged: it is not text", path.display())))
        }
        Err(cause) => Err(io_error("read", &path)(cause)),
    }
}

fn hash(path: &Path, meter: &Meter) -> Result<String, Trouble> {
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let bytes = file.read(&mut block).map_err(io_error("read", path))?;
        if bytes == 0 {
            let hash = hasher.finalize();
            return Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&block[..bytes]);
        meter.spend_on_copy(&block[..bytes]).map_err(io_error("read", path))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_names_only_files_of_ours() {
        for name in ["journal/00000001.segment", "snapshots/image-7.image", FACTS] {
            assert!(is_ours(name), "{name}");
        }
        for name in [
            "",
            "journal/",
            "journal/x",
            "journal/../x.segment",
            "journal/a/b.segment",
            "/etc/passwd",
            "../journal/1.segment",
            "snapshots/1.segment",
            SUMS,
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}

//! A tokens file in the making, and servers that read it.
//!
//! Owns how a token is written there. Never asks anything. Next: `process`.

use crate::process::Launch;
use crate::target::Target;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// A tokens file.
pub struct TokensFile {
    path: PathBuf,
}

/// An entry of it: name, role, token, and what else stands there.
pub type Entry<'e> = (&'e str, &'e str, &'e str, &'e str);

impl TokensFile {
    /// Beside a server's data.
    pub fn beside(data: &Path, entries: &[Entry<'_>]) -> Self {
        let file = Self { path: data.join("tokens.toml") };
        file.hold(entries);
        file
    }

    /// From here on these stand in it, at once.
    pub fn hold(&self, entries: &[Entry<'_>]) {
        let text: String = entries.iter().map(|entry| line(*entry)).collect();
        self.say(&text);
    }

    /// From here on it is this text, at once.
    pub fn say(&self, text: &str) {
        let next = self.path.with_extension("next");
        fs::write(&next, text).expect("a file is written");
        fs::rename(next, &self.path).expect("a file is renamed");
    }

    /// A server that reads it.
    pub fn launch(&self, target: Target) -> Launch {
        let data = self.path.with_file_name("data");
        let path = self.path.to_str().expect("a path in UTF-8");
        target.launch(&data).small().variable("AUTH_TOKENS_FILE", path)
    }
}

fn line((name, role, token, more): Entry<'_>) -> String {
    let hash: String =
        Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n{more}\n")
}

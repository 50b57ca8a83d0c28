//! What clients note: requests as they were sent, answers as they came, and the order of both.
//!
//! Owns the one counter of moments, and the file that notes are kept in. Next: `judge`.

use crate::answers::Said;
use doorbuster_test_support::client::Ask;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Tokens have these names; the last one may do everything, the others buy.
pub(crate) const PRINCIPALS: [&str; 3] = ["east", "west", "admin"];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// One request sent once.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) who: &'static str,
    pub(crate) ask: Ask,
    pub(crate) sent: u64,
    pub(crate) heard: Option<(u64, Said)>,
}

/// All that is noted, in the order of sending.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    moment: u64,
    notes: Vec<Note>,
}

impl Notes {
    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// Before it is sent.
    pub(crate) fn ask(&mut self, who: &'static str, ask: Ask) -> usize {
        let sent = self.next_moment();
        self.notes.push(Note { who, ask, sent, heard: None });
        self.notes.len() - 1
    }

    /// After it was heard.
    pub(crate) fn hear(&mut self, note: usize, said: Said) {
        let at = self.next_moment();
        let before = self.notes[note].heard.replace((at, said));
        assert!(before.is_none(), "a request that was sent once is answered once");
    }

    pub(crate) fn all(&self) -> &[Note] {
        &self.notes
    }
}

/// Writes notes to a file, one a line.
pub(crate) fn save(notes: &[Note], file: &Path) {
    let mut text = String::new();
    for note in notes {
        let heard = note.heard.as_ref().map(|(at, said)| {
            json!({"at": at, "status": said.status, "replayed": said.replayed, "body": said.body})
        });
        let Ask { method, path, headers, body } = &note.ask;
        let line = json!({"who": note.who, "sent": note.sent, "method": method, "path": path,
            "headers": headers, "body": body, "heard": heard});
        writeln!(text, "{line}").expect("a string takes text");
    }
    fs::write(file, text).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
}

/// Reads them back.
pub(crate) fn load(file: &Path) -> Vec<Note> {
    let text = fs::read_to_string(file);
    let text = text.unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
    text.lines().map(note).collect()
}

fn note(line: &str) -> Note {
    let read = |line: &str| -> Option<Note> {
        let line: Value = serde_json::from_str(line).ok()?;
        let word = |known: &[&'static str], name: &str| {
            known.iter().copied().find(|known| line[name] == *known)
        };
        let header =
            |header: &Value| Some((header[0].as_str()?.to_owned(), header[1].as_str()?.to_owned()));
        let ask = Ask {
            method: word(&METHODS, "method")?,
            path: line["path"].as_str()?.to_owned(),
            headers: line["headers"].as_array()?.iter().map(header).collect::<Option<_>>()?,
            body: line["body"].as_str().map(str::to_owned),
        };
        let heard = match &line["heard"] {
            Value::Null => None,
            heard => Some((
                heard["at"].as_u64()?,
                Said {
                    status: heard["status"].as_u64()?.try_into().ok()?,
                    replayed: heard["replayed"].as_bool()?,
                    body: heard["body"].clone(),
                },
            )),
        };
        Some(Note { who: word(&PRINCIPALS, "who")?, ask, sent: line["sent"].as_u64()?, heard })
    };
    read(line).unwrap_or_else(|| panic!("this is no note: {line}"))
}

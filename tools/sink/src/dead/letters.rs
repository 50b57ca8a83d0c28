//! The file of a sink's dead letters.
//!
//! Owns which events are dead, which subjects they hold up, and what an operator asked for. The
//! sink and `doorbuster-sink dead` both append whole lines; only the sink sends or forgets a
//! letter. Holds so many letters at most; with one more its sink stops. Next: `record`.

use super::record::{Letter, Record, Request};
use crate::event::Event;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LETTERS_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Letters {
    file: PathBuf,
    /// How much of the file was taken in.
    length: u64,
    dead: BTreeMap<u64, Letter>,
    /// Subjects that are held up, and by how many letters.
    subjects: HashMap<String, usize>,
    asked: Vec<Request>,
}

impl Letters {
    /// Reads the letters of a sink; the directory is made, the file is not.
    pub(crate) fn open(directory: &Path, sink: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let file = directory.join(format!("{sink}.dead"));
        let (dead, subjects) = (BTreeMap::new(), HashMap::new());
        let mut letters = Self { file, length: 0, dead, subjects, asked: Vec::new() };
        letters.read()?;
        Ok(letters)
    }

    fn read(&mut self) -> io::Result<()> {
        let bytes = match fs::read(&self.file) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        (self.dead, self.subjects) = (BTreeMap::new(), HashMap::new());
        self.asked.clear();
        self.length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // A line that was cut by a sudden end was not believed by anybody.
            if let Ok(record) = serde_json::from_slice(line) {
                self.take(record);
            }
        }
        Ok(())
    }

    /// Reads what was appended by others since.
    pub(crate) fn refresh(&mut self) -> io::Result<()> {
        let length = match fs::metadata(&self.file) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => 0,
            found => found?.len(),
        };
        if length == self.length { Ok(()) } else { self.read() }
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Dead(letter) => {
                let seq = letter.event.seq();
                self.forget(seq);
                for subject in letter.event.own_subjects() {
                    *self.subjects.entry(subject).or_default() += 1;
                }
                self.dead.insert(seq, letter);
            }
            Record::Done { seq } => self.forget(seq),
            Record::Requested(request) => self.asked.push(request),
            Record::Answered => self.asked.clear(),
        }
    }

    fn forget(&mut self, seq: u64) {
        let Some(letter) = self.dead.remove(&seq) else { return };
        for subject in letter.event.own_subjects() {
            if let Some(count) = self.subjects.get_mut(&subject) {
                *count -= 1;
                if *count == 0 {
                    self.subjects.remove(&subject);
                }
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.dead.len()
    }

    pub(crate) fn has(&self, seq: u64) -> bool {
        self.dead.contains_key(&seq)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Letter)> {
        self.dead.iter().map(|(seq, letter)| (*seq, letter))
    }

    /// The subject of a letter that this event must not overtake.
    pub(crate) fn holding(&self, event: &Event) -> Option<String> {
        if self.subjects.is_empty() {
            return None;
        }
        event.subjects().into_iter().find(|subject| self.subjects.contains_key(subject))
    }

    /// Stores a letter, durably.
    pub(crate) fn add(&mut self, event: &Event, error: &str, at: String) -> io::Result<()> {
        let known = self.dead.contains_key(&event.seq());
        if !known && self.dead.len() >= LETTERS_MAX {
            let told = format!("there are {LETTERS_MAX} dead letters; see `doorbuster-sink dead`");
            return Err(io::Error::other(told));
        }
        let letter = Letter { event: event.clone(), error: error.to_owned(), at };
        self.append(Record::Dead(letter))
    }

    pub(crate) fn done(&mut self, seq: u64) -> io::Result<()> {
        self.append(Record::Done { seq })
    }

    pub(crate) fn ask(&mut self, request: Request) -> io::Result<()> {
        self.append(Record::Requested(request))
    }

    /// What operators asked for and has not happened yet.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.clone()
    }

    /// All that was asked happened; a file without letters becomes empty.
    pub(crate) fn answered(&mut self) -> io::Result<()> {
        if self.dead.is_empty() {
            OpenOptions::new().write(true).open(&self.file)?.set_len(0)?;
            return self.read();
        }
        self.append(Record::Answered)
    }

    /// The letters that a request is about, in order: with a subject all that hang together with
    /// it, as a later one must not go without the one before.
    pub(crate) fn chosen(&self, request: &Request) -> Vec<Letter> {
        let Some(subject) = &request.subject else { return self.dead.values().cloned().collect() };
        let mut reached = HashSet::from([subject.clone()]);
        loop {
            let before = reached.len();
            for letter in self.dead.values() {
                let subjects = letter.event.subjects();
                if subjects.iter().any(|subject| reached.contains(subject)) {
                    reached.extend(letter.event.own_subjects());
                }
            }
            if reached.len() == before {
                break;
            }
        }
        let touched = |letter: &&Letter| {
            letter.event.subjects().iter().any(|subject| reached.contains(subject))
        };
        self.dead.values().filter(touched).cloned().collect()
    }

    fn append(&mut self, record: Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(&record).map_err(io::Error::other)?;
        // After a line that was cut this one begins afresh; blank lines mean nothing.
        line.insert(0, b'\n');
        line.push(b'\n');
        let mut file: File =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&self.file)?;
        file.write_all(&line)?;
        file.sync_all()?;
        self.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.take(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Fate;
    use super::*;
    use crate::testing::event;
    use serde_json::json;

    fn order(seq: u64, word: &str, id: &str) -> Event {
        event(seq, word, &format!("orders/{id}"), json!({"id": id}))
    }

    fn seqs(letters: &[Letter]) -> Vec<u64> {
        letters.iter().map(|letter| letter.event.seq()).collect()
    }

    #[test]
    fn later_events_of_a_dead_subject_are_held_until_it_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut letters = Letters::open(folder.path(), "db").expect("it opens");
        assert_eq!(letters.holding(&order(2, "order.confirmed", "1-1")), None);
        letters.add(&order(1, "order.created", "1-1"), "no", String::new()).expect("written");
        let next = order(2, "order.confirmed", "1-1");
        assert_eq!(letters.holding(&next).as_deref(), Some("orders/1-1"));
        assert_eq!(letters.holding(&order(3, "order.created", "1-3")), None);
        let many = event(4, "orders.graced", "orders", json!({"orders": ["1-3", "1-1"]}));
        assert_eq!(letters.holding(&many).as_deref(), Some("orders/1-1"));
        letters.add(&next, "behind orders/1-1", String::new()).expect("written");
        // A second time it is the same letter.
        letters.add(&next, "behind orders/1-1", String::new()).expect("written");

        let mut again = Letters::open(folder.path(), "db").expect("it opens");
        assert_eq!(again.count(), 2);
        let all = Request { fate: Fate::Retry, subject: None };
        again.ask(all.clone()).expect("written");
        letters.refresh().expect("it reads");
        assert_eq!(letters.asked(), [all]);
        letters.done(1).expect("written");
        assert!(letters.holding(&next).is_some());
        letters.done(2).expect("written");
        assert!(letters.holding(&next).is_none());
        letters.answered().expect("written");
        assert_eq!(fs::metadata(folder.path().join("db.dead")).expect("there").len(), 0);
    }

    #[test]
    fn letters_that_hang_together_are_chosen_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut letters = Letters::open(folder.path(), "db").expect("it opens");
        let won = event(5, "draw.entered", "draws/d", json!({"order": "1-5"}));
        for dead in [won, order(6, "order.confirmed", "1-5"), order(7, "order.created", "1-7")] {
            letters.add(&dead, "no", String::new()).expect("written");
        }
        let about = |subject: &str| Request { fate: Fate::Retry, subject: Some(subject.into()) };
        assert_eq!(seqs(&letters.chosen(&about("orders/1-5"))), [5, 6]);
        assert_eq!(seqs(&letters.chosen(&about("orders/1-7"))), [7]);
        let all = Request { fate: Fate::Drop, subject: None };
        assert_eq!(seqs(&letters.chosen(&all)), [5, 6, 7]);
    }

    #[test]
    fn a_line_that_was_cut_costs_nothing_but_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("db.dead"), "{\"record\":\"dea").expect("written");
        let mut letters = Letters::open(folder.path(), "db").expect("it opens");
        letters.add(&order(1, "order.created", "1-1"), "no", String::new()).expect("written");
        assert_eq!(Letters::open(folder.path(), "db").expect("it opens").count(), 1);
    }
}

//! A file of events, one JSON object a line (NDJSON).
//!
//! Owns that each event stands there once: the last whole line says how far the file is, and what a
//! sudden end left behind it is cut off. Lines are synced before the next are read. Never rotates:
//! who moves the file away finds the next events in a new one. Next: `sink`.

use crate::config::{Begin, SinkSettings};
use crate::event::{Event, Position};
use crate::failure::Failure;
use crate::place::{Place, told};
use crate::sink::{Batch, Beginning, Sink};
use crate::source::Source;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// No event is near this long.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A file as a target.
#[derive(Debug)]
pub(crate) struct NdjsonFile {
    path: PathBuf,
    name: String,
    directory: PathBuf,
    begin: Option<Begin>,
    place: Option<Place>,
    file: Option<File>,
}

impl NdjsonFile {
    pub(crate) fn new(settings: &SinkSettings, directory: &Path) -> Self {
        Self {
            path: path(settings),
            name: settings.name.clone(),
            directory: directory.to_owned(),
            begin: settings.begin,
            place: None,
            file: None,
        }
    }

    fn stands(&mut self) -> io::Result<Option<Position>> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        let last = last_line(&mut file)?;
        self.file = Some(file);
        Ok(last)
    }

    /// The file under this name, which may have been moved away.
    fn current(&mut self) -> io::Result<&mut File> {
        let moved = match (&self.file, std::fs::metadata(&self.path)) {
            (Some(file), Ok(found)) => file.metadata()?.ino() != found.ino(),
            _ => true,
        };
        if moved {
            self.stands()?;
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("it is not open"))
    }

    fn append(&mut self, events: &[Event]) -> io::Result<()> {
        let mut text = String::new();
        for event in events {
            text += &event.text();
            text.push('\n');
        }
        let file = self.current()?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}

fn path(settings: &SinkSettings) -> PathBuf {
    PathBuf::from(settings.url.strip_prefix("file://").unwrap_or(&settings.url))
}

/// The position of the last whole line; what follows it is cut off.
fn last_line(file: &mut File) -> io::Result<Option<Position>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(2 * LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        if from > 0 {
            return Err(io::Error::other("its last line is no event; move the file away"));
        }
        file.set_len(0)?;
        return Ok(None);
    };
    file.set_len(from + u64::try_from(end).unwrap_or_default() + 1)?;
    let start = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let event: Result<Event, _> = serde_json::from_slice(&tail[start..end]);
    let wrong =
        |error| io::Error::other(format!("its last line is no event: {error}; move it away"));
    event.map(|event| Some(event.position())).map_err(wrong)
}

impl Sink for NdjsonFile {
    fn beginning(&self) -> Beginning {
        if self.begin == Some(Begin::Now) { Beginning::Now } else { Beginning::Oldest }
    }

    async fn check(&mut self) -> Result<String, Failure> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let found = std::fs::metadata(folder).map_err(|cause| told(folder, &cause))?;
        if found.is_dir() {
            return Ok(format!("file {}", self.path.display()));
        }
        Err(Failure::refused(format!("{} is no folder", folder.display())))
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        if self.place.is_none() {
            self.place = Some(Place::open(&self.directory, &self.name)?);
        }
        let begun = self.place.as_ref().map_or(Ok(None), Place::read)?;
        let last = self.stands().map_err(|cause| told(&self.path, &cause))?;
        // A file that was moved away goes on where it was.
        Ok(match (begun, last) {
            (Some(begun), Some(last)) if begun.seq > last.seq => Some(begun),
            (begun, last) => last.or(begun),
        })
    }

    async fn begin(&mut self, _: Option<&Position>, to: &Position) -> Result<(), Failure> {
        self.place.as_ref().map_or(Ok(()), |place| place.write(to))
    }

    async fn rebuild(&mut self, _: Option<&Position>, _: &Source) -> Result<Position, Failure> {
        Err(Failure::refused("a file has no tables"))
    }

    async fn apply(&mut self, batch: &Batch<'_>, _: &Source) -> Result<(), Failure> {
        let path = self.path.clone();
        self.append(batch.events).map_err(|cause| told(&path, &cause))?;
        // Where the last line does not say it, because a dead letter came last, or again.
        let says = batch.events.last().is_some_and(|event| event.seq() == batch.to.seq);
        match &self.place {
            Some(place) if !says => place.write(batch.to),
            _ => Ok(()),
        }
    }

    fn reload(&mut self, settings: &SinkSettings) {
        self.path = path(settings);
        self.file = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;
    use crate::testing::settings;
    use serde_json::json;

    fn order(seq: u64) -> Event {
        event(seq, "order.created", &format!("orders/1-{seq}"), json!({"seq": seq}))
    }

    #[test]
    fn what_a_sudden_end_left_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.ndjson");
        let url = format!("file://{}", path.display());
        let mut sink = NdjsonFile::new(&settings("file", &url, ""), folder.path());
        assert_eq!(sink.stands().expect("it opens"), None);
        sink.append(&[order(1), order(2)]).expect("it takes them");
        let whole = std::fs::read(&path).expect("it is there");
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("it is written");
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            let stands = sink.stands().expect("it opens");
            assert_eq!(stands.map_or(0, |at| at.seq), u64::try_from(lines).unwrap(), "{cut}");
        }
        std::fs::write(&path, "hello\n").expect("it is written");
        assert!(sink.stands().expect_err("no event").to_string().contains("move it away"));
    }
}

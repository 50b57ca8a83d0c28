//! `journal dump`: every piece of every segment, one line each, in whatever condition it is.
//!
//! Damage is what a start would not pass over: an unfinished tail, which nobody was answered for,
//! is shown but is none. Never writes. Next: `events`.

use crate::events;
use crate::inspect::{self, Trouble};
use crate::instant;
use crate::members::{self, Members};
use crate::{printable, show};
use doorbuster::codec;
use doorbuster::domain::model::event::{Event, Record};
use doorbuster::domain::model::lives::Lives;
use doorbuster_journal::{
    DumpContent, DumpItem, Frame, Gap, JournalError, Kind, Scan, VisitError, dump, scan,
};
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::Path;

/// Bytes of a record that is not understood which are shown.
const HEX_BYTES_MAX: usize = 64;

/// Shows the records of these sequences, and what is no record wherever it is. Gives whether all of
/// it is whole.
pub(crate) fn show(
    data: &Path,
    sequences: RangeInclusive<u64>,
    as_json: bool,
) -> Result<bool, Trouble> {
    let journal = inspect::open(data)?;
    // Judged before it is shown: what a live writer appends in between lies after this end.
    let judged = inspect::origin(data, &journal).and_then(|origin| Ok(scan(&journal, origin)?));
    let scan = judged.as_ref().ok();
    let out = BufWriter::new(io::stdout().lock());
    let lives = doorbuster::engine::replay::lives(data)?;
    let mut dump_out = Out { out, as_json, sequences, scan, lives, damaged: false, file: None };
    let printed = match dump(&journal, &mut |item| dump_out.item(item).map_err(VisitError::from)) {
        Ok(()) => dump_out.zeros_behind(true).and_then(|()| dump_out.out.flush()),
        Err(JournalError::Visitor { cause, first_sequence }) => {
            match cause.downcast::<io::Error>() {
                Ok(cause) => Err(*cause),
                Err(cause) => return Err(JournalError::Visitor { cause, first_sequence }.into()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    show::written(printed)?;
    let damaged = dump_out.damaged;
    drop(dump_out);
    match judged {
        Ok(_) => Ok(!damaged),
        Err(trouble) => Err(trouble),
    }
}

/// A stretch of zeros that was not judged yet: frames after it in the same file make it a hole.
struct Zeros {
    file: String,
    offset: u64,
    bytes: u64,
}

struct Out<'s, W: Write> {
    out: W,
    as_json: bool,
    sequences: RangeInclusive<u64>,
    scan: Option<&'s Scan>,
    /// Those of the starts before what is shown, and each start's from when it is come to.
    lives: Lives,
    damaged: bool,
    file: Option<(String, Option<Zeros>)>,
}

impl<W: Write> Out<'_, W> {
    fn item(&mut self, item: &DumpItem<'_>) -> io::Result<()> {
        let place = (item.file, item.offset);
        let same_file = self.file.as_ref().is_some_and(|(file, _)| file == item.file);
        let first_frame = self.file.is_none();
        self.zeros_behind(!same_file)?;
        match &item.content {
            DumpContent::Header { id, number, segment_bytes } => {
                let number = ("number", (*number).into());
                let bytes = ("segment_bytes", (*segment_bytes).into());
                self.piece(
                    item,
                    "header",
                    vec![("journal_id", id.to_string().into()), number, bytes],
                )
            }
            DumpContent::BadHeader { detail } => {
                self.found(place);
                self.piece(item, "bad_header", vec![("detail", detail.as_str().into())])
            }
            DumpContent::Frame { frame, continues } => {
                let known = self.file.get_or_insert_with(|| (item.file.to_owned(), None));
                known.0 = item.file.to_owned();
                // The first frame of a journal that was pruned continues nothing that is there.
                self.frame(item, frame, *continues || first_frame)
            }
            DumpContent::Gap(Gap::Zeros) => {
                let zeros =
                    Zeros { file: item.file.to_owned(), offset: item.offset, bytes: item.bytes };
                let file = self.file.get_or_insert_with(|| (item.file.to_owned(), None));
                *file = (item.file.to_owned(), Some(zeros));
                Ok(())
            }
            DumpContent::Gap(gap) => {
                self.found(place);
                let kind = match gap {
                    Gap::BadFrame => "bad_frame",
                    Gap::Unreadable => "unreadable",
                    Gap::Noise | Gap::Zeros => "noise",
                };
                self.piece(item, kind, Vec::new())
            }
            DumpContent::Spare => self.piece(item, "spare", Vec::new()),
        }
    }

    /// Shows the zeros seen last: the rest of a segment, or a hole in it.
    fn zeros_behind(&mut self, is_rest: bool) -> io::Result<()> {
        let Some((_, zeros)) = &mut self.file else { return Ok(()) };
        let Some(Zeros { file, offset, bytes }) = zeros.take() else { return Ok(()) };
        if !is_rest {
            self.found((&file, offset));
        }
        let content = DumpContent::Gap(Gap::Zeros);
        let item = DumpItem { file: &file, offset, bytes, content };
        self.piece(&item, if is_rest { "unused" } else { "hole" }, Vec::new())
    }

    /// Something is not whole; after the end that a start would find, that is no damage.
    fn found(&mut self, (file, offset): (&str, u64)) {
        let end = self.scan.and_then(|scan| scan.segments.last());
        let behind = end.is_some_and(|last| (file, offset) >= (last.file.as_str(), last.end));
        self.damaged |= !behind;
    }

    fn frame(&mut self, item: &DumpItem<'_>, frame: &Frame<'_>, fits: bool) -> io::Result<()> {
        if !fits {
            self.found((item.file, item.offset));
            let next = ("seq", frame.first_sequence().into());
            self.piece(item, "break", vec![next])?;
        }
        match frame.kind() {
            Kind::Records => self.records(item, frame),
            kind if self.sequences.contains(&frame.first_sequence().saturating_sub(1)) => {
                let mut members: Members = vec![
                    ("seq", frame.first_sequence().saturating_sub(1).into()),
                    ("stamp", instant::text(frame.stamp_ms()).into()),
                    ("epoch", frame.epoch().into()),
                    ("synced", frame.watermark().into()),
                ];
                let totals = frame.totals().map(codec::decode_totals);
                if let Some(Ok(totals)) = totals {
                    members.push(("drained", totals.drained.into()));
                    members.push(("orders", totals.orders.into()));
                    members.push(("held", totals.held.into()));
                }
                self.piece(item, if kind == Kind::Seal { "seal" } else { "end_mark" }, members)
            }
            _ => Ok(()),
        }
    }

    fn records(&mut self, item: &DumpItem<'_>, frame: &Frame<'_>) -> io::Result<()> {
        let (stamp, epoch) = (instant::text(frame.stamp_ms()), frame.epoch());
        for (sequence, bytes) in frame.records() {
            let record = codec::decode_record(bytes);
            if let Ok(Record { event: Event::Started(started), .. }) = &record {
                // One that is known already, or that fits nowhere, changes nothing.
                let _ = self.lives.begin(started.epoch, started.life, sequence);
            }
            if !self.sequences.contains(&sequence) {
                continue;
            }
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.found((item.file, item.offset));
                    let members = vec![
                        ("seq", sequence.into()),
                        ("error", error.to_string().into()),
                        ("record_bytes", bytes.len().into()),
                        ("hex", hex(bytes).into()),
                    ];
                    self.piece(item, "bad_record", members)?;
                    continue;
                }
            };
            if self.as_json {
                let mut members: Members = vec![
                    ("kind", "record".into()),
                    ("seq", sequence.into()),
                    ("stamp", stamp.as_str().into()),
                    ("epoch", epoch.into()),
                ];
                members.extend(events::record_object(&record, &self.lives));
                writeln!(self.out, "{}", printable::json(&members::object(members)))?;
            } else {
                let (who, what) =
                    (events::principal(&record), events::line(&record.event, &self.lives));
                writeln!(self.out, "{sequence} {stamp} {epoch} {who} {what}")?;
            }
        }
        Ok(())
    }

    /// A line on something that is no record.
    fn piece(&mut self, item: &DumpItem<'_>, kind: &'static str, more: Members) -> io::Result<()> {
        let mut members: Members = vec![
            ("file", item.file.into()),
            ("offset", item.offset.into()),
            ("bytes", item.bytes.into()),
        ];
        members.extend(more);
        if self.as_json {
            members.insert(0, ("kind", kind.into()));
            return writeln!(self.out, "{}", printable::json(&members::object(members)));
        }
        write!(self.out, "# {kind}")?;
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            write!(self.out, " {name}={}", members::word(value))?;
        }
        writeln!(self.out)
    }
}

fn hex(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(HEX_BYTES_MAX)];
    let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    if shown.len() < bytes.len() { hex + "…" } else { hex }
}

//! Notes and a journal, brought before the witness.
//!
//! Owns the translation of both into its words. Hashes of keys are worked out again from the key
//! that the journal keeps for them; fingerprints are told apart by what was asked. Never judges by
//! itself. Next: the crate `doorbuster-witness`.

use crate::answers::{Decided, Said, decided};
use crate::members::names;
use crate::notes::Note;
use crate::understand::{Asked, Meaning, key_hash, meaning};
use crate::wishes::{may, spread};
use doorbuster::codec;
use doorbuster::domain::model::command::{
    Action, Command, Precondition, Principal, Query, Reach, Request,
};
use doorbuster::domain::model::event::{Event, Record};
use doorbuster::domain::model::ids::{KeyClaim, PrincipalName};
use doorbuster::engine::recheck::command_of;
use doorbuster::engine::replay::journal_directory;
use doorbuster_journal::{FileDisk, Origin, scan_with};
use doorbuster_witness::{Checked, Entry, Fault, Notes, check, lives_of, named, rename};
use siphasher::sip128::SipHasher13;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

/// Every record of a data directory, from the first.
pub(crate) fn entries(data: &Path) -> Vec<Entry> {
    let disk = FileDisk::open(journal_directory(data)).expect("there is a journal");
    let mut entries = Vec::new();
    let scan = scan_with(&disk, Origin::Genesis, &mut |frame| {
        for (sequence, bytes) in frame.records() {
            let record = codec::decode_record(bytes)?;
            let (stamp, epoch) = (frame.stamp_ms(), frame.epoch());
            entries.push(Entry { sequence, stamp, epoch, record });
        }
        Ok(())
    });
    if let Err(error) = scan {
        panic!("the journal of {} does not read: {error}", data.display());
    }
    entries
}

/// What the witness says to that.
pub(crate) fn judge(notes: &[Note], mut entries: Vec<Entry>) -> Result<Checked, Fault> {
    let (told, claims) = translate(notes, &entries)?;
    for entry in &mut entries {
        claims.translate(&mut entry.record);
    }
    check(&told, &entries)
}

/// What no role may ask, or nobody can understand, is not done.
const MEANT: &str = "what is accepted means something";

/// It came of a decision: where a request is refused before, there is no sequence.
fn is_decided(said: &Said) -> bool {
    (200..300).contains(&said.status) || said.body.get("seq").is_some()
}

/// What a note asks the writer for; none where that is nothing, and nothing was done.
fn asked(note: &Note) -> Result<Option<Asked>, Fault> {
    match meaning(&note.ask) {
        Meaning::Asks(asked) if may(note.who, &asked.command) => Ok(Some(asked)),
        Meaning::Beside => Ok(None),
        Meaning::Asks(_) | Meaning::Nothing => match &note.heard {
            Some((_, said)) if is_decided(said) => {
                Err(Fault { rule: MEANT, detail: format!("{note:?}") })
            }
            _ => Ok(None),
        },
    }
}

fn translate(notes: &[Note], entries: &[Entry]) -> Result<(Notes, Claims), Fault> {
    let hash_key = entries.iter().find_map(|entry| match &entry.record.event {
        Event::Started(started) => Some(started.hash_key),
        _ => None,
    });
    let mut claims = Claims { hash_key: hash_key.unwrap_or_default(), ..Claims::default() };
    let mut told = Notes::default();
    // The witness wants to be told in the order of sending, and hears at any time.
    let lives = lives_of(entries);
    for note in notes {
        let Some(Asked { mut command, key }) = asked(note)? else { continue };
        if let Some(order) = named(&mut command) {
            *order = names().in_journal(&lives, *order);
        }
        let request = request(note, key.as_deref(), command);
        claims.note(note, key.as_deref(), &request);
        let heard = note.heard.as_ref().filter(|(_, said)| is_decided(said));
        let heard = heard.and_then(|(at, said)| {
            let gone = match said.status {
                204 => deletion(entries, &request.command)?,
                _ => 0,
            };
            let mut decided = decided(&request.command, said, gone)?;
            let in_journal = |order| names().in_journal(&lives, order);
            rename(&mut decided.answered.answer, in_journal);
            Some((*at, decided))
        });
        let attempt = told.ask(Arc::new(request), note.sent);
        if let Some((at, Decided { answered, at: decided_at })) = heard {
            told.hear(attempt, at, answered, decided_at);
        }
    }
    Ok((told, claims))
}

/// Who asks: the last of the principals sees everybody's orders.
pub(crate) fn principal(who: &str) -> Principal {
    let reach = if who == "admin" { Reach::All } else { Reach::Own };
    Principal { name: PrincipalName::parse(who).expect("a name"), reach }
}

fn request(note: &Note, key: Option<&str>, mut command: Command) -> Request {
    if let Command::Read(query) = &mut command
        && let Query::Remembered(hash) = &mut **query
    {
        *hash = spread(note.who, *hash);
    }
    let key = key.map(|key| {
        let mut hasher = DefaultHasher::new();
        format!("{command:?}").hash(&mut hasher);
        KeyClaim { hash: spread(note.who, key_hash(key)), fingerprint: hasher.finish() }
    });
    Request { principal: principal(note.who), key, traceparent: None, command }
}

/// Where the journal has a deletion: its answer does not tell, but only one can have met its
/// version; one that is in no journal is behind all of it. None where no version was asked for:
/// many may be meant.
fn deletion(entries: &[Entry], command: &Command) -> Option<u64> {
    let precondition = match command {
        Command::DeleteSku(asked) => &asked.precondition,
        Command::DeleteDraw(asked) => &asked.precondition,
        _ => panic!("{command:?} is answered like a deletion"),
    };
    if !matches!(precondition, Precondition::Version(Some(_))) {
        return None;
    }
    let found = entries.iter().find(|entry| match (&entry.record.event, command) {
        (Event::SkuDeleted(deleted), Command::DeleteSku(asked)) => {
            (&deleted.sku, &deleted.precondition) == (&asked.sku, &asked.precondition)
        }
        (Event::DrawDeleted(deleted), Command::DeleteDraw(asked)) => {
            (&deleted.draw, &deleted.precondition) == (&asked.draw, &asked.precondition)
        }
        _ => false,
    });
    Some(found.map_or(u64::MAX - 1, |entry| entry.sequence))
}

/// The claims on keys: what the journal calls them, and what the notes do.
#[derive(Debug, Default)]
struct Claims {
    hash_key: [u8; 16],
    /// By the journal's hash.
    known: HashMap<u128, u128>,
    /// What was asked under a key, by the notes' hash.
    asked: BTreeMap<u128, Vec<(Command, KeyClaim)>>,
}

impl Claims {
    fn note(&mut self, note: &Note, key: Option<&str>, request: &Request) {
        let (Some(claim), Some(key)) = (request.key, key) else { return };
        let bytes = [note.who.as_bytes(), b"\0", key.as_bytes()].concat();
        let hash = SipHasher13::new_with_key(&self.hash_key).hash(&bytes).as_u128();
        self.known.insert(hash, claim.hash);
        let asked = self.asked.entry(claim.hash).or_default();
        if asked.iter().all(|(_, known)| *known != claim) {
            asked.push((request.command.clone(), claim));
        }
    }

    /// A record of something nobody asked for stays as it is: the witness will say so.
    fn translate(&self, record: &mut Record) {
        let Some(origin) = &mut record.origin else { return };
        let (Some(key), Some(recorded)) = (&mut origin.key, command_of(&record.event)) else {
            return;
        };
        let Some(asked) = self.known.get(&key.hash).and_then(|hash| self.asked.get(hash)) else {
            return;
        };
        if let Some((_, claim)) = asked.iter().find(|(asked, _)| is_same(asked, &recorded)) {
            *key = *claim;
        }
    }
}

/// A confirmation does not record whether it might have taken the stock again.
fn is_same(asked: &Command, recorded: &Command) -> bool {
    let confirmed = |command: &Command| match command {
        Command::ActOnOrder(order, Action::Confirm { .. }) => Some(*order),
        _ => None,
    };
    asked == recorded || confirmed(asked).is_some() && confirmed(asked) == confirmed(recorded)
}

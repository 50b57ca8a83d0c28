//! A writer without ring, journal and clock: decides a request at a given stamp, applies what was
//! decided, keeps every record.
//!
//! Owns what every test relies on: the invariants are checked after each event, deciding twice
//! gives the same, and all records replayed into a fresh state, its tables hashed otherwise and
//! always looked up ahead, show the same in every read. Never judges an answer: that is `scenario`
//! and `model`. Next: `scenario`.

use doorbuster::codec::{StateReader, decode_record, digest, encode_record, encode_state};
use doorbuster::domain::memory::prefetch::{TOGETHER_MAX, warm};
use doorbuster::domain::model::answer::{Answer, Answered};
use doorbuster::domain::model::command::{Command, Principal, Query, Reach, Request};
use doorbuster::domain::model::event::{Event, Origin, Record, RefusalCount, Started};
use doorbuster::domain::model::ids::{KeyClaim, OrderId, PrincipalName, SkuId, Stamp};
use doorbuster::domain::model::settings::{Caps, Settings};
use doorbuster::domain::model::sku::RefusalReason;
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::rules::read::answer_to;
use doorbuster::domain::rules::{refusal_counts, sweep};
use doorbuster::domain::state::invariants;
use doorbuster::domain::state::tables::State;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The stamp that tests count from.
pub(crate) const BASE: Stamp = 1_700_000_000_000;

/// More rounds than any request needs before it is decided.
const ROUNDS_MAX: usize = 1_000;

/// One state, its whole history, and the refusals not yet journaled.
pub(crate) struct Engine {
    pub(crate) state: State,
    records: Vec<(Record, Stamp)>,
    refused: BTreeMap<(SkuId, RefusalReason), u64>,
    seed: u64,
}

/// The contract's defaults, with tables small enough to be made by the hundred.
pub(crate) fn settings() -> Settings {
    let (draws, entries) = (500, 5_000);
    let (skus, orders, keys, answers, uses, users) = (5_000, 5_000, 5_000, 5_000, 5_000, 5_000);
    let caps = Caps { skus, orders, keys, answers, uses, users, draws, entries };
    Settings { caps, ..Settings::default() }
}

impl Engine {
    /// A server that has just started for the first time.
    pub(crate) fn start(settings: Settings, now: Stamp) -> Self {
        let (state, seed) = (State::new(1), 1);
        let mut engine = Self { state, records: Vec::new(), refused: BTreeMap::new(), seed };
        let (hash_key, lost_from, life) = ([7; 16], None, None);
        let started = Started { epoch: 1, hash_key, answers_before_sync: false, lost_from, life };
        engine.apply(None, Event::Started(started), now);
        engine.change_settings(settings, now);
        engine
    }

    fn apply(&mut self, origin: Option<Origin>, event: Event, now: Stamp) {
        let record = Record { origin, event };
        apply(&mut self.state, &record, now);
        invariants::check(&self.state);
        self.records.push((record, now));
    }

    /// What the writer does for one request.
    pub(crate) fn request(&mut self, request: &Request, now: Stamp) -> Answered {
        // Every other time as if one of many: whoever looks ahead sees the same.
        if self.records.len().is_multiple_of(2) {
            warm(&mut self.state, [request, request].into_iter().map(Into::into));
        }
        for _ in 0..ROUNDS_MAX {
            let decision = decide(&self.state, request, now);
            assert_eq!(decision, decide(&self.state, request, now), "deciding changes nothing");
            match decision {
                Decision::First(event) => self.apply(None, event, now),
                Decision::Change(event) => {
                    self.apply(Some(origin(request)), event.clone(), now);
                    return answer_to(&self.state, &event);
                }
                Decision::Answer(answered) => {
                    self.note_refusal(&request.command, &answered.answer);
                    return answered;
                }
            }
        }
        panic!("{:?} is never decided", request.command);
    }

    fn note_refusal(&mut self, command: &Command, answer: &Answer) {
        let Answer::Refused(refusal) = answer else { return };
        for (sku, reason) in refusal_counts::counted(command, refusal) {
            *self.refused.entry((sku.clone(), reason)).or_default() += 1;
        }
    }

    /// Does all that is due; afterwards nothing is.
    pub(crate) fn sweep(&mut self, now: Stamp) -> Vec<Event> {
        let mut swept = self.expire(now);
        swept.extend(self.tidy(now));
        let next = next_due(&self.state);
        assert!(next.is_none_or(|next| next > now), "what was due is done");
        swept
    }

    /// Expires what is due.
    pub(crate) fn expire(&mut self, now: Stamp) -> Vec<Event> {
        self.repeat(now, |state| sweep::expire(state, now))
    }

    /// Forgets, archives and purges what is due.
    pub(crate) fn tidy(&mut self, now: Stamp) -> Vec<Event> {
        self.repeat(now, |state| sweep::tidy(state, now))
    }

    fn repeat(&mut self, now: Stamp, due: impl Fn(&State) -> Option<Event>) -> Vec<Event> {
        let mut swept = Vec::new();
        while let Some(event) = due(&self.state) {
            self.apply(None, event.clone(), now);
            swept.push(event);
        }
        swept
    }

    /// Stops, comes back on a state replayed from all records, and gives due holds their grace.
    pub(crate) fn restart(&mut self, now: Stamp) -> Vec<Event> {
        self.seed += 1;
        // By turns from all records, and from the snapshot of the state.
        self.state = match self.seed % 2 {
            0 => self.replay(self.seed),
            _ => through_snapshot(&self.state, self.seed),
        };
        self.refused.clear();
        let started = Started {
            epoch: self.state.epoch + 1,
            hash_key: self.state.hash_key,
            answers_before_sync: false,
            lost_from: None,
            life: None,
        };
        self.apply(None, Event::Started(started), now);
        let graced = sweep::grace(&self.state, now);
        for event in &graced {
            self.apply(None, event.clone(), now);
        }
        graced
    }

    pub(crate) fn change_settings(&mut self, settings: Settings, now: Stamp) {
        self.apply(None, Event::SettingsChanged(Box::new(settings)), now);
    }

    /// Journals the refusals since the last time.
    pub(crate) fn count_refusals(&mut self, now: Stamp) {
        let counts = std::mem::take(&mut self.refused).into_iter();
        let counts: Vec<_> =
            counts.map(|((sku, reason), count)| RefusalCount { sku, reason, count }).collect();
        if !counts.is_empty() {
            self.apply(None, Event::RefusalsCounted(counts), now);
        }
    }

    /// SHA-256 of all records as they are stored, one after the other.
    pub(crate) fn stored_digest(&self) -> String {
        let mut bytes = Vec::new();
        self.records.iter().for_each(|(record, _)| encode_record(record, &mut bytes));
        Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn replay(&self, seed: u64) -> State {
        let mut state = State::new(seed);
        let mut bytes = Vec::new();
        for (at, (record, stamp)) in self.records.iter().enumerate() {
            if at.is_multiple_of(TOGETHER_MAX) {
                warm(&mut state, self.records[at..].iter().map(|(record, _)| record.into()));
            }
            bytes.clear();
            encode_record(record, &mut bytes);
            let stored = decode_record(&bytes).expect("what was encoded decodes");
            assert_eq!(*record, stored);
            apply(&mut state, &stored, *stamp);
        }
        invariants::check(&state);
        state
    }

    /// Panics unless a replay, and a way through a snapshot, show what this state shows.
    pub(crate) fn check_replay(&self) {
        let now = self.state.stamp;
        for other in [self.replay(self.seed + 1_000), through_snapshot(&self.state, self.seed)] {
            assert_eq!(everything(&self.state, now), everything(&other, now));
            assert_eq!(digest(&self.state), digest(&other));
        }
    }
}

/// Encodes a state and reads it back from pieces that end anywhere.
fn through_snapshot(state: &State, seed: u64) -> State {
    let mut snapshot = Vec::new();
    let take = &mut |piece: &[u8]| -> Result<(), std::convert::Infallible> {
        snapshot.extend_from_slice(piece);
        Ok(())
    };
    let Ok(()) = encode_state(state, take);
    let mut reader = StateReader::new(seed + 2_000);
    let piece_bytes = 1 + usize::try_from(seed % 7_000).expect("it is small");
    for piece in snapshot.chunks(piece_bytes) {
        reader.take(piece).expect("what was encoded decodes");
    }
    let read = reader.finish().expect("it was whole");
    assert_eq!(digest(state), digest(&read));
    invariants::check(&read);
    read
}

fn origin(request: &Request) -> Origin {
    Origin {
        principal: request.principal.name.clone(),
        reach_all: request.principal.reach == Reach::All,
        key: request.key,
        traceparent: request.traceparent,
    }
}

/// When the writer would have something to do.
fn next_due(state: &State) -> Option<Stamp> {
    [sweep::next_expiry(state), sweep::next_tidy(state)].into_iter().flatten().min()
}

/// What can be seen of a state, from every side.
pub(crate) fn everything(state: &State, now: Stamp) -> Vec<String> {
    let principals: Vec<PrincipalName> =
        state.principals.iter().map(|entry| entry.name.clone()).collect();
    let orders: Vec<OrderId> = state.orders.after(None).map(|order| order.id).collect();
    let mut seen = vec![
        format!("{} {} {} {:?}", state.sequence, state.stamp, state.epoch, state.hash_key),
        format!("{:?} {:?}", state.settings, state.principals),
        format!("due {:?} {:?}", next_due(state), sweep::expire(state, u64::MAX)),
        format!("late {:?} {:?}", sweep::expiry_lag_ms(state, now), sweep::tidy(state, u64::MAX)),
        format!("grace {:?}", sweep::grace(state, u64::MAX - (1 << 40))),
        format!("{:?}", state.orders.by_touch().map(|order| order.id).collect::<Vec<_>>()),
    ];
    let gone = state.draws.deleted();
    seen.extend(
        gone.map(|draw| format!("{:?} {} {:?}", draw.id, draw.entries.len(), draw.sealed.seed.0)),
    );
    let deleted = state.skus.deleted();
    seen.extend(deleted.map(|sku| format!("{:?} {} {}", sku.id, sku.lines, sku.uses)));
    let mut uses: Vec<String> = Vec::new();
    for (_, sku) in state.skus.iter() {
        let of = state.uses.of_sku(sku);
        uses.extend(of.map(|found| {
            let user = &state.users[found.user].id;
            let (created, units, owner) = (sku.created_sequence, found.units(), found.owner());
            format!("{created} {:?} {user:?} {units} {owner}", sku.id)
        }));
    }
    uses.sort();
    seen.extend(uses);
    let mut queries = vec![Query::Status, Query::Skus { after: None, limit: 100 }];
    queries.push(Query::Orders { status: None, sku: None, after: None, limit: 100 });
    queries.extend(orders.into_iter().map(Query::Order));
    let draws: Vec<_> = state.draws.by_id().map(|draw| draw.id.clone()).collect();
    for draw in draws {
        queries.push(Query::Draw(draw.clone()));
        queries.push(Query::Entries { draw, user: None, after: 0, limit: 100 });
    }
    queries.extend(state.requests.iter().map(|key| Query::Remembered(key.hash)));
    let mut users: Vec<_> = state.users.iter().map(|(_, user)| user.id.clone()).collect();
    users.sort();
    let mut owners: Vec<_> =
        state.users.iter().map(|(_, user)| format!("{:?} {}", user.id, user.owner)).collect();
    owners.sort();
    seen.extend(owners);
    let of_user = |user| Query::UserOrders { user, after: None, limit: 100 };
    queries.extend(users.into_iter().map(of_user));
    for name in principals {
        for query in &queries {
            let principal = Principal { name: name.clone(), reach: Reach::Own };
            seen.push(format!("{:?}", look(state, principal, query.clone(), now)));
        }
    }
    seen
}

fn look(state: &State, principal: Principal, query: Query, now: Stamp) -> Decision {
    let command = Command::Read(Box::new(query));
    decide(state, &Request { principal, key: None, traceparent: None, command }, now)
}

/// The hash of a principal's key, here any that tells them apart.
pub(crate) fn key_hash(principal: &str, key: &str) -> u128 {
    let text = format!("{principal}\0{key}");
    (u128::from(spread(&text, 1)) << 64) | u128::from(spread(&text, 2))
}

/// The claim on a key for a command; equal commands have equal fingerprints.
pub(crate) fn claim(principal: &str, key: &str, command: &Command) -> KeyClaim {
    let fingerprint = spread(&format!("{command:?}"), 3);
    KeyClaim { hash: key_hash(principal, key), fingerprint }
}

/// FNV-1a.
fn spread(text: &str, salt: u64) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325 ^ salt;
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

//! The real rules behind the real ring, on this thread and without a disk: what the server's writer
//! does with a request, and a history that can be replayed. Next: `http`.

use doorbuster::codec::{decode_record, digest, encode_record};
use doorbuster::domain::model::command::{Reach, Request};
use doorbuster::domain::model::event::{Event, Origin, Record, Started};
use doorbuster::domain::model::ids::Stamp;
use doorbuster::domain::model::lives::Lives;
use doorbuster::domain::model::settings::{Caps, Settings};
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::rules::read::answer_to;
use doorbuster::domain::state::invariants;
use doorbuster::domain::state::tables::State;
use doorbuster::ring::{DecisionTimes, Inbox, Outbox, Outcome};
use std::sync::Arc;

pub(crate) const HASH_KEY: [u8; 16] = [7; 16];
const START: Stamp = 1_700_000_000_000;
/// More rounds than any request needs.
const ROUNDS_MAX: usize = 1_000;

pub(crate) struct Writer {
    state: State,
    records: Vec<(Record, Stamp)>,
    now: Stamp,
    inbox: Inbox,
    outbox: Outbox,
}

impl Writer {
    pub(crate) fn start(inbox: Inbox, outbox: Outbox) -> Self {
        let mut writer =
            Self { state: State::new(1), records: Vec::new(), now: START, inbox, outbox };
        writer.record(Record {
            origin: None,
            event: Event::Started(Started {
                epoch: 1,
                hash_key: HASH_KEY,
                answers_before_sync: false,
                lost_from: None,
                life: None,
            }),
        });
        let few = 200;
        let caps = Caps {
            skus: few,
            orders: few,
            keys: few,
            answers: few,
            uses: few,
            users: few,
            draws: few,
            entries: few,
        };
        let settings = Settings { caps, ..Settings::default() };
        writer.record(Record { origin: None, event: Event::SettingsChanged(Box::new(settings)) });
        writer
    }

    /// What its ids are written with.
    pub(crate) fn lives(&self) -> Arc<Lives> {
        Arc::new(self.state.lives.clone())
    }

    /// One turn: everything that waits is answered, and durable at once.
    pub(crate) fn turn(&mut self) {
        let Self { state, records, now, inbox, outbox } = self;
        *now += 1;
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                let outcome = answer(state, records, asked.request, *now);
                outbox.answer(asked.address, state.sequence, outcome, DecisionTimes::default());
            }
        });
        outbox.cursors().publish(state.sequence, state.sequence, state.sequence);
        outbox.wake_answered();
    }

    fn record(&mut self, record: Record) {
        note(&mut self.state, &mut self.records, record, self.now);
    }

    /// The state holds its invariants, and its stored records come to the same.
    pub(crate) fn check(&self) {
        invariants::check(&self.state);
        let mut replayed = State::new(2);
        let mut bytes = Vec::new();
        for (record, stamp) in &self.records {
            bytes.clear();
            encode_record(record, &mut bytes);
            let stored = decode_record(&bytes).expect("what was stored is read");
            assert_eq!(stored, *record);
            apply(&mut replayed, &stored, *stamp);
        }
        assert_eq!(digest(&replayed).0, digest(&self.state).0, "a replay comes to the same");
    }
}

fn note(state: &mut State, records: &mut Vec<(Record, Stamp)>, record: Record, now: Stamp) {
    apply(state, &record, now);
    records.push((record, now));
}

fn answer(
    state: &mut State,
    records: &mut Vec<(Record, Stamp)>,
    request: &Request,
    now: Stamp,
) -> Outcome {
    for _ in 0..ROUNDS_MAX {
        match decide(state, request, now) {
            Decision::First(event) => note(state, records, Record { origin: None, event }, now),
            Decision::Change(event) => {
                let origin = Origin {
                    principal: request.principal.name.clone(),
                    reach_all: request.principal.reach == Reach::All,
                    key: if event.remembers() { request.key } else { None },
                    traceparent: request.traceparent,
                };
                let record = Record { origin: Some(origin), event: event.clone() };
                note(state, records, record, now);
                return Outcome::Answered(answer_to(state, &event));
            }
            Decision::Answer(answered) => return Outcome::Answered(answered),
        }
    }
    panic!("{:?} is never decided", request.command);
}

//! The end of a run: everybody is answered, and then all of it is held against the journal.
//!
//! Owns the comparison of a server's last state with what replays make of the directory. Next:
//! `lib`.

use crate::copies::TOOK_OVER;
use crate::restore::PUT_BACK;
use crate::world::{Held, World, violated};
use doorbuster::codec;
use doorbuster::domain::state::invariants;
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::{self, From};
use doorbuster_witness::{Checked, check, refusals_missing};

impl World {
    /// Stops the server in order, reads the rest, and asks the witness.
    pub(crate) fn conclude(&mut self) -> Held<Checked> {
        self.trace.tell("conclude", format_args!("everybody is answered"));
        if !self.stop()? {
            return violated("a stop can be in order", "once all is well");
        }
        let (names, lives) = (&self.names, &self.history.lives);
        self.notes.rename(|order| names.in_journal(lives, order));
        let checked = check(&self.notes, &self.history.entries)
            .or_else(|fault| violated(fault.rule, fault.detail))?;
        self.check_told()?;
        // What a lost life or machine refused, clients heard and the journal does not know.
        let one_history = [PUT_BACK, TOOK_OVER].iter().all(|how| self.tally.of(how) == 0);
        if self.plan.keeps_refusals && self.plan.fault_every_us.is_none() && one_history {
            let missing = refusals_missing(&self.notes, &self.history.entries);
            if missing > 0 {
                let detail = format!("{missing} are neither there nor counted as not kept");
                return violated("each refusal that was heard is kept", detail);
            }
        }
        self.tally.add("witness: records", checked.records);
        self.tally.add("witness: answers true", checked.answers);
        self.tally.add("witness: answers taken back", checked.void);
        self.trace.tell("witness", format_args!("{checked:?}"));
        Ok(checked)
    }

    /// Whatever a replay begins with, it ends where the server did.
    pub(crate) fn compare_replays(&mut self, state: State) -> Held {
        let (last, digest) = (state.sequence, codec::digest(&state));
        invariants::check(&state);
        drop(state);
        self.read_history(self.shown_until(last))?;
        let whole =
            self.disk.all_names().iter().any(|(name, _)| name == "journal/00000001.segment");
        let origins = [From::NewestSnapshot, From::OldestSnapshot, From::Genesis];
        for from in origins.into_iter().take(if whole { 3 } else { 2 }) {
            let replayed = replay::replay(&self.data, from, None, &mut |_| {});
            let replayed = replayed.or_else(|error| {
                violated("a directory that was left in order can be read", error.to_string())
            })?;
            let same = codec::digest(&replayed.state) == digest && replayed.drained;
            if !same {
                let detail = format!("{from:?}: {} against {last}", replayed.state.sequence);
                return violated("a replay ends where the server did", detail);
            }
        }
        self.trace.tell("digest", format_args!("{digest} at {last}"));
        Ok(())
    }
}

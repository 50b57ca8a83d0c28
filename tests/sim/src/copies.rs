//! Two machines: what happens between the writer and the copy of its journal.
//!
//! Owns when the copy lags, stands still, vanishes, comes back and takes over. A takeover cuts the
//! writer's directory back to what the copy had stored, and the next start goes on in a granted
//! epoch. What was shown before must be there afterwards. Next: `replica`, `fate`.

use crate::replica::{EVENT_BYTES, Takeover, check, is_pruned};
use crate::world::{Death, Event, Held, World, violated};
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::recovery::NewEpoch;
use doorbuster::ring::NO_COPIES;
use doorbuster::shared::feed::{FeedReply, Form};
use doorbuster::shared::snapshots::Ask;
use doorbuster_journal::{CutLimits, JournalError, cut, verify_end};

/// How a takeover is counted.
pub const TOOK_OVER: &str = "copy: took over";

impl World {
    pub(crate) fn plan_shipping(&mut self) {
        if let Some(replica) = &mut self.replica {
            let (ship_us, lost_us) =
                (replica.random.below(5_000), replica.random.between(10_000, 300_000));
            self.after(ship_us, Event::Ship);
            self.after(lost_us, Event::TakeOver);
        }
    }

    /// Something happens on the way to the copy and back.
    pub(crate) fn ship(&mut self) -> Held {
        let (closing, now_us) = (self.closing, self.now_us);
        let Some(replica) = &mut self.replica else { return Ok(()) };
        let wait_us = if closing { 200 } else { replica.random.between(100, 8_000) };
        if !closing && replica.random.once_in(80) {
            replica.away_until_us = now_us + replica.random.between(20_000, 1_500_000);
            self.tally.count("copy: stood still");
        }
        self.after(wait_us, Event::Ship);
        if self.server.is_none() {
            return Ok(());
        }
        self.follow()?;
        self.lose_sight();
        let replica = self.replica.as_mut().expect("there is one");
        if !closing && now_us < replica.away_until_us && replica.random.once_in(50) {
            self.snapshot(Ask::Due)?;
        }
        self.store_at_the_copy()?;
        self.acknowledge()
    }

    /// A copy that is away for long counts no more, and the writer goes on alone.
    fn lose_sight(&mut self) {
        let (closing, now_us) = (self.closing, self.now_us);
        let (Some(replica), Some(server)) = (&mut self.replica, &self.server) else { return };
        if !closing
            && now_us < replica.away_until_us
            && replica.counts
            && replica.random.once_in(60)
        {
            replica.counts = false;
            server.publish_copied(NO_COPIES);
            self.tally.count("copy: counts no more");
        }
    }

    fn store_at_the_copy(&mut self) -> Held {
        let disk = self.disk.within("journal");
        let (Some(replica), Some(server)) = (&mut self.replica, &self.server) else {
            return Ok(());
        };
        if !self.closing && self.now_us < replica.away_until_us {
            return Ok(());
        }
        let mut stored = replica.store(&disk, server.appended());
        if stored.as_ref().is_err_and(is_pruned) && !replica.counts {
            self.tally.count("copy: began again");
            stored = replica.begin_again(&disk, server.appended());
        }
        stored.or_else(|error| violated("a copy can read on", error.to_string()))
    }

    /// The writer's process ends. What was on its way to the copy may still arrive, synced here or
    /// not.
    pub(crate) fn arrive_at_the_copy(&mut self) {
        let (disk, now_us) = (self.disk.within("journal"), self.now_us);
        if let Some(replica) = &mut self.replica
            && now_us >= replica.away_until_us
            && replica.random.percent(50)
        {
            replica.store_the_rest(&disk);
        }
    }

    /// The copy syncs, and says so; or one of both is for later.
    fn acknowledge(&mut self) -> Held {
        let (Some(replica), Some(server)) = (&mut self.replica, &mut self.server) else {
            return Ok(());
        };
        let well = self.closing;
        if !well && self.now_us < replica.away_until_us {
            return Ok(());
        }
        if well || replica.random.percent(60) {
            replica.sync();
        }
        if well || replica.random.percent(80) {
            replica.acknowledged = replica.synced().sequence;
            if !replica.counts && replica.acknowledged == server.appended() {
                replica.counts = true;
                self.tally.count("copy: counts again");
            }
            if replica.counts {
                server.publish_copied(replica.acknowledged);
            }
        }
        let came = server.came();
        replica.settled = replica.settled.max(server.settled());
        self.let_go(came)
    }

    /// The writer's machine is lost. A copy that counts writes on, with all that it has synced, and
    /// as much as it likes of the rest.
    pub(crate) fn lose_the_machine(&mut self) -> Held {
        let Some(replica) = &mut self.replica else { return Ok(()) };
        if self.closing {
            return Ok(());
        }
        let wait_us = replica.random.between(10_000, 300_000);
        self.after(wait_us, Event::TakeOver);
        let (Some(replica), Some(server)) = (&mut self.replica, &self.server) else {
            return Ok(());
        };
        // Rather while the copy is behind: then there is something to lose.
        let behind = replica.synced().sequence < server.appended();
        let lost = replica.random.once_in(if behind { 12 } else { 60 });
        if !lost || !replica.counts || self.damage.is_some() {
            return Ok(());
        }
        let end = replica.ends[replica.random.place(replica.ends.len())];
        let snapshot_sequence = server.snapshots.sequence().unwrap_or(0);
        self.trace.tell("lost", format_args!("the copy holds {end}"));
        self.death = Some(Death::Kill);
        self.die();
        let takeover = Takeover { files: self.disk.copy(), end, snapshot_sequence };
        let replica = self.replica.as_mut().expect("there is one");
        replica.takeover = Some(takeover);
        Ok(())
    }

    /// Before a start: the directory becomes that of the copy.
    pub(crate) fn take_over(&mut self) -> Held {
        let Some(replica) = &mut self.replica else { return Ok(()) };
        let Some(Takeover { files, end, snapshot_sequence }) = replica.takeover.take() else {
            return Ok(());
        };
        if end.sequence < replica.settled {
            let detail = format!("{} is settled, the copy holds {end}", replica.settled);
            return violated("a copy that counts holds what is settled", detail);
        }
        (replica.ends, replica.counts) = (vec![end], false);
        // It is another machine's disk, with space of its own.
        self.disk.medium().full = false;
        self.disk.put_back(&files);
        let name = format!("set-aside/{}-{}", replica.epoch, end.sequence);
        // One for each takeover of a run.
        let aside = self.disk.within(name.leak());
        let journal = self.disk.within("journal");
        let limits = CutLimits { snapshot_sequence, set_aside_bytes_max: u64::MAX };
        let tail = cut(&journal, &aside, &end, limits);
        let tail =
            tail.or_else(|error| violated("what was shown is settled", error.to_string()))?;
        self.power_lost = false;
        self.tally.count(TOOK_OVER);
        self.tally.add("copy: frames that were never answered, cut", tail.frames);
        self.trace.tell("takeover", format_args!("{tail:?}"));
        Ok(())
    }

    /// The epoch of a start: granted where there are copies, and then some were granted to starts
    /// that ended before they wrote.
    pub(crate) fn next_epoch(&mut self) -> NewEpoch {
        let Some(replica) = &mut self.replica else { return NewEpoch::Next };
        replica.epoch += replica.random.between(1, 3) as u32;
        NewEpoch::Granted(replica.epoch)
    }

    /// What the copies hold for certain before anything is compared.
    pub(crate) fn copied_at_the_start(&self) -> Sequence {
        match &self.replica {
            Some(replica) if replica.counts => replica.settled,
            _ => NO_COPIES,
        }
    }

    /// What of a journal can be taken for history: without copies, and at the end, all of it.
    pub(crate) fn shown_until(&self, last: Sequence) -> Sequence {
        match &self.replica {
            Some(replica) if !self.closing => {
                let settled = self.server.as_ref().map_or(0, |server| server.settled());
                replica.settled.max(settled).min(last)
            }
            _ => last,
        }
    }

    /// After a start: what the copy has of another epoch goes.
    pub(crate) fn rejoin(&mut self) -> Held {
        let disk = self.disk.within("journal");
        let (Some(replica), Some(server)) = (&mut self.replica, &self.server) else {
            return Ok(());
        };
        loop {
            match verify_end(&disk, &replica.stored()) {
                Ok(()) => break,
                Err(JournalError::NotContinued { .. }) if replica.ends.len() > 1 => {
                    replica.ends.pop();
                }
                Err(error) if is_pruned(&error) && !replica.counts => {
                    self.tally.count("copy: began again");
                    let again = replica.begin_again(&disk, server.appended());
                    return again.or_else(|error| violated("a copy can begin", error.to_string()));
                }
                Err(JournalError::NotContinued { .. }) if server.appended() >= replica.settled => {
                    // The writer lost in a power cut what the copy had synced already.
                    self.tally.count("copy: ahead of a writer that lost power");
                    let again = replica.begin_again(&disk, server.appended());
                    return again.or_else(|error| violated("a copy can begin", error.to_string()));
                }
                Err(error) => return violated("a start holds what is settled", error.to_string()),
            }
        }
        Ok(())
    }

    /// A follower of the feed reads on.
    fn follow(&mut self) -> Held {
        let (Some(replica), Some(server)) = (&mut self.replica, &mut self.server) else {
            return Ok(());
        };
        if !replica.random.percent(20) {
            return Ok(());
        }
        let answer = server.feed.ask(replica.after, Form::List, Some(50));
        server.feed();
        let reply = answer.and_then(|mut answer| answer.try_recv().ok());
        match reply {
            Some(FeedReply::Piece(piece)) => {
                replica.after = piece.end;
                for event in piece.bytes.chunks_exact(EVENT_BYTES) {
                    let (sequence, check) = event.split_at(8);
                    let sequence = u64::from_le_bytes(sequence.try_into().expect("eight bytes"));
                    let check = u32::from_le_bytes(check.try_into().expect("four bytes"));
                    if replica.told.insert(sequence, check).is_some_and(|before| before != check) {
                        return violated("the feed tells an event once", sequence.to_string());
                    }
                    self.tally.count("feed: events told");
                }
                Ok(())
            }
            Some(FeedReply::Compacted { oldest }) => {
                replica.after = oldest;
                Ok(())
            }
            other => violated("a follower reads on", format!("{other:?}")),
        }
    }

    /// At the end: what the follower was told happened.
    pub(crate) fn check_told(&self) -> Held {
        let Some(replica) = &self.replica else { return Ok(()) };
        for (sequence, told) in &replica.told {
            let entry = self.history.entries.get(*sequence as usize - 1);
            if entry.is_none_or(|entry| check(&entry.record, entry.stamp) != *told) {
                return violated("what the feed told is in the journal", format!("{entry:?}"));
            }
        }
        Ok(())
    }
}

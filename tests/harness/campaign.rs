//! Rounds one after the other, for so many cycles or hours, and the table at the end.
//!
//! Owns how long it goes on, where a failed round is kept, and what is told. Every other round is
//! on a small disk, where there can be one. Next: `round`.

use crate::TARGET;
use crate::round::{Kind, Round};
use doorbuster::shared::clock::Clock;
use doorbuster_sim::Tally;
use doorbuster_test_support::random::Random;
use doorbuster_test_support::small_disk::on_a_small_disk;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// In the suite.
const CYCLES: u64 = 8;
/// One directory goes through so many: the witness's model is slow on purpose.
const CYCLES_PER_ROUND: u64 = 8;
const CYCLES_PER_SHORT_ROUND: u64 = 4;
/// Full soon enough.
const DISK_BYTES: u64 = 64 << 20;
const HOUR_MS: u64 = 3_600_000;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// All rounds of one run.
pub(crate) struct Campaign {
    seed: u64,
    kind: Kind,
    random: Random,
    clock: Clock,
    cycles_max: u64,
    until_ms: u64,
    /// Somebody wanted it and looks on.
    is_long: bool,
    rounds: u64,
    cycles: u64,
    tally: Tally,
}

impl Campaign {
    /// As long as `HARNESS_CYCLES` or `HARNESS_HOURS` say, or a few cycles.
    pub(crate) fn new(seed: u64, kind: Kind) -> Self {
        let (cycles, hours) = (variable("HARNESS_CYCLES"), variable("HARNESS_HOURS"));
        let of_hours = if hours.is_some() { u64::MAX } else { CYCLES };
        let campaign = Self {
            seed,
            kind,
            random: Random::new(seed),
            clock: Clock::start(),
            cycles_max: cycles.unwrap_or(of_hours),
            until_ms: hours.map_or(u64::MAX, |hours| hours * HOUR_MS),
            is_long: cycles.is_some() || hours.is_some(),
            rounds: 0,
            cycles: 0,
            tally: Tally::default(),
        };
        campaign.tell(&format!("seed {seed}"));
        campaign
    }

    /// Not through the captured output of a test: nobody would see it before the end.
    fn tell(&self, what: &str) {
        if self.is_long {
            let _ = writeln!(io::stderr(), "{what}");
        }
    }

    /// Runs all of it.
    pub(crate) fn run(mut self) {
        while self.cycles < self.cycles_max && self.clock.elapsed_ms() < self.until_ms {
            let most = if self.is_long { CYCLES_PER_ROUND } else { CYCLES_PER_SHORT_ROUND };
            let cycles = most.min(self.cycles_max - self.cycles);
            let random = self.random.fork(self.rounds);
            let mut is_done = false;
            if self.rounds % 2 == 1 {
                on_a_small_disk(TARGET, DISK_BYTES, |disk| {
                    self.judge(&mut Round::new(random.clone(), self.kind, Some(disk)), cycles);
                    is_done = true;
                });
            }
            if !is_done {
                self.judge(&mut Round::new(random, self.kind, None), cycles);
            }
            self.rounds += 1;
            self.cycles += cycles;
            let (rounds, cycles) = (self.rounds, self.cycles);
            let seconds = self.clock.elapsed_ms() / 1000;
            self.tell(&format!("{rounds} rounds, {cycles} cycles, {seconds} s: all true"));
        }
        self.tally.add("rounds", self.rounds);
        let seconds = self.clock.elapsed_ms() / 1000;
        let table = format!("seed {}, {seconds} s\n{}", self.seed, self.tally);
        self.tell(&table);
        eprint!("{table}");
        if self.kind == Kind::Hostile {
            let met = ["hostile: accepted, and judged", "refused: a table is full"];
            assert!(met.iter().all(|what| self.tally.of(what) > 0), "nothing was tried: {table}");
        }
    }

    /// One round. What is found wrong is kept with all its evidence.
    fn judge(&mut self, round: &mut Round<'_>, cycles: u64) {
        let judged = catch_unwind(AssertUnwindSafe(|| {
            round.run(cycles);
            round.check_stored();
            round.judge()
        }));
        self.tally.take(&round.tally());
        if let Ok(Ok(checked)) = judged {
            self.tally.add("witness: records", checked.records);
            self.tally.add("witness: answers true", checked.answers);
            return;
        }
        let place = self.place();
        round.keep(&place);
        let place = place.display();
        let again = format!("HARNESS_JUDGE={place} cargo test --test harness judged_again");
        let _ = writeln!(
            io::stderr(),
            "round {} of seed {} failed after {} cycles; notes and journal are kept: {again}",
            self.rounds,
            self.seed,
            self.cycles,
        );
        match judged {
            Ok(found) => panic!("{}", found.expect_err("it was not true")),
            Err(panicked) => resume_unwind(panicked),
        }
    }

    fn place(&self) -> PathBuf {
        let name = format!("harness-{:?}-{}-{}", self.kind, self.seed, self.rounds);
        Path::new(TARGET.folder).join(name)
    }
}

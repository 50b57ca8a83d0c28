//! What came of an attack: what the honest client met alone and meanwhile, the bars, and what is
//! worth telling beside them.
//!
//! Owns the table. A bar about time is shown at every scale and counts at the full one only. Never
//! measures. Next: `stage`.

use super::honest::Felt;
use super::stage::Stage;
use crate::error::BenchError;

/// What is said of one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Missed,
    /// About time, at a scale where that means nothing.
    NotJudged,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "  ",
            Self::Missed => "NO",
            Self::NotJudged => " -",
        }
    }
}

/// What came of one attack.
#[derive(Default)]
pub(super) struct Found {
    felt: Vec<(String, Felt)>,
    bars: Vec<(Verdict, String)>,
    told: Vec<String>,
}

impl Found {
    /// It could not be measured; the server may have ended.
    pub(super) fn failed(error: &BenchError) -> Self {
        let mut found = Self::default();
        found.bar(false, format!("not measured: {error}"));
        found
    }

    /// What the honest client met, and meanwhile what.
    pub(super) fn felt(&mut self, meanwhile: impl Into<String>, felt: &Felt) {
        self.felt.push((meanwhile.into(), felt.clone()));
    }

    /// A bar about counts or memory.
    pub(super) fn bar(&mut self, holds: bool, what: String) {
        self.bars.push((if holds { Verdict::Holds } else { Verdict::Missed }, what));
    }

    /// A bar about time.
    pub(super) fn time_bar(&mut self, stage: &Stage<'_>, holds: bool, what: String) {
        if stage.is_short() {
            self.bars.push((Verdict::NotJudged, what));
        } else {
            self.bar(holds, what);
        }
    }

    /// Everything that the honest client asked was done.
    pub(super) fn bar_of_service(&mut self, meanwhile: &str, felt: &Felt) {
        let Felt { asked, taken, capacity, refused, failed, .. } = felt;
        let lost = match felt.is_whole() {
            true => String::new(),
            false => format!(" ({capacity} for want of room, {refused} refused, {failed} failed)"),
        };
        let what = format!("{taken} of {asked} honest orders served{lost}, {meanwhile}");
        self.bar(felt.is_whole(), what);
    }

    /// Something that is no bar.
    pub(super) fn tell(&mut self, what: String) {
        self.told.push(what);
    }

    /// What is worth telling beside the bars.
    pub(super) fn print_told(&self) {
        self.told.iter().for_each(|line| println!("   {line}"));
    }
}

/// Prints the table and all bars; how many do not hold.
pub(super) fn print(all: &[(&'static str, Found)]) -> usize {
    println!(
        "{:<11} {:<34} {:>8} {:>8} {:>7} {:>8} {:>9} {:>9} {:>9}",
        "attack", "meanwhile", "asked", "served", "again", "served/s", "p50 ms", "p99 ms", "max ms"
    );
    for (name, found) in all {
        for (meanwhile, felt) in &found.felt {
            println!(
                "{name:<11} {meanwhile:<34} {:>8} {:>8} {:>7} {:>8.0} {:>9.2} {:>9.2} {:>9.2}",
                felt.asked,
                felt.taken,
                felt.repeated,
                felt.rate(),
                felt.ms(0.5),
                felt.ms(0.99),
                felt.ms(1.0)
            );
        }
    }
    println!("orders of the honest client; latencies from when each was meant to be sent");
    let bars = all.iter().flat_map(|(name, found)| found.bars.iter().map(move |bar| (name, bar)));
    for (name, (verdict, what)) in bars.clone() {
        println!("{} {name}: {what}", verdict.as_str());
    }
    let of = |wanted| bars.clone().filter(|(_, (verdict, _))| *verdict == wanted).count();
    println!(
        "{} bars hold, {} do not, {} about times are not judged at this scale",
        of(Verdict::Holds),
        of(Verdict::Missed),
        of(Verdict::NotJudged)
    );
    of(Verdict::Missed)
}

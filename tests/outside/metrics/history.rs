//! Scrapes of the server with times of their own, as blocks for Prometheus.
//!
//! Owns the times. The same scrapes are stored twice, at different hours: all of them 15 s apart,
//! and every fourth 60 s apart. Behind the last the instance is down. Next: `prometheus`.

use crate::OPENMETRICS;
use crate::tools::{output, promtool};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::wait;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Between two scrapes.
const STEP_S: u64 = 15;
/// Of the sparse ones.
const SPARSE: usize = 4;
/// Scrapes of usual trade: ten minutes and the first. The next shows the faults.
pub(crate) const SCRAPES_GOOD: usize = 10 * 60 / STEP_S as usize + 1;
/// The last scrape, a sparse one, which has seen the faults.
pub(crate) const SCRAPES_TOLD: usize = SCRAPES_GOOD - 1 + SPARSE;
/// An hour, in which one of the two lies.
const HOUR_S: u64 = 3_600;

/// One way of scraping, and moments to ask about, in seconds since 1970.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) step_s: u64,
    /// The last scrape of usual trade.
    pub(crate) good_s: u64,
    /// The first that has seen the faults.
    pub(crate) told_s: u64,
    /// Nothing answers.
    pub(crate) down_s: u64,
    /// Nothing is scraped any more.
    pub(crate) gone_s: u64,
}

/// Pages in their order.
#[derive(Debug, Default)]
pub(crate) struct History(Vec<String>);

impl History {
    /// Scrapes once.
    pub(crate) fn take(&mut self, client: &mut Client) {
        let answer = client.ask(&Ask::get("/metrics").header("Accept", OPENMETRICS));
        assert_eq!(answer.status, 200);
        self.0.push(String::from_utf8(answer.body).expect("UTF-8"));
    }

    /// Makes blocks of all in a folder.
    pub(crate) fn store(&self, folder: &Path) -> [Run; 2] {
        let mut page = String::new();
        let now_s = wait::wall_ms() / 1_000;
        let runs = [(1, now_s - 3 * HOUR_S), (SPARSE, now_s - 6 * HOUR_S)]
            .map(|(every, first_s)| self.write(&mut page, every, first_s));
        page.push_str("# EOF\n");
        let file = folder.join("scrapes.txt");
        std::fs::write(&file, page).expect("the scrapes are written");
        let mut command = Command::new(promtool().expect("it was there"));
        command.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&file);
        output(command.arg(folder.join("tsdb")), "");
        runs
    }

    fn write(&self, page: &mut String, every: usize, first_s: u64) -> Run {
        let step_s = STEP_S * every as u64;
        let instance = format!("every-{step_s}-s");
        let own = format!("job=\"doorbuster\",instance=\"{instance}\"");
        let at_s = |scrape: usize| first_s + STEP_S * scrape as u64;
        let scrapes = self.0.iter().enumerate().filter(|(scrape, _)| scrape % every == 0);
        for (scrape, text) in scrapes {
            let at_s = at_s(scrape);
            line(page, &format!("up{{{own}}} 1 {at_s}"));
            for sample in text.lines().filter(|line| !line.starts_with('#')) {
                let (name, value) = sample.rsplit_once(' ').expect("a value");
                match name.split_once('{') {
                    Some((name, labels)) => {
                        line(page, &format!("{name}{{{own},{labels} {value} {at_s}"));
                    }
                    None => line(page, &format!("{name}{{{own}}} {value} {at_s}")),
                }
            }
        }
        let (told_s, down_s) = (at_s(SCRAPES_TOLD), at_s(SCRAPES_TOLD + every));
        line(page, &format!("up{{{own}}} 0 {down_s}"));
        let good_s = at_s(SCRAPES_GOOD - 1);
        Run { step_s, good_s, told_s, down_s, gone_s: down_s + 600 }
    }
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a text takes all");
}

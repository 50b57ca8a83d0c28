//! Measures what a durable turn costs on a directory: storing a frame, and syncing it.
//!
//! `cargo run --release --example latency -- <directory> [frames] [record bytes] [segment bytes]`
//!
//! A directory without a journal gets one. One with a journal is scanned and resumed first, so a
//! second run, with the page cache dropped before it or not, measures a server that was restarted.

use std::time::{Duration, Instant};

use doorbuster_journal::{
    FileDisk, Journal, JournalId, Options, Origin, Spare, scan_with, turn_bytes_max,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[expect(clippy::disallowed_methods, reason = "measuring is the purpose of this program")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("name a directory")?;
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (frames, record_bytes) = (number(50_000)?, number(256)? as usize);
    let options = Options { segment_bytes: number(Options::default().segment_bytes)? };

    std::fs::create_dir_all(&directory)?;
    let mut journal = open(&directory, options)?;
    journal.start_allocator()?;
    while journal.free_space().spare != Spare::Ready {
        std::thread::yield_now();
        journal.begin(1, 0);
    }
    durable(&mut journal, frames, record_bytes)?;
    stored_only(&mut journal, frames * 20, record_bytes)?;
    journal.close()?;
    Ok(())
}

fn open(directory: &str, options: Options) -> Result<Journal, Box<dyn std::error::Error>> {
    let disk = FileDisk::open(directory)?;
    let (mut records, mut bytes) = (0_u64, 0_u64);
    let start = now();
    let found = scan_with(&disk, Origin::Genesis, &mut |frame| {
        bytes += frame.bytes();
        records += frame.records().map(|(_, record)| u64::from(!record.is_empty())).sum::<u64>();
        Ok(())
    })?;
    if found.id.is_none() {
        return Ok(Journal::create(disk, options, JournalId(*b"journal measured"))?);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "scan of {records} records, {} segments: {:.2} GB/s, {:.1} M records/s, {}",
        found.segments.len(),
        bytes as f64 / seconds / 1e9,
        records as f64 / seconds / 1e6,
        found.end.label()
    );
    let start = now();
    let journal = Journal::resume(disk, options, found)?;
    println!("resuming it: {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
    Ok(journal)
}

/// Every frame synced, as for clients that wait.
fn durable(journal: &mut Journal, frames: u64, record_bytes: usize) -> Outcome {
    let record = vec![0x5A; record_bytes];
    let (mut stores, mut syncs) = (Vec::new(), Vec::new());
    let start = now();
    for stamp in 0..frames {
        let before = now();
        journal.begin(1, stamp);
        journal.push(|frame| frame.extend_from_slice(&record))?;
        journal.finish()?;
        let stored = now();
        journal.sync()?;
        syncs.push(stored.elapsed());
        stores.push(stored - before);
    }
    let elapsed = start.elapsed();
    println!("{frames} frames of one record of {record_bytes} bytes, each synced:");
    println!("  {:<6} {:>10} {:>10} {:>10} {:>10}", "", "p50", "p99", "p99.9", "max");
    print_row("store", &mut stores);
    print_row("sync", &mut syncs);
    println!("  {:.0} syncs/s", frames as f64 / elapsed.as_secs_f64());
    Ok(())
}

fn print_row(name: &str, samples: &mut [Duration]) {
    samples.sort_unstable();
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize];
    let [p50, p99, p999, max] = [at(0.5), at(0.99), at(0.999), at(1.0)]
        .map(|sample| format!("{:.1} us", sample.as_nanos() as f64 / 1000.0));
    println!("  {name:<6} {p50:>10} {p99:>10} {p999:>10} {max:>10}");
}

/// Frames of 64 records: what the writer's core pays. Waiting for the disk, by a sync now and then
/// and for spares, is not counted.
fn stored_only(journal: &mut Journal, records: u64, record_bytes: usize) -> Outcome {
    let record = vec![0x5A; record_bytes];
    let mut elapsed = Duration::ZERO;
    let mut left = records;
    while left > 0 {
        let turn = left.min(64);
        if left % (64 * 256) < 64 {
            journal.sync()?;
        }
        let turn_bytes = turn_bytes_max(turn as usize, turn as usize * record_bytes);
        while !journal.free_space().fits(turn_bytes) {
            journal.begin(1, 0);
            std::thread::yield_now();
        }
        let before = now();
        journal.begin(1, left);
        for _ in 0..turn {
            journal.push(|frame| frame.extend_from_slice(&record))?;
        }
        journal.finish()?;
        elapsed += before.elapsed();
        left -= turn;
    }
    let per_second = records as f64 / elapsed.as_secs_f64() / 1e6;
    println!("{records} records in frames of 64, syncs not counted: {per_second:.1} M records/s");
    Ok(())
}

//! The engine by itself: decide, apply, encode and append on one core, the memory of rows prepared
//! on another as in a server, without syncs and without network; then the replay of what was
//! written, from its beginning and from an image; and the memory of the orders that live meanwhile.

use crate::arguments::at_least_one;
use crate::error::{BenchError, io_error};
use crate::load::now;
use crate::{memory, peers};
use doorbuster::background::prefault_thread::Prepared;
use doorbuster::background::snapshotter;
use doorbuster::codec;
use doorbuster::domain::memory::prefetch::{TOGETHER_MAX, warm};
use doorbuster::domain::model::command::{
    self, CreateOrder, Precondition, Principal, PutSku, Reach, Request, SkuSettings, Take,
};
use doorbuster::domain::model::event::{Event, Origin, Record, Started};
use doorbuster::domain::model::ids::{KeyClaim, LineRequest, PrincipalName, SkuId, UserId};
use doorbuster::domain::model::settings::{Caps, Settings};
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::{self, From};
use doorbuster_journal::{FileDisk, Journal, JournalId, Options as JournalOptions};
use doorbuster_snapshots::no_pause;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Orders to create and hold; each of a user of its own, under a key of its own
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=ORDERS_MAX))]
    pub(crate) orders: u32,
    /// Records of one turn
    #[arg(long, default_value_t = 64, value_parser = at_least_one::<u32>())]
    pub(crate) turn: u32,
    /// Replays from the first event, each on its own; the last one's rate counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) replays: u32,
    /// Where the journal goes [default: a new folder here]
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// End with the figures as one line of JSON
    #[arg(long)]
    json: bool,
}

const ORDERS_MAX: i64 = 8_000_000;

/// One segment takes all: leaving one syncs it, and making the next would run beside the engine.
fn segment_bytes(orders: u32) -> u64 {
    const MEBIBYTE: u64 = 1 << 20;
    const BYTES_PER_ORDER: u64 = 128;
    (u64::from(orders) * BYTES_PER_ORDER).next_multiple_of(MEBIBYTE) + MEBIBYTE
}

const STAMP: u64 = 1_800_000_000_000;

struct Engine {
    state: State,
    journal: Journal,
    principal: Principal,
    prepared: Prepared,
}

/// What was found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) decided_per_s: f64,
    pub(crate) replayed_per_s: f64,
    pub(crate) orders_bytes: u64,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let figures = measure(options)?;
    if options.json {
        println!("{}", serde_json::to_string(&figures).expect("numbers can be written"));
    }
    Ok(())
}

/// Measures as by default in a process of its own, which has used no memory yet, and shows what it
/// prints.
pub(crate) fn by_itself(data: &Path) -> Result<Figures, BenchError> {
    let own = std::env::current_exe().map_err(io_error("find this program"))?;
    let mut command = Command::new(own);
    command.args(["engine", "--json", "--data"]).arg(data).stderr(Stdio::inherit());
    let ended = command.output().map_err(io_error("start the engine"))?;
    let told = String::from_utf8_lossy(&ended.stdout);
    let lines: Vec<&str> = told.lines().collect();
    // One that fails has no figures to end with.
    let shown = lines.len() - usize::from(ended.status.success()).min(lines.len());
    lines[..shown].iter().for_each(|line| println!("{line}"));
    match lines[shown..] {
        [figures] => serde_json::from_str(figures).map_err(broken),
        _ => Err(broken(ended.status)),
    }
}

/// Prints each rate, and the memory of the orders.
fn measure(options: &Options) -> Result<Figures, BenchError> {
    let folder = peers::data_folder(options.data.as_deref())?;
    let mut engine = Engine::new(folder.path(), options.orders)?;
    memory::have();
    let before = resident_bytes()?;
    let took = engine.orders(options)?;
    println!(
        "{} orders held, turns of {}, no syncs, one core, memory prepared on another",
        options.orders, options.turn
    );
    let decided_per_s =
        print_rate("decide, apply, encode, append", u64::from(options.orders), took);
    let orders_bytes = resident_bytes()? - before;
    println!(
        "memory: {:.0} MB for the orders, their keys, users and uses, caps an eighth above",
        orders_bytes as f64 / 1e6
    );
    let digest = codec::digest(&engine.state).to_string();
    let id = engine.journal.id();
    engine.journal.sync().map_err(broken)?;
    engine.journal.close().map_err(broken)?;
    drop(engine.state);
    let (mut events, mut replayed_per_s) = (0, 0.0);
    for _ in 0..options.replays {
        (events, replayed_per_s) =
            replayed(folder.path(), From::Genesis, &digest, "replay from the first event")?;
    }
    memory::have();
    let begun = now();
    snapshotter::fold(folder.path(), id, None, no_pause).map_err(broken)?;
    print_rate("fold into an image, replay included", events, begun.elapsed());
    replayed(folder.path(), From::NewestSnapshot, &digest, "start from the image")?;
    Ok(Figures { decided_per_s, replayed_per_s, orders_bytes })
}

fn broken(error: impl std::fmt::Display) -> BenchError {
    let cause = std::io::Error::other(error.to_string());
    BenchError::Io { operation: "measure the engine".to_owned(), cause }
}

/// So many a second.
fn print_rate(what: &str, count: u64, took: Duration) -> f64 {
    let per_s = count as f64 / took.as_secs_f64();
    println!("{what}: {:.3} s, {:.2} M/s", took.as_secs_f64(), per_s / 1e6);
    per_s
}

/// How many events, and how many a second.
fn replayed(data: &Path, from: From, digest: &str, what: &str) -> Result<(u64, f64), BenchError> {
    memory::have();
    let begun = now();
    let replayed = replay::replay(data, from, None, &mut |_| {}).map_err(broken)?;
    let per_s = print_rate(what, replayed.state.sequence, begun.elapsed());
    let own = codec::digest(&replayed.state).to_string();
    if own != digest {
        return Err(broken(format!("the replay gave digest {own}, not {digest}")));
    }
    Ok((replayed.state.sequence, per_s))
}

impl Engine {
    fn new(data: &Path, orders: u32) -> Result<Self, BenchError> {
        for directory in [replay::journal_directory(data), replay::snapshot_directory(data)] {
            std::fs::create_dir(directory).map_err(io_error("make a folder for the data"))?;
        }
        let disk = FileDisk::open(replay::journal_directory(data));
        let disk = disk.map_err(io_error("open the folder for the data"))?;
        let options = JournalOptions { segment_bytes: segment_bytes(orders) };
        let journal = Journal::create(disk, options, JournalId([7; 16]));
        let mut engine = Self {
            state: State::new(1),
            journal: journal.map_err(broken)?,
            principal: Principal { name: PrincipalName::local(), reach: Reach::All },
            prepared: Prepared::by_thread().map_err(io_error("start a thread"))?,
        };
        let caps = orders + orders / 8;
        let caps = Caps {
            skus: 100,
            orders: caps,
            keys: caps,
            answers: 100,
            uses: caps,
            users: caps,
            ..Caps::default()
        };
        engine.begin();
        engine.append(Record {
            origin: None,
            event: Event::Started(Started {
                epoch: 1,
                hash_key: [7; 16],
                answers_before_sync: true,
                lost_from: None,
                life: None,
            }),
        })?;
        let settings = Settings { caps, ..Settings::default() };
        engine
            .append(Record { origin: None, event: Event::SettingsChanged(Box::new(settings)) })?;
        engine.decide(&Request {
            principal: engine.principal.clone(),
            key: None,
            traceparent: None,
            command: command::Command::PutSku(Box::new(PutSku {
                sku: sku(),
                stock: u64::from(orders),
                settings: SkuSettings::default(),
                precondition: Precondition::None,
            })),
        })?;
        engine.journal.finish().map_err(broken)?;
        Ok(engine)
    }

    fn begin(&mut self) {
        self.journal.begin(1, STAMP);
    }

    fn orders(&mut self, options: &Options) -> Result<Duration, BenchError> {
        let mut took = Duration::ZERO;
        let mut number = 0;
        while number < options.orders {
            let end = options.orders.min(number + options.turn);
            let requests: Vec<Request> = (number..end).map(|number| self.order(number)).collect();
            self.begin();
            let begun = now();
            self.prepared.turn(&mut self.state);
            for together in requests.chunks(TOGETHER_MAX) {
                warm(&mut self.state, together.iter().map(Into::into));
                for request in together {
                    self.decide(request)?;
                }
            }
            self.journal.finish().map_err(broken)?;
            took += begun.elapsed();
            number = end;
        }
        Ok(took)
    }

    fn order(&self, number: u32) -> Request {
        let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        Request {
            principal: self.principal.clone(),
            key: Some(KeyClaim { hash: mixed, fingerprint: u64::from(number) }),
            traceparent: None,
            command: command::Command::CreateOrder(CreateOrder {
                user: UserId::parse(&format!("user-{number:08}")).expect("a user id"),
                lines: std::iter::once(LineRequest { sku: sku(), quantity: 1 }).collect(),
                reference: None,
                take: Take::Hold(None),
            }),
        }
    }

    fn decide(&mut self, request: &Request) -> Result<(), BenchError> {
        match decide(&self.state, request, STAMP) {
            Decision::Change(event) => {
                let origin = Origin {
                    principal: request.principal.name.clone(),
                    reach_all: true,
                    key: request.key,
                    traceparent: None,
                };
                self.append(Record { origin: Some(origin), event })
            }
            other => Err(broken(format!("an order was not taken: {other:?}"))),
        }
    }

    fn append(&mut self, record: Record) -> Result<(), BenchError> {
        apply(&mut self.state, &record, STAMP);
        self.journal.push(|bytes| codec::encode_record(&record, bytes)).map_err(broken)?;
        Ok(())
    }
}

fn sku() -> SkuId {
    SkuId::parse("bench").expect("a SKU id")
}

/// Without what is mapped from files: an empty server maps as much of its journal as a full one.
fn resident_bytes() -> Result<u64, BenchError> {
    let text = std::fs::read_to_string("/proc/self/status").map_err(io_error("read memory use"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let kibibytes = kibibytes.ok_or_else(|| broken("the system does not tell its memory use"))?;
    Ok(kibibytes * 1024)
}

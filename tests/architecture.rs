//! Holds the code to its map: who may use what, where each outside library may be named, and what
//! every file has. `ARCHITECTURE.md` says the same in words. Never looks at behaviour.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/test_code.rs"]
mod test_code;

use imports::IMPORTS;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where each library that has one place may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("disruptor", &["src/ring/"]),
    ("rtrb", &["src/ring/"]),
    ("atomic_waker", &["src/ring/"]),
    ("bincode", &["src/codec/"]),
    ("memmap2", &["journal/src/disk/mapped_file.rs"]),
    ("hdrhistogram", &["src/metrics/", "bench/"]),
    ("prometheus_client", &["src/metrics/exposition.rs"]),
    ("base64", &["src/cluster/etcd/", "bench/"]),
    (
        "hyper",
        &[
            "src/client/",
            "src/cluster/etcd/gateway.rs",
            "src/http/",
            "bench/src/bare.rs",
            "bench/src/bare/",
        ],
    ),
    (
        "serde_json",
        &[
            "src/client/",
            "src/cluster/etcd/",
            "src/cluster/node_file.rs",
            "src/http/",
            "bench/",
            "tools/",
        ],
    ),
    ("jiff", &["src/http/", "src/shared/instant.rs", "bench/", "tools/"]),
    (
        "rustls",
        &["src/client/origin.rs", "src/http/connection/tls.rs", "src/process/peers/peer_tls.rs"],
    ),
    ("rustls_native_certs", &["src/client/origin.rs"]),
    (
        "tokio_rustls",
        &["src/client/origin.rs", "src/http/connection/tls.rs", "src/process/peers/peer_tls.rs"],
    ),
    ("tracing_subscriber", &["src/process/log/"]),
    ("x509_cert", &["src/http/connection/tls.rs"]),
    ("hmac", &["src/domain/model/draw.rs"]),
    (
        "sha2",
        &[
            "bench/src/attack/shop.rs",
            "src/codec/",
            "src/domain/model/draw.rs",
            "src/http/auth/tokens.rs",
            "snapshots/",
            "tools/",
        ],
    ),
    ("subtle", &["src/http/auth/identity.rs", "src/http/auth/tokens.rs"]),
    ("siphasher", &["src/http/"]),
    ("ipnet", &["src/config/admission.rs", "src/http/admission/"]),
    ("toml", &["src/config/", "src/http/auth/tokens.rs", "src/main.rs"]),
    (
        "doorbuster_journal",
        &[
            "bench/",
            "snapshots/",
            "src/config/",
            "src/copies/",
            "src/background/feeder/mod.rs",
            "src/background/memory.rs",
            "src/background/feeder/",
            "src/background/prefault_thread.rs",
            "src/engine/follower/",
            "src/engine/recovery/",
            "src/engine/replay/",
            "src/testing/failpoints.rs",
            "src/background/scrubber.rs",
            "src/process/peers/",
            "src/process/server/",
            "src/background/follower_snapshotter.rs",
            "src/background/snapshotter/mod.rs",
            "src/writer/",
            "tools/",
        ],
    ),
];

/// Rules: of a shop, and of who writes.
const PURE: &[&str] = &["src/domain", "src/cluster/role"];

/// What rules must never reach for.
const IMPURE: &[&str] = &[
    "std::time",
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "HashMap",
    "HashSet",
    "f32",
    "f64",
    "println!",
    "tracing",
    "static ",
    "async ",
    "rand",
];

/// Where a file may be longer than 500 lines, and why.
const LONG: &[&str] = &[];
const LINES_MAX: usize = 500;

struct Source {
    path: String,
    text: String,
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let path = path.strip_prefix(root).expect("it is below").display().to_string();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty());
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

const CODE: &[&str] = &["src", "journal/src", "snapshots/src", "bench/src", "tools/src"];

/// The lines of a source that are code.
fn code(source: &Source) -> impl Iterator<Item = &str> {
    source.text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// Folders of parts: each thing in them is a part by itself.
const ROOMS: &[&str] = &["background", "engine", "process", "shared", "testing"];

/// `src/http/response/wire.rs` belongs to `http`, `src/shared/clock.rs` to `clock`, `src/main.rs`
/// to `main`.
fn part(path: &str) -> &str {
    let below = path.strip_prefix("src/").expect("a path in src");
    let mut names = below.split(['/', '.']);
    let first = names.next().expect("a path has a first segment");
    let inner = names.next().filter(|inner| ROOMS.contains(&first) && *inner != "mod");
    inner.unwrap_or(first)
}

/// Word by word: `hyper` is not `hyper_util`.
fn names(line: &str, word: &str) -> bool {
    let joins = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).map(|at| line.as_bytes()[at]);
        let after = line.as_bytes().get(at + word.len()).copied();
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

/// The first name of a path; empty where it begins with a brace.
fn first_name(path: &str) -> &str {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

/// What follows `crate::` or, in the binary, `doorbuster::` on a line; in a room what follows that.
fn parts_used(line: &str) -> Vec<&str> {
    let after = |root: &'static str| line.split(root).skip(1);
    let roots = after("crate::").chain(after("doorbuster::"));
    let part = |path| {
        let first = first_name(path);
        let inner = path[first.len()..].strip_prefix("::").filter(|_| ROOMS.contains(&first));
        inner.map_or(first, first_name)
    };
    roots.map(part).collect()
}

#[test]
fn arrows_point_one_way() {
    let table: BTreeMap<_, _> = IMPORTS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources(&["src"]) {
        let own = part(&source.path);
        let Some(allowed) = table.get(own) else {
            wrong.push(format!("{}: `{own}` is not in the table", source.path));
            continue;
        };
        for line in code(&source) {
            let others = parts_used(line);
            let unclear = others.contains(&"");
            let bad = |other: &&str| {
                table.contains_key(other) && *other != own && !allowed.contains(other)
            };
            if unclear || others.iter().any(bad) {
                wrong.push(format!("{} uses {others:?}: {line}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "ARCHITECTURE.md says who may use whom:\n{}", wrong.join("\n"));
}

#[test]
fn each_library_is_named_in_its_home_only() {
    let mut wrong = Vec::new();
    for source in sources(CODE) {
        for (library, homes) in HOMES {
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            let path = format!("{library}::");
            let named = |line: &&str| {
                line.contains(&path) && names(line, library) && !line.contains("crate::")
            };
            if !at_home && let Some(line) = code(&source).find(named) {
                wrong.push(format!("{} names {library}: {line}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_are_pure() {
    let mut wrong = Vec::new();
    for source in sources(PURE) {
        for line in code(&source) {
            let named = |word: &&&str| match word.ends_with([' ', '!']) {
                true => line.starts_with(**word),
                false => names(line, word),
            };
            if let Some(word) = IMPURE.iter().find(named) {
                wrong.push(format!("{} has {word}: {line}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_clock_reads_time_and_only_the_mapping_is_unsafe() {
    for source in sources(CODE) {
        let reads = code(&source)
            .any(|line| line.contains("Instant::now()") || line.contains("SystemTime::now()"));
        let may_read = source.path == "src/shared/clock.rs" || source.path.starts_with("bench/");
        assert!(!reads || may_read, "{} reads time", source.path);
        let is_unsafe =
            code(&source).any(|line| names(line, "unsafe") && !line.contains("unsafe_code"));
        let may_be = source.path == "journal/src/disk/mapped_file.rs";
        assert!(!is_unsafe || may_be, "{} is unsafe", source.path);
    }
}

#[test]
fn only_recovery_resumes_a_journal() {
    for source in sources(&["src", "tools/src", "bench/src"]) {
        let cuts = code(&source).any(|line| line.contains("Journal::resume("));
        // A test's directory in memory is no server's.
        let may = source.path == "src/engine/recovery/resume.rs" || source.path.contains("/tests/");
        assert!(!cuts || may, "{} cuts a journal", source.path);
    }
}

#[test]
fn every_file_says_what_it_owns_and_fits_a_mind() {
    for source in sources(CODE).iter().chain(&sources(&["tests"])) {
        assert!(source.text.starts_with("//!"), "{} has no header", source.path);
        let lines = source.text.lines().count();
        let long = LONG.contains(&source.path.as_str());
        assert!(long || lines <= LINES_MAX, "{} has {lines} lines", source.path);
        for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("] {
            let own = source.path == "tests/architecture.rs";
            assert!(own || !source.text.contains(word), "{} has {word}", source.path);
        }
    }
}

/// Names that stood for several things, or for one that the field has a word for. The glossary of
/// `ARCHITECTURE.md` has the words that stand for them now.
const RETIRED: &[&str] = &[
    "Answering",
    "Arrived",
    "Asked",
    "Asker",
    "BadOdds",
    "Beside",
    "Beyond",
    "Board",
    "Doors",
    "Enrolled",
    "Guest",
    "HANDED_IN_MAX",
    "HANDED_IN_SLOTS",
    "HandedIn",
    "Happened",
    "ImageError",
    "NotTaken",
    "Question",
    "Queue",
    "Refuser",
    "Sealed",
    "Seated",
    "Showing",
    "Starved",
    "Tally",
    "Touch",
    "UnderWay",
    "Usher",
    "acquaintance",
    "count_handed_in",
    "deed",
    "enrol",
    "enrolled",
    "glance",
    "guest",
    "hand_in",
    "handed_in",
    "may_be_under_way",
    "mutant",
    "near_use",
    "nudge",
    "planted",
    "shaken",
    "starved",
    "take_handed_in",
    "tell_refusals",
    "usher",
    "wake_crowd",
];

/// Public types of one name: each means something else in its part, and is the plain word there.
const SHARED_NAMES: &[&str] =
    &["Copied", "Kind", "Origin", "Outcome", "Pruned", "Refusal", "Remembered"];

#[test]
fn retired_words_name_nothing() {
    let mut wrong = Vec::new();
    for source in sources(CODE) {
        let retired = |word: &&&str| code(&source).any(|line| names(line, word));
        if let Some(word) = RETIRED.iter().find(retired) {
            wrong.push(format!("{} says {word}", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The client's types are left out: they are the contract's words, as the domain's are.
#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources(&["src", "journal/src", "snapshots/src"]) {
        if source.path.starts_with("src/client/") {
            continue;
        }
        for line in code(&source) {
            let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            let named = kinds.iter().find_map(|kind| line.strip_prefix(kind));
            // The name in a macro is given where the macro is used.
            if let Some(name) = named.map(first_name).filter(|name| !name.is_empty()) {
                places.entry(name.to_owned()).or_default().push(source.path.clone());
            }
        }
    }
    places.retain(|name, places| places.len() > 1 && !SHARED_NAMES.contains(&name.as_str()));
    assert!(places.is_empty(), "one name for several public types: {places:#?}");
}

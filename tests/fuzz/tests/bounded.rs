//! Every target, over the inputs that are kept and over some that are made up: a few seconds each,
//! on the compiler that everything else is built with.
//!
//! `PROPTEST_CASES=20000` makes up so many for each (the defaults stand in `TARGETS`),
//! `FUZZ_SEED=17` others. A failure prints the input, and the line that keeps it. Next:
//! `doorbuster_fuzz`.

use doorbuster_fuzz::{TARGETS, Target, statuses, target};
use proptest::prelude::{Strategy, any};
use proptest::sample::{Index, select};
use proptest::strategy::Union;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs that are kept for a target, by name.
fn kept(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = corpus().join(target.name);
    let entries = fs::read_dir(&folder).expect("a target has a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it lists").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    let input = |path: PathBuf| (path.clone(), fs::read(path).expect("a file of ours"));
    paths.into_iter().map(input).collect()
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    /// A piece of the same input, put elsewhere.
    Repeat(Index, Index, u8),
    Cut(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let words: &[&[u8]] = &[
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"\"",
        b"{}",
        b"null",
        b"[",
        b":",
        b",",
        b"%2F",
        b"%",
        b"0",
        b"-1",
        b"18446744073709551616",
        b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
        b"Expect: 100-continue\r\n",
        b"\0",
        b"\xff\xff\xff\xff",
    ];
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    let at = any::<Index>;
    Union::new([
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)).boxed(),
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)).boxed(),
        (at(), select(words)).prop_map(|(at, word)| Edit::Insert(at, word)).boxed(),
        (at(), proptest::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes))
            .boxed(),
        (at(), 1..16_u8).prop_map(|(at, count)| Edit::Remove(at, count)).boxed(),
        (at(), at(), 1..64_u8).prop_map(|(at, from, count)| Edit::Repeat(at, from, count)).boxed(),
        at().prop_map(Edit::Cut).boxed(),
    ])
}

fn edited(mut input: Vec<u8>, edits: &[Edit], bytes_max: usize) -> Vec<u8> {
    for edit in edits {
        let places = input.len() + 1;
        match edit {
            Edit::Set(at, byte) => {
                input.get_mut(at.index(places)).into_iter().for_each(|place| *place = *byte);
            }
            Edit::Flip(at, bit) => {
                input.get_mut(at.index(places)).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            Edit::Insert(at, bytes) => {
                let at = at.index(places);
                input.splice(at..at, bytes.iter().copied());
            }
            Edit::Remove(at, count) => {
                let at = at.index(places);
                let end = (at + usize::from(*count)).min(input.len());
                input.drain(at..end);
            }
            Edit::Repeat(at, from, count) => {
                let from = from.index(places);
                let end = (from + usize::from(*count)).min(input.len());
                let piece = input[from..end].to_vec();
                let at = at.index(places);
                input.splice(at..at, piece);
            }
            Edit::Cut(at) => input.truncate(at.index(places)),
        }
    }
    // A kept input may be longer.
    input.truncate(bytes_max.max(16 * 1024));
    input
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// Runs a target; says why it panicked.
fn run(target: Target, input: &[u8]) -> Result<(), String> {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    ran.map_err(|why| match (why.downcast_ref::<String>(), why.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "a panic without words".to_owned(),
    })
}

/// Where an input that fails is left, to be kept in the corpus once it is mended.
fn leave(name: &str, input: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-failure"));
    fs::write(&path, input).expect("the build directory takes a file");
    path
}

fn check(name: &str) {
    let target = target(name);
    let kept = kept(target);
    for (path, input) in &kept {
        if let Err(why) = run(target, input) {
            panic!("{}: {why}", path.display());
        }
    }
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let cases = number("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok());
    let cases = cases.unwrap_or(target.cases);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let seeds: Vec<Vec<u8>> = kept.into_iter().map(|(_, input)| input).collect();
    let noise = proptest::collection::vec(any::<u8>(), 0..target.bytes_max);
    let start = Union::new_weighted(vec![(4, select(seeds).boxed()), (1, noise.boxed())]);
    let edits = proptest::collection::vec(edit(), 0..8);
    let input =
        (start, edits).prop_map(move |(start, edits)| edited(start, &edits, target.bytes_max));
    let ran = TestRunner::new_with_rng(config, rng)
        .run(&input, |input| run(target, &input).map_err(TestCaseError::fail));
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => {
            let left = leave(name, &input);
            let file = left.display();
            panic!(
                "{name}: {why}\nthe shortest input found: {:?}\nit is left in {file}; keep it as \
                 tests/fuzz/corpus/{name}/WHAT-IT-SHOWS\nagain: FUZZ_SEED={seed} \
                 PROPTEST_CASES={cases} cargo test -p doorbuster-fuzz {name}",
                String::from_utf8_lossy(&input)
            );
        }
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
    }
}

/// The kept conversations are not all refused: the fuzzer starts behind the first checks.
#[test]
fn a_kept_sale_and_a_kept_batch_are_answered() {
    let said = |name: &str| fs::read(corpus().join("http_bytes").join(name)).expect("it is kept");
    let sale = [201, 201, 201, 409, 200, 200, 200, 200, 200, 200];
    assert_eq!(statuses(&said("sale-in-sevens")), sale);
    assert_eq!(statuses(&said("batch-in-sevens")), [201, 200, 200]);
    assert_eq!(statuses(&said("draw-in-sevens")), [201, 201, 201, 200, 200]);
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_target_is_run_and_has_a_corpus_and_a_program() {
            let run = BTreeSet::from([$(stringify!($name)),*]);
            let there: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(run, there);
            let folders: BTreeSet<String> = fs::read_dir(corpus())
                .expect("the corpus is there")
                .map(|entry| entry.expect("it lists").file_name().into_string().expect("a name"))
                .collect();
            assert_eq!(folders, there.iter().map(|name| (*name).to_owned()).collect());
            let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer/Cargo.toml");
            let manifest = fs::read_to_string(manifest).expect("it is there");
            for name in there {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

targets! {
    journal_scan repair snapshot_load state_decode record_decode http_bytes json_body request_parts
    tokens_file config_file proxy_header peer_messages
}

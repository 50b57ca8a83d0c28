//! What holds for the code of tests: what several targets share is compiled once, and names of tests
//! are short.
//!
//! Next: `tests/support`, `tests/directories`.

use super::{CODE, sources};

/// Where tests are. Those of a module stand in the code itself.
const TESTS: &[&str] = &["bench/tests", "journal/tests", "snapshots/tests", "tests", "tools/tests"];

/// Files of other targets, and why they are compiled here once more: loom needs the ring built
/// with its own types, and the bare server's answer is part of a binary.
const COMPILED_AGAIN: &[(&str, &str)] =
    &[("tests/loom/src/", "src/ring/"), ("tests/allocations/bare.rs", "bench/src/bare/answer.rs")];

/// Where code may be that not every target uses.
const MAY_BE_DEAD: &[&str] = &["tests/loom/src/lib.rs", "tests/architecture/test_code.rs"];

#[test]
fn shared_code_is_in_a_crate() {
    let mut wrong = Vec::new();
    for source in sources(TESTS) {
        let paths = source.text.split("#[path = \"").skip(1);
        for path in paths.map(|rest| rest.split('"').next().expect("a first part")) {
            let known = COMPILED_AGAIN
                .iter()
                .any(|(at, of)| source.path.starts_with(at) && path.contains(of));
            if path.contains("..") && !known {
                wrong.push(format!("{} includes {path}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "it belongs into tests/support:\n{}", wrong.join("\n"));
}

#[test]
fn no_code_is_allowed_to_be_dead() {
    for source in sources(CODE).iter().chain(&sources(TESTS)) {
        let exempt = MAY_BE_DEAD.contains(&source.path.as_str());
        assert!(exempt || !source.text.contains("dead_code"), "{} lets code be dead", source.path);
    }
}

/// A longer name is hard to say and to select; the rest of the sentence is the line above it.
const NAME_LETTERS_MAX: usize = 60;

/// The names of the tests of a source.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let is_mark = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
    let mut lines = text.lines().map(str::trim);
    std::iter::from_fn(move || {
        lines.find(|line| is_mark(line))?;
        let name = lines.find_map(|line| line.split_once("fn "))?.1;
        name.split('(').next()
    })
}

#[test]
fn names_of_tests_are_short() {
    let (mut names, mut wrong) = (0, Vec::new());
    for source in sources(CODE).iter().chain(&sources(TESTS)) {
        for name in tests(&source.text) {
            names += 1;
            if name.len() > NAME_LETTERS_MAX {
                wrong.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert!(names > 1_000, "only {names} tests were found: are they written otherwise?");
    assert!(wrong.is_empty(), "more than {NAME_LETTERS_MAX} letters:\n{}", wrong.join("\n"));
}

//! The table fits the source as it is now, and tells of each mutant once.
//!
//! Builds no mutant: that is the hunt.

use doorbuster_mutants::mutant::{Made, Mutant, edit, edited, lied};
use doorbuster_mutants::switched::{Misfit, files, switched};
use doorbuster_mutants::table::mutants;
use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &str) -> String {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    std::fs::read_to_string(root.join(file)).unwrap_or_else(|cause| panic!("{file}: {cause}"))
}

/// A row whose text is gone is a mistake that nobody hunts any more.
#[test]
fn each_old_text_stands_in_its_file_once() {
    let mutants = mutants();
    for file in files(&mutants) {
        if let Err(misfit) = switched(&mutants, file, &read(file)) {
            panic!("{misfit}\nThe source has changed: bring tests/mutants/src/table in step.");
        }
    }
}

#[test]
fn each_mutant_has_a_name_and_is_another() {
    let mutants = mutants();
    let names: BTreeSet<_> = mutants.iter().map(|mutant| mutant.name).collect();
    assert_eq!(names.len(), mutants.len());
    for mutant in &mutants {
        let Made::Edits(edits) = mutant.made else { continue };
        assert!(!edits.is_empty(), "{} changes nothing", mutant.name);
        for edit in edits {
            assert!(!edit.new.contains("//"), "{}: all stands on one line", mutant.name);
        }
    }
}

#[test]
fn the_page_tells_what_found_each() {
    let page = read("docs/PROOF.md");
    for Mutant { name, mistake, .. } in mutants() {
        let row = format!("\n| {name} | {mistake} |");
        assert_eq!(page.matches(&row).count(), 1, "docs/PROOF.md has no row for {name}");
    }
}

const SOURCE: &str = "let sum = one + two;\nsync()?;\n";

fn row(name: &'static str, old: &'static str, new: &'static str) -> Mutant {
    edited(name, "a mistake", Box::leak(Box::new([edit("src/a.rs", old, new)])))
}

fn switch(mutants: &[Mutant]) -> Result<String, Misfit> {
    switched(mutants, "src/a.rs", SOURCE)
}

#[test]
fn a_piece_is_replaced_where_its_mutant_runs() {
    const ELSEWHERE: Mutant = edited("Else", "a mistake", &[edit("src/b.rs", "nothing", "")]);
    let mutants = [
        lied("Lie", "a lie"),
        row("Less", "sum = «one + two»;", "one - two"),
        row("None", "sum = «one + two»;", "0"),
        row("Early", "«»sync()?;", "if one {\n    return;\n}"),
        ELSEWHERE,
    ];
    let expected = "let sum = { if doorbuster_journal::mutant(1) { one - two } \
                    else if doorbuster_journal::mutant(2) { 0 } else { one + two } };\n\
                    { if doorbuster_journal::mutant(3) { if one { return; } } else {  } }sync()?;\n";
    assert_eq!(switch(&mutants).expect("all fit"), expected);
    assert_eq!(files(&mutants), ["src/a.rs", "src/b.rs"]);
}

#[test]
fn a_text_that_is_not_there_once_does_not_fit() {
    let gone = switch(&[row("Gone", "three", "")]);
    assert!(matches!(gone, Err(Misfit::Text { mutant: "Gone", times: 0, .. })));
    let twice = switch(&[row("Twice", ";\n", "")]);
    assert!(matches!(twice, Err(Misfit::Text { mutant: "Twice", times: 2, .. })));
}

#[test]
fn pieces_that_overlap_do_not_fit() {
    let misfit = switch(&[row("One", "«one + two»;", "1"), row("Two", "+ «two»;", "2")]);
    assert!(matches!(misfit, Err(Misfit::Overlap { mutant: "Two", other: "One", .. })));
}

#[test]
fn marks_stand_once_and_in_order() {
    for old in ["«one", "one»", "»one«", "«one» + «two»"] {
        let misfit = switch(&[row("Marks", old, "1")]);
        assert!(matches!(misfit, Err(Misfit::Marks { mutant: "Marks", .. })), "{old}");
    }
}

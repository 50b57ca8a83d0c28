//! What cannot be printed is an error, for every command; a reader who went away is none. Help,
//! completions, manual pages, and values that make no sense.

use crate::backups::{after, back_up, elsewhere};
use crate::run::{command, ctl, ended, start, undisturbed};
use crate::story::{Story, settings, tell, tell_to_the_end};
use crate::writer::{START, Writer};
use doorbuster::domain::model::command::{AdjustSku, Adjustment, Command as Ask, Precondition};
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// Each prints something. `{n}` is a directory that is not there yet, a new one for each run.
const PRINTING: &[&str] = &[
    "--help",
    "--version",
    "journal --help",
    "journal info",
    "journal dump",
    "journal verify",
    "journal repair",
    "replay",
    "replay --recheck",
    "snapshot list",
    "snapshot verify",
    "order 1-5",
    "sku A",
    "backup --to {n}/b",
    "token new --name shop --role buy",
    "completions bash",
    "completions zsh",
    "man",
];

fn lines(story: &Story, arguments: &str, json: &str) -> (tempfile::TempDir, Command) {
    let place = elsewhere();
    let arguments = arguments.replace("{n}", place.path().to_str().unwrap());
    let command = command(story.writer.path(), &format!("{arguments}{json}"));
    (place, command)
}

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let story = tell();
    for arguments in PRINTING {
        for json in ["", " --json"] {
            let (_place, mut command) = lines(&story, arguments, json);
            let full = File::options().write(true).open("/dev/full").expect("Linux has it");
            command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
            let child = undisturbed(|| command.spawn().expect("the tool was built"));
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(3), "{arguments}{json}: {told}");
            let reason = "cannot write to standard output: No space left on device";
            assert!(told.contains(reason), "{arguments}{json}: {told}");
        }
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_told_and_kills_nobody() {
    let story = tell();
    let place = elsewhere();
    for arguments in ["journal dump", "replay --json", "man"] {
        let mut shell = after("ulimit -f 0", story.writer.path(), arguments);
        let file = File::create(place.path().join("out")).expect("there is room");
        shell.stdin(Stdio::null()).stdout(file).stderr(Stdio::piped());
        let child = undisturbed(|| shell.spawn().expect("there is a shell"));
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments}: {told}");
        assert!(told.contains("File too large"), "{arguments}: {told}");
    }
}

#[test]
fn an_error_that_cannot_be_printed_is_told_all_the_same() {
    let place = elsewhere();
    let mut command = command(&place.path().join("nowhere"), "journal info --json");
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    let output = undisturbed(|| command.spawn().unwrap()).wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("nowhere") && told.contains("No space left"), "{told}");
}

#[test]
fn a_reader_who_went_away_hears_nothing_more() {
    let story = tell_to_the_end();
    for arguments in PRINTING {
        for json in ["", " --json"] {
            let (_place, mut command) = lines(&story, arguments, json);
            command.stdin(Stdio::null()).stderr(Stdio::piped());
            // A pipe of which the reading end is closed before the first byte.
            let (reader, writer) = std::io::pipe().expect("there is one");
            drop(reader);
            command.stdout(writer);
            let child = undisturbed(|| command.spawn().expect("the tool was built"));
            drop(command);
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            // What was not kept any more is what it is.
            let expected = if arguments.starts_with("order") { &[0, 1][..] } else { &[0] };
            assert!(expected.contains(&output.status.code().unwrap()), "{arguments}{json}: {told}");
            assert!(!told.contains("panicked") && !told.contains("cannot write"), "{told}");
        }
    }
}

#[test]
fn help_tells_of_variables_exit_codes_and_examples() {
    let nowhere = std::path::Path::new("nowhere");
    let long = ctl(nowhere, "--help", 0).out;
    for part in ["DOORBUSTER_DATA", "Exit codes:", "Examples:", "backup", "restore", "2  usage"] {
        assert!(long.contains(part), "{part}: {long}");
    }
    let short = ctl(nowhere, "-h", 0).out;
    assert!(short.contains("Exit codes: 0 good") && short.contains("DOORBUSTER_DATA"), "{short}");
    assert!(ctl(nowhere, "backup --help", 0).out.contains("sha256sum -c SHA256SUMS"));
    assert!(ctl(nowhere, "restore --help", 0).out.contains("new life"));
}

#[test]
fn the_data_directory_may_stand_in_the_environment() {
    let story = tell();
    let mut tool = Command::new(env!("CARGO_BIN_EXE_doorbusterctl"));
    tool.args(["replay", "--json"]).env("DOORBUSTER_DATA", story.writer.path());
    let output = ended(&mut tool);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    tool.args(["--data", "nowhere"]);
    assert_eq!(ended(&mut tool).status.code(), Some(3), "a flag goes before it");
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    let nowhere = std::path::Path::new("nowhere");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ctl(nowhere, &format!("completions {shell}"), 0).out;
        assert!(script.contains("restore") && script.contains("rate-mb"), "{shell}: {script}");
    }
    ctl(nowhere, "completions cobol", 2);
    let page = ctl(nowhere, "man", 0).out;
    assert!(page.contains(".TH doorbusterctl") && page.contains("backup"), "{page}");
    let place = elsewhere();
    ctl(nowhere, &format!("man --to {}", place.path().display()), 0);
    let pages: Vec<String> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["doorbusterctl.1", "doorbusterctl-backup.1", "doorbusterctl-journal-dump.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let told = ctl(nowhere, "man --to /nowhere/at/all", 3).err;
    assert!(told.contains("/nowhere/at/all"), "{told}");
}

#[test]
fn values_that_make_no_sense_are_a_mistake_in_the_command() {
    let story = tell();
    let place = elsewhere();
    let to = place.path().join("b");
    let backup = format!("backup --to {} --rate-mb", to.display());
    for bad in [
        "journal dump --from 5 --to 3",
        "journal dump --to 0",
        "journal repair --accept-loss-from 0",
        &format!("{backup} 0"),
        &format!("{backup} x"),
        "backup",
        "restore",
        "restore --from x --until soon",
        "token new --name a --role buy --expires-at soon",
        "token new --name a --role buy --expires-at 2027-01-31",
        "token new --name a --role buy --expires-at 2020-01-01T00:00:00Z",
        "token new --name a --role buy --expires-at 1950-01-01T00:00:00Z",
    ] {
        let ran = ctl(story.writer.path(), bad, 2);
        assert!(ran.out.is_empty() && ran.err.starts_with("error: "), "{bad}: {ran:?}");
    }
    assert!(!to.exists());
    let told = ctl(story.writer.path(), "journal dump --from 5 --to 3", 2).err;
    assert!(told.contains("--from 5 lies behind --to 3"), "{told}");
    ctl(story.writer.path(), "journal dump --from 5 --to 5", 0);
}

#[test]
fn nothing_that_a_terminal_acts_on_is_printed() {
    let mut writer = Writer::create(settings());
    let hidden = ['\u{9b}', '\u{7f}', '\u{202e}', '\u{2028}', '\u{200b}', '\u{feff}', '\u{1b}'];
    writer.turn(START + 1, |writer| {
        writer.ask("boss", None, crate::story::put("A", 9, 3));
        let reason: String = format!("a{}2J Käse", hidden.iter().collect::<String>());
        let (adjustment, precondition) = (Adjustment::Delta(1), Precondition::None);
        let sku = crate::story::sku("A");
        let adjust = AdjustSku { sku, adjustment, reason, precondition };
        writer.ask("boss", None, Ask::AdjustSku(Box::new(adjust)));
    });
    for json in ["", " --json"] {
        for arguments in ["journal dump", "replay --recheck"] {
            let out = ctl(writer.path(), &format!("{arguments}{json}"), 0).out;
            assert!(!out.contains(hidden), "{arguments}{json}: {out:?}");
        }
    }
    let lines = ctl(writer.path(), "journal dump --json", 0).objects();
    let reason = lines.iter().find_map(|line| line["members"]["reason"].as_str()).unwrap();
    assert!(hidden.iter().all(|hidden| reason.contains(*hidden)), "the value is the same");
    let text = ctl(writer.path(), "journal dump", 0).out;
    assert!(text.contains("\\u009b\\u007f\\u202e\\u2028\\u200b\\ufeff\\u001b2J Käse"), "{text}");
    // What a person types comes back in messages.
    let mut order = command(writer.path(), "order");
    let told = String::from_utf8(ended(order.arg("\u{202e}\u{9b}2J")).stderr).unwrap();
    assert!(!told.contains(hidden) && told.contains("\\u{202e}"), "{told}");
}

#[test]
fn a_backup_shows_no_bar_where_nobody_looks() {
    let story = tell();
    let place = elsewhere();
    let to = place.path().join("b");
    let mut child =
        start(&mut command(story.writer.path(), &format!("backup --to {}", to.display())));
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    back_up(story.writer.path(), &place.path().join("c"), "");
}

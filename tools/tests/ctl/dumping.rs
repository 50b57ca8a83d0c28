//! `journal dump`.

use crate::run::{command, ctl, flip, segment, start};
use crate::story::{settings, tell, tell_to_the_end};
use crate::writer::{START, Writer};
use serde_json::Value;

fn sequences(lines: &[Value], kind: &str) -> Vec<u64> {
    let of_kind = lines.iter().filter(|line| line["kind"] == kind);
    of_kind.map(|line| line["seq"].as_u64().unwrap()).collect()
}

#[test]
fn every_record_is_one_line_and_no_secret_is_told() {
    let story = tell_to_the_end();
    let data = story.writer.path();
    let last = story.writer.state.sequence;
    let lines = ctl(data, "journal dump --json", 0);
    let objects = lines.objects();
    assert_eq!(sequences(&objects, "record"), (1..=last).collect::<Vec<_>>());
    assert!(!sequences(&objects, "seal").is_empty());
    let text = ctl(data, "journal dump", 0).out;
    let records = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(records.count() as u64, last);
    let created = format!("{} 2027-01-15T08:00:00.001Z 1 shop order_created user=ann", 5);
    assert!(text.contains(&created), "{text}");
    for output in [&text, &lines.out] {
        assert!(!output.to_lowercase().contains("abab") && !output.contains("171,171"));
        assert!(!output.contains("hash_key"));
        assert!(!output.contains('\u{1b}'), "what a terminal would act on is escaped");
    }
}

#[test]
fn a_range_shows_its_records() {
    let story = tell();
    let lines = ctl(story.writer.path(), "journal dump --from 4 --to 6 --json", 0).objects();
    assert_eq!(sequences(&lines, "record"), [4, 5, 6]);
}

#[test]
fn damage_is_shown_and_what_follows_it_too() {
    let mut story = tell();
    story.writer.kill();
    let data = story.writer.path();
    flip(&segment(data, 1), 4096 + 100);
    let ran = ctl(data, "journal dump --json", 1);
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["kind"] == "bad_frame" && line["offset"] == 4096));
    assert_eq!(sequences(&lines, "record").last(), Some(&story.writer.state.sequence));
    assert!(ctl(data, "journal dump", 1).out.contains("# bad_frame file="));
}

#[test]
fn a_record_that_is_none_is_shown_as_bytes() {
    let mut writer = Writer::create(settings());
    writer.turn(START + 1, |writer| writer.append_bytes(&[0xEE; 300]));
    writer.kill();
    let ran = ctl(writer.path(), "journal dump --json", 1);
    let lines = ran.objects();
    let bad = lines.iter().find(|line| line["kind"] == "bad_record").expect("it is shown");
    assert_eq!((&bad["seq"], &bad["record_bytes"]), (&3.into(), &300.into()));
    assert_eq!(bad["hex"], format!("{}…", "ee".repeat(64)));
}

#[test]
fn an_unfinished_tail_is_shown_and_is_no_damage() {
    let mut story = tell();
    story.writer.kill();
    let data = story.writer.path();
    let end = ctl(data, "journal info --json", 0).object()["segments"][0]["end"].as_u64().unwrap();
    let file = segment(data, 1);
    let mut bytes = std::fs::read(&file).unwrap();
    // The first sector of a frame that was to follow did not reach the disk, its second did.
    bytes[end as usize + 1024..end as usize + 1100].fill(7);
    std::fs::write(&file, bytes).unwrap();
    let lines = ctl(data, "journal dump --json", 0).objects();
    assert!(lines.iter().any(|line| line["kind"] == "noise"), "{lines:?}");
    assert_eq!(ctl(data, "journal info --json", 0).object()["end"], "torn tail");
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let story = tell_to_the_end();
    for arguments in ["journal dump", "journal dump --json", "journal info", "replay --json"] {
        let mut child = command(story.writer.path(), arguments);
        let mut child = start(&mut child);
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

//! `replay --until`, `--from-genesis`.

use crate::run::{ctl, segment};
use crate::story::{Story, tell, tell_at_length};
use crate::writer::START;

fn check(story: &Story, until: &str, from_snapshot: &[u64], sequence: usize) {
    let genesis = format!("replay --json --from-genesis --until {until}");
    for (arguments, expected) in
        [(genesis.as_str(), &[0][..]), (&genesis.replace(" --from-genesis", ""), from_snapshot)]
    {
        let shown = ctl(story.writer.path(), arguments, 0).object();
        assert_eq!(shown["seq"], sequence, "{arguments}: {shown}");
        assert_eq!(shown["digest"], story.writer.digests[sequence - 1].as_str(), "{arguments}");
        assert!(expected.contains(&shown["from_image"].as_u64().unwrap()), "{arguments}: {shown}");
    }
}

#[test]
fn a_replay_ends_behind_any_event_from_each_beginning() {
    let story = tell();
    let last = story.writer.state.sequence;
    let snapshots = ctl(story.writer.path(), "snapshot list --json", 0).object();
    let newest = snapshots["snapshots"][0]["seq"].as_u64().unwrap();
    assert!(story.snapshot < newest && newest < last);
    for sequence in 1..=last {
        let from_snapshot = match sequence {
            _ if sequence < story.snapshot => 0,
            _ if sequence < newest => story.snapshot,
            _ => newest,
        };
        check(&story, &sequence.to_string(), &[from_snapshot], sequence as usize);
    }
    check(&story, "99999", &[newest], last as usize);
}

#[test]
fn a_replay_ends_behind_the_last_event_of_an_instant() {
    let story = tell();
    let stamps = &story.writer.stamps;
    let until = |stamp: u64| stamps.iter().filter(|made| **made <= stamp).count();
    check(&story, "2027-01-15T08:00:00.001Z", &[0], until(START + 1));
    check(&story, "2027-01-15T09:00:05.5+01:00", &[story.snapshot], until(START + 5_500));
    let before = ctl(story.writer.path(), "replay --json --until 2026-01-01T00:00:00Z", 0);
    assert_eq!(before.object()["seq"], 0);
}

#[test]
fn what_is_no_end_is_a_mistake_in_the_command() {
    let story = tell();
    for bad in ["replay --until soon", "replay --until -1", "journal dump --from x", "order", "x"] {
        ctl(story.writer.path(), bad, 2);
    }
}

#[test]
fn a_pruned_journal_shows_what_is_kept() {
    let writer = tell_at_length();
    let data = writer.path();
    let snapshots = ctl(data, "snapshot list --json", 0).object();
    let seq = |at: usize| snapshots["snapshots"][at]["seq"].as_u64().unwrap();
    let (newest, oldest) = (seq(0), seq(1));
    std::fs::remove_file(segment(data, 1)).unwrap();
    for arguments in ["journal info", "journal verify", "journal dump", "replay"] {
        ctl(data, arguments, 0);
    }
    let recheck = ctl(data, "replay --recheck --json", 0).object();
    assert_eq!((&recheck["from_image"], &recheck["different"]), (&oldest.into(), &0.into()));
    assert_eq!(recheck["commands_rechecked"], writer.state.sequence - oldest);
    let until = |sequence: u64| format!("replay --json --until {sequence}");
    let shown = ctl(data, &until(newest - 1), 0).object();
    assert_eq!((&shown["from_image"], &shown["seq"]), (&oldest.into(), &(newest - 1).into()));
    let told = ctl(data, &until(oldest - 1), 3).object();
    assert!(
        told["error"].as_str().unwrap().starts_with("no snapshot from before that end"),
        "{told}"
    );
    ctl(data, "replay --from-genesis", 1);
}

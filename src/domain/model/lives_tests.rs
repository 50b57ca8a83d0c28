//! What lives, ids and places look like, and which of them a journal takes for its own.

use super::*;

fn life(text: &str) -> Life {
    Life::parse(text).unwrap_or_else(|| panic!("{text} is no life"))
}

/// Epochs 1 and 2 drew none; 3 begins at 20, 4 at 50.
fn lives() -> Lives {
    let mut lives = Lives::new();
    let starts = [
        (1, None, 1),
        (2, None, 9),
        (3, Some(life("7k3v9q2m")), 20),
        (4, Some(life("zz000000")), 50),
    ];
    assert!(starts.into_iter().all(|(epoch, life, sequence)| lives.begin(epoch, life, sequence)));
    lives
}

fn id(epoch: u32, sequence: Sequence) -> OrderId {
    OrderId { sequence, epoch }
}

#[test]
fn a_life_is_written_and_read_in_one_spelling() {
    let bits = [0x1f, 1 << 39, (1 << 40) - 1, 0x12_3456_789a, 10 << 35];
    for life in bits.map(|bits| Life::of_bits(bits).expect("a life")) {
        let text = life.to_string();
        assert_eq!((text.len(), Life::parse(&text)), (8, Some(life)), "{text}");
        assert_eq!(Life::parse(&text.to_uppercase()), None, "{text}");
        assert_eq!(Life::parse(&text[1..]), None, "{text}");
    }
    assert_eq!(life("0000000z").bits(), 31);
    assert_eq!(life("a0000000").bits(), 10 << 35);
    for text in ["0000000i", "0000000l", "0000000o", "0000000u", "0000000Z", "0000000é", "a-00000"]
    {
        assert_eq!(Life::parse(text), None, "{text}");
    }
}

#[test]
fn a_life_is_never_taken_for_an_epoch() {
    // All digits, in characters of five bits: 12345678, 00000009, 99999999.
    let digits = |text: &str| text.bytes().fold(0, |bits, byte| bits << 5 | u64::from(byte - b'0'));
    for text in ["12345678", "00000009", "99999999"] {
        assert_eq!(Life::of_bits(digits(text)), None, "{text}");
        assert_eq!(Life::parse(text), None, "{text}");
    }
    assert_eq!(Life::of_bits(1 << 40), None);
}

#[test]
fn an_id_has_one_spelling_and_reads_back() {
    let lives = lives();
    for (id, text) in [
        (id(1, 8), "1-8"),
        (id(2, 19), "2-19"),
        (id(3, 20), "7k3v9q2m-20"),
        (id(3, 49), "7k3v9q2m-49"),
        (id(4, u64::MAX), "zz000000-18446744073709551615"),
    ] {
        assert_eq!(lives.text(id).as_str(), text);
        assert_eq!(lives.order(text), Some(id), "{text}");
        assert_eq!(lives.place(text), Some(Place::At(id)), "{text}");
    }
}

#[test]
fn what_no_id_looks_like_is_neither_an_order_nor_a_place() {
    for text in [
        "",
        "-",
        "3-",
        "-17",
        "03-17",
        "3-017",
        "3-17-1",
        "+3-17",
        "3 -17",
        "00",
        "x",
        "x-1",
        "4294967296-1",
        "1-18446744073709551616",
        "ZZ000000-50",
        "zz00000-50",
        "zz000000-050",
    ] {
        assert_eq!((lives().order(text), lives().place(text)), (None, None), "{text}");
    }
}

#[test]
fn what_this_journal_never_gave_out_is_lost() {
    for text in [
        // A life that it never had.
        "zz000001-50",
        "zz000001-1",
        // Pairs that other starts made, or none: what a lost end of the start may have held.
        "7k3v9q2m-19",
        "7k3v9q2m-50",
        "zz000000-49",
        "zz000000-0",
        "2-20",
        "1-0",
        // Epochs that have a life, or that were never begun.
        "3-20",
        "4-50",
        "5-60",
        "0-1",
        "12345678-1",
    ] {
        assert_eq!(lives().order(text), None, "{text}");
        assert_eq!(lives().place(text), Some(Place::Diverged), "{text}");
        assert_eq!(lives().cursor(text), Some(Err(Lost)), "{text}");
    }
}

#[test]
fn a_sequence_alone_is_a_place_and_no_order() {
    for (text, sequence) in [("0", 0), ("17", 17), ("18446744073709551615", u64::MAX)] {
        assert_eq!(lives().place(text), Some(Place::Bare(sequence)));
        assert_eq!((lives().order(text), lives().cursor(text)), (None, None));
    }
}

#[test]
fn a_start_that_does_not_fit_changes_nothing() {
    let whole = lives();
    for (epoch, drawn, sequence) in [
        (4, None, 60),
        (5, Some(life("7k3v9q2m")), 60),
        (5, Some(life("zzzzzzzz")), 50),
        (5, None, 0),
    ] {
        let mut lives = whole.clone();
        assert!(!lives.begin(epoch, drawn, sequence), "{epoch} {drawn:?} {sequence}");
        assert_eq!(lives, whole);
    }
}

#[test]
fn the_epoch_of_a_sequence_is_told_where_it_is_known() {
    let mut lives = lives();
    let epochs = [1, 19, 20, 49, 50, 60].map(|sequence| lives.epoch_of(sequence));
    assert_eq!(epochs, [None, None, Some(3), Some(3), Some(4), Some(4)]);
    assert!(lives.begin(5, None, 70));
    assert_eq!([49, 60].map(|sequence| lives.epoch_of(sequence)), [Some(3), None]);
    assert_eq!(lives.text(id(5, 70)).as_str(), "5-70");
    assert_eq!(lives.order("5-70"), Some(id(5, 70)));
}

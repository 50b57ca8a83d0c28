//! `SECURITY.md` against the code: every setting that it names has the default that it says, and
//! every fixed bound is the number that it says.
//!
//! Next: `SECURITY.md`.

use doorbuster::config;
use doorbuster::copies::node::{LINKS_PER_NODE, UNSENT_BYTES_MAX};
use doorbuster::copies::wire::{HELLO_BYTES_MAX, MESSAGE_BYTES_MAX};
use doorbuster::domain::model::order::ACTION_KEYS_MAX;
use doorbuster::domain::rules::decide::EXTENSION_MS_MIN;
use doorbuster::domain::rules::read::VISITS_MAX;
use doorbuster::domain::state::principals::PRINCIPALS_MAX;
use doorbuster::http::{ALL_RESERVED_PLACES, RESERVED_HEAD_MS, RESERVED_PLACES};
use doorbuster::http::{EVENT_INTERVAL, HttpLimits, NETWORKS_MAX, TOKENS_MAX};
use doorbuster::process::peers::{PIECES_MAX, READ_BYTES, UNWRITTEN_BYTES_MAX};
use doorbuster::ring::{ALL_SLOTS, BATCH_WAITING_MAX, RING_SLOTS};
use doorbuster::writer::{TOLD_EVERY_MS, TOLD_PAIRS_MAX};

const PAGE: &str = include_str!("../SECURITY.md");

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The row of a table that begins with this.
fn row(resource: &str) -> &'static str {
    let begins = format!("| {resource} |");
    let found = PAGE.lines().find(|line| line.starts_with(&begins));
    found.unwrap_or_else(|| panic!("SECURITY.md has no row of {resource:?}"))
}

#[test]
fn every_setting_is_there_with_the_default_that_the_page_says() {
    let mut compared = 0;
    for part in PAGE.split("` (").skip(1) {
        let before = &PAGE[..part.as_ptr() as usize - PAGE.as_ptr() as usize - "` (".len()];
        let name = before.rsplit('`').next().expect("a text has a last piece");
        let Some(setting) = config::settings().find(|setting| setting.name == name) else {
            continue;
        };
        let said = part.split([')', ' ']).next().expect("a text has a first piece");
        let default = if setting.default.is_empty() { "off" } else { setting.default };
        assert_eq!(said, default, "{name}");
        compared += 1;
    }
    assert!(compared >= 16, "only {compared} settings were found: is the page written otherwise?");
}

#[test]
fn every_name_of_a_setting_is_one() {
    for name in PAGE.split('`').skip(1).step_by(2) {
        let looks =
            ["http.", "tls.", "rate.", "address."].iter().any(|table| name.starts_with(table));
        let exists = config::settings().any(|setting| setting.name == name);
        assert!(!looks || exists || name == "rate.*", "there is no setting {name:?}");
    }
}

#[test]
fn every_fixed_bound_is_the_number_that_the_page_says() {
    let limits = HttpLimits::default();
    let lists = 256;
    assert_eq!(ALL_SLOTS, 1024 + 1024 + RING_SLOTS + lists);
    for (resource, numbers) in [
        (
            "a body of a request that is refused",
            vec![limits.dropped_bytes_max, limits.passed_bodies_max as u64],
        ),
        (
            "bytes that were read from links and not taken yet",
            vec![PIECES_MAX as u64, READ_BYTES as u64],
        ),
        ("bytes that wait to be written to a link", vec![UNWRITTEN_BYTES_MAX as u64]),
        ("bodies that wait for their end, of an IO thread", vec![limits.bodies_bytes_max as u64]),
        (
            "a batch",
            vec![
                limits.batch_bytes_max,
                limits.batch_lines_max as u64,
                limits.line_bytes_max as u64,
            ],
        ),
        ("lines of a batch in the ring", vec![BATCH_WAITING_MAX as u64]),
        (
            "answers of batches that are not taken, of an IO thread",
            vec![limits.answers_bytes_max as u64, limits.batch_answers_bytes as u64],
        ),
        (
            "places in the ring: urgent, priority class, ordinary, lists",
            vec![1024, RING_SLOTS as u64, lists as u64],
        ),
        (
            "places of the reserve, of an IO thread, of all",
            vec![RESERVED_PLACES as u64, ALL_RESERVED_PLACES as u64, RESERVED_HEAD_MS],
        ),
        ("remembered keys of actions on one order", vec![u64::from(ACTION_KEYS_MAX)]),
        ("principals that own something", vec![PRINCIPALS_MAX as u64]),
        ("counts of refusals in the journal", vec![TOLD_PAIRS_MAX as u64]),
        ("extensions of an order in the journal", vec![EXTENSION_MS_MIN]),
        (
            "connections of other nodes",
            vec![LINKS_PER_NODE as u64, HELLO_BYTES_MAX as u64, MESSAGE_BYTES_MAX as u64],
        ),
        ("what waits to be sent to another node", vec![UNSENT_BYTES_MAX as u64]),
        ("tokens", vec![TOKENS_MAX as u64]),
        ("networks in a list of addresses", vec![NETWORKS_MAX as u64]),
    ] {
        for number in numbers {
            let said = row(resource)
                .split(['|', ' '])
                .any(|word| word.trim_end_matches(',') == grouped(number));
            assert!(said, "{} is not in: {}", grouped(number), row(resource));
        }
    }
    assert!(PAGE.contains(&format!("looks at {EVENT_INTERVAL} events")));
    assert!(PAGE.contains(&format!("looks at {} orders", grouped(VISITS_MAX as u64))));
    assert_eq!(TOLD_EVERY_MS, 1000, "the page says a second");
}

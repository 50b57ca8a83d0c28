//! What an operator changes between two starts.
//!
//! Owns how small tables are and how short memories in a hostile round: as small as a shop can
//! still sell in, so that capacity, reserves and forgetting are met all the time. Next: `round`.

use crate::round::Kind;
use doorbuster_test_support::random::Random;

/// Names of variables without their prefix, and values.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// The least and the most of each table.
const CAPS: [(&str, u64, u64); 8] = [
    ("CAPS_SKUS", 4, 8),
    ("CAPS_ORDERS", 6, 60),
    ("CAPS_KEYS", 10, 80),
    ("CAPS_ANSWERS", 2, 12),
    ("CAPS_USES", 6, 30),
    ("CAPS_USERS", 3, 12),
    ("CAPS_DRAWS", 1, 4),
    ("CAPS_ENTRIES", 5, 40),
];

/// Most of what is asked passes, or little.
const RATES: [&str; 3] = ["200/1", "1000/1", "4000/1"];

/// The settings of a start.
pub(crate) fn drawn(random: &mut Random, kind: Kind) -> Settings {
    let mut one_of = |values: [&str; 3]| values[random.place(3)].to_owned();
    let mut settings = vec![
        ("OPEN_HOLDS_PER_USER_MAX", one_of(["0", "4", "8"])),
        ("RECOVERY_GRACE_MS", one_of(["0", "200", "1000"])),
        ("HOLD_MS_DEFAULT", one_of(["700", "5000", "300000"])),
    ];
    match kind {
        // Often enough that many deaths meet a snapshot in the making.
        Kind::Plain => settings.push(("SNAPSHOTS_EVERY_EVENTS", "150".to_owned())),
        Kind::Hostile => settings.extend(tiny(random)),
    }
    settings
}

fn tiny(random: &mut Random) -> Settings {
    let mut settings = Settings::new();
    for (name, least, most) in CAPS {
        // Now and then there is room again.
        let cap = if random.once_in(8) { 1_000 } else { random.between(least, most) };
        settings.push((name, cap.to_string()));
    }
    let retain_ms = random.between(20, 1_500);
    settings.push(("IDEMPOTENCY_RETAIN_MS", retain_ms.to_string()));
    settings.push(("ORDERS_RETAIN_MS", (retain_ms + random.below(1_500)).to_string()));
    settings.push(("HOLD_MS_MAX", random.between(300, 4_000).to_string()));
    settings.push(("SNAPSHOTS_EVERY_EVENTS", random.between(20, 150).to_string()));
    settings.push(("IO_THREADS", random.between(1, 2).to_string()));
    for name in ["RATE_PRINCIPAL", "RATE_USER", "RATE_ADDRESS"] {
        if random.once_in(6) {
            settings.push((name, RATES[random.place(RATES.len())].to_owned()));
        }
    }
    settings
}

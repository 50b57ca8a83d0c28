//! The table of transitions, each verb on an order in each status. Next: `orders`.

use crate::scenario::check;

/// What makes a fresh hold stand in a status.
fn steps(status: &str) -> &'static str {
    match status {
        "held" => "",
        "confirmed" => "confirm o",
        "shipped" => "confirm o\n ship o",
        "completed" => "confirm o\n ship o\n complete o",
        "cancelled" => "cancel o",
        "expired" => "100 expire -> expired o",
        "refunded" => "confirm o\n refund o",
        _ => unreachable!(),
    }
}

/// The rows of the contract; `same` answers the order as it is.
const TABLE: [(&str, [&str; 6]); 7] = [
    //             confirm      cancel       extend  ship       complete     refund
    ("held", ["confirmed", "cancelled", "held", "-", "-", "-"]),
    ("confirmed", ["same", "-", "-", "shipped", "-", "refunded"]),
    ("shipped", ["same", "-", "-", "same", "completed", "refunded"]),
    ("completed", ["same", "-", "-", "same", "same", "refunded"]),
    ("cancelled", ["-", "same", "-", "-", "-", "-"]),
    ("expired", ["410", "same", "410", "-", "-", "-"]),
    ("refunded", ["-", "-", "-", "-", "-", "same"]),
];

const VERBS: [&str; 6] =
    ["confirm o", "cancel o", "extend o 200", "ship o", "complete o", "refund o"];

fn check_table(key: &str) {
    for (status, row) in TABLE {
        for (verb, cell) in VERBS.into_iter().zip(row) {
            let (expected, after) = match cell {
                "same" => (format!("200 {status} changed=before"), status),
                "-" => (format!("409 invalid_transition {status}"), status),
                "410" => ("410 hold_expired".to_owned(), status),
                next => (format!("200 {next} changed=now"), next),
            };
            check(&format!(
                "0 put A stock=3
                  order u1 A*2 hold=100 -> 201 held as o
                  {}
                  order u2 A*1 -> 201 held
                  {verb} {key} -> {expected}
                  get o -> 200 {after}",
                steps(status),
            ));
        }
    }
}

#[test]
fn every_verb_on_every_status_does_what_the_table_says() {
    check_table("");
}

#[test]
fn every_verb_with_a_key_does_the_same() {
    check_table("key=k");
}

#[test]
fn a_verb_that_is_refused_moves_no_unit() {
    for (status, row) in TABLE {
        for (verb, cell) in
            VERBS.into_iter().zip(row).filter(|(_, cell)| ["-", "410"].contains(cell))
        {
            let (held, sold) = match status {
                "held" => (2, 0),
                "confirmed" | "shipped" | "completed" => (0, 2),
                _ => (0, 0),
            };
            assert!(!cell.is_empty());
            check(&format!(
                "0 put A stock=3
                  order u1 A*2 hold=100 -> 201 held as o
                  {}
                  {verb} key=k
                  sku A -> 200 total=3 available={} held={held} sold={sold}
                  key k -> 404 unknown_request",
                steps(status),
                3 - held - sold,
            ));
        }
    }
}

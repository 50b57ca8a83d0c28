//! A line that is read plainly asks for what the strict reader would have asked for.

use super::super::plain_order::tests::changed;
use super::*;
use crate::domain::model::command::Reach;
use crate::domain::model::ids::PrincipalName;
use crate::http::testing::lives;

const PLAIN: &[&str] = &[
    r#"{"op":"order","key":"k1","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
    r#" { "user":"u","key" : "a b~","lines":[{"qty":2,"sku":"A"},{"sku":"B","qty":1}],"op":"order"} "#,
    r#"{"confirm":true,"reference":"~!","user":"u","lines":[{"sku":"A","qty":9}],"op":"order","key":"k"}"#,
    r#"{"hold_ms":5000,"op":"order","user":"u","lines":[{"sku":"A","qty":9}],"key":"k"}"#,
];

fn asker(role: Role) -> BatchContext {
    BatchContext {
        principal: Principal { name: PrincipalName::local(), reach: Reach::Own },
        role,
        hash_key: [7; 16],
        lives: lives(),
        traceparent: None,
        deadline_ms: Some(9),
    }
}

/// All that a question says; or its refusal.
fn told(question: Result<WriterRequest, Refused>) -> String {
    format!("{question:?}")
}

#[test]
fn plain_lines_are_read_plainly_and_ask_for_the_same() {
    let asker = asker(Role::Buy);
    for line in PLAIN {
        let line = line.as_bytes();
        assert!(plain(line).is_some());
        let asked = question(line, &asker).expect("it is right");
        assert!(asked.request.key.is_some() && asked.deadline_ms == Some(9));
        assert_eq!(told(Ok(asked)), told(strict(line, &asker)));
    }
}

#[test]
fn other_lines_are_left_to_the_strict_reader() {
    for line in [
        "",
        r#"{"op":"order","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"key":"k","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"orders","key":"k","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","op":"order","key":"k","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","key":"k","key":"k","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","key":"","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","key":"\"k\"","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","key":null,"user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","key":"k","if_match":3,"user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"op":"order","key":"k","user":"u1","lines":[{"sku":"A","qty":1}]}{}"#,
        r#"{"op":"cancel","key":"k","id":"1-1"}"#,
    ] {
        assert!(plain(line.as_bytes()).is_none(), "{line}");
    }
}

/// A line with any bytes changed asks for what the strict reader asks for.
#[test]
fn a_changed_line_is_read_as_the_strict_reader_reads_it() {
    let asker = asker(Role::Buy);
    let mut taken = 0;
    changed(PLAIN, 200_000, |line| {
        if plain(line).is_some() {
            taken += 1;
            let said = String::from_utf8_lossy(line);
            assert_eq!(told(question(line, &asker)), told(strict(line, &asker)), "{said}");
        }
    });
    assert!(taken > 4_000, "{taken} lines were still plain");
}

#[test]
fn whoever_may_not_order_hears_so_from_both() {
    let asker = asker(Role::Fulfil);
    for line in PLAIN {
        let refused = question(line.as_bytes(), &asker).expect_err("it may not order");
        assert_eq!(refused.code, Code::Forbidden);
        assert_eq!(told(Err(refused)), told(strict(line.as_bytes(), &asker)));
    }
}

//! What the plain reader takes, the strict one takes alike.

use super::*;
use crate::domain::model::command::Command;
use crate::http::request::json;
use crate::http::routes::orders;
use doorbuster_test_support::random::Random;

const PLAIN: &[&str] = &[
    r#"{"user":"u1","lines":[{"sku":"A","qty":1}]}"#,
    r#" { "lines" : [ { "qty" : 12 , "sku" : "A" } , {"sku":"B","qty":1000000} ] , "user" : "a|b" } "#,
    r#"{"user":"u","lines":[{"sku":"A","qty":2}],"hold_ms":2592000000,"confirm":false,"reference":"a b"}"#,
    r#"{"confirm":true,"reference":"~!","user":"u","lines":[{"sku":"A.b_c:d@e-f","qty":9}]}"#,
];

fn strictly(body: &[u8]) -> Option<CreateOrder> {
    let members = json::object(body).ok()?;
    match orders::create(&members).ok()?.command {
        Command::CreateOrder(order) => Some(order),
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_bodies_are_taken_and_mean_the_same() {
    for body in PLAIN {
        let order = read(body.as_bytes());
        assert!(order.is_some(), "{body}");
        assert_eq!(order, strictly(body.as_bytes()), "{body}");
    }
}

#[test]
fn what_is_not_plain_or_not_right_is_left_to_the_strict_reader() {
    for body in [
        "",
        "{}",
        "[]",
        r#"{"user":"u1","lines":[]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":0}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":01}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1.0}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1e3}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1000001}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1},{"sku":"A","qty":1}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A"}]}"#,
        r#"{"user":"u1","lines":[{"sku":"\u0041","qty":1}]}"#,
        r#"{"user":"ü","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"user":"u1","user":"u1","lines":[{"sku":"A","qty":1}]}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1}],"more":1}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1}],"reference":null}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1}],"confirm":true,"hold_ms":5}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1}],}"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1}]}x"#,
        r#"{"user":"u1","lines":[{"sku":"A","qty":1}]"#,
    ] {
        assert_eq!(read(body.as_bytes()), None, "{body}");
    }
}

/// Shows texts of these kinds with some bytes changed, so many; each time the same.
pub(in crate::http::routes) fn changed(kinds: &[&str], rounds: usize, mut see: impl FnMut(&[u8])) {
    const PIECES: &[&str] = &[
        "\"", ",", "}", "]", "{", "[", ":", "0", "1", "null", "true", "\\", " ", "é", "-", ".",
        "sku", "key", "op",
    ];
    let mut random = Random::new(1);
    let mut below = |end: usize| random.place(end);
    for round in 0..rounds {
        let mut text = kinds[round % kinds.len()].as_bytes().to_vec();
        for _ in 0..1 + below(2) {
            let at = below(text.len());
            let until = (at + below(4)).min(text.len());
            let piece = PIECES[below(PIECES.len())].as_bytes().to_vec();
            drop(text.splice(at..until, piece));
        }
        see(&text);
    }
}

/// A body with any bytes changed is taken only as the strict reader takes it.
#[test]
fn a_changed_body_is_read_only_as_the_strict_reader_reads_it() {
    let mut taken = 0;
    changed(PLAIN, 200_000, |body| {
        if let Some(order) = read(body) {
            taken += 1;
            assert_eq!(Some(order), strictly(body), "{}", String::from_utf8_lossy(body));
        }
    });
    assert!(taken > 5_000, "{taken} bodies were still plain");
}

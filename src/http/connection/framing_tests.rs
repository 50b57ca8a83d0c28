//! Byte sequences, however they are cut into reads: what gets through and what is refused. That
//! hyper reads alike what gets through is tested over whole connections, in `listener`.

use super::*;
use proptest::prelude::*;

const GOOD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
const LINE_BYTES_MAX: usize = 4096;

/// What a text of some messages comes to: heads that end well, how much gets through, which head is
/// faulty.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    heads: u64,
    lost: bool,
    fault: Option<(u64, Fault)>,
}

fn seen(text: &str, step: usize) -> (Seen, usize) {
    let mut framing = Framing::new(LINE_BYTES_MAX);
    let mut bytes = text.to_owned().into_bytes();
    let passed = bytes.chunks_mut(step).map(|bytes| framing.feed(bytes)).sum();
    let lost = framing.is_lost();
    (Seen { heads: framing.heads, lost, fault: framing.faulty_head }, passed)
}

/// However the bytes are cut into reads, the verdict is the same.
#[track_caller]
fn check(text: &str, expected: &Seen) {
    for step in [1, 2, 3, 7, 16, 63, 64, 65, 100_000] {
        assert_eq!(seen(text, step).0, *expected, "{step} bytes at a time: {text:?}");
    }
}

/// All of it gets through.
#[track_caller]
fn check_good(text: &str, heads: u64) {
    check(text, &Seen { heads, lost: false, fault: None });
    assert_eq!(seen(text, 5).1, text.len());
}

#[track_caller]
fn check_fault(text: &str, number: u64, fault: Fault) {
    check(text, &Seen { heads: number, lost: true, fault: Some((number, fault)) });
}

/// Bad framing in a body: nothing of `bad` that ends a line gets through, nor anything after it.
#[track_caller]
fn check_bad_chunks(before: &str, bad: &str) {
    let text = format!("{CHUNKED}{before}{bad}{GOOD}");
    check(&text, &Seen { heads: 1, lost: true, fault: None });
    let start = CHUNKED.len() + before.len();
    for step in [1, 2, 3, 7, 100_000] {
        let passed = seen(&text, step).1;
        assert!(passed >= start && !text[start..passed].contains('\n'), "{step}: {bad:?}");
    }
}

#[test]
fn plain_messages_get_through() {
    check_good(GOOD, 1);
    check_good(&format!("{GOOD}\r\n{GOOD}{GOOD}"), 3);
    check_good(&format!("\n\r\n\n{GOOD}"), 1);
    check_good("GET / HTTP/1.1\nHost: a\n\n", 1);
    check_good(&format!("{CHUNKED}3;x=y\r\nabc\r\n0\r\n\r\n{GOOD}"), 2);
    check_good(&format!("{CHUNKED}3 \t;x\r\nabc\r\n00000000000000000000\r\n\r\n{GOOD}"), 2);
    check_good(&format!("{CHUNKED}1B\r\nContent-Length: 1\r\nContent:\r\n0 \r\n\r\n{GOOD}"), 2);
    check_good(&GOOD.replace(" 3", "\t 0003 \t"), 1);
    check_good(&GOOD.replace("Length", "lENGTH").replace(" 3", "3"), 1);
    check_good(&GOOD.replace("Host: a", &format!("Host: {}", "a".repeat(3000))), 1);
    check_good(&GOOD.replace("Host", "X-Content-Length: 4\r\nContent-Lengths: 9\r\nHost"), 1);
}

#[test]
fn a_length_that_is_not_one_plain_number_is_ambiguous() {
    let double = "POST / HTTP/1.1\r\ncontent-length: 3\r\nContent-Length: 3\r\n\r\nabc";
    check_fault(double, 0, Fault::Ambiguous);
    check_fault(&format!("{GOOD}{double}"), 1, Fault::Ambiguous);
    let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTRANSFER-encoding: chunked\r\n\r\n";
    check_fault(&format!("{GOOD}{GOOD}{both}"), 2, Fault::Ambiguous);
    let both = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
    check_fault(both, 0, Fault::Ambiguous);
    check_fault(&format!("{CHUNKED}3\r\nabc\r\n0\r\n\r\n{both}"), 1, Fault::Ambiguous);
    for value in ["", "+3", "-3", "3, 3", "0x3", "3 3", "3\u{c}"] {
        check_fault(&GOOD.replace(" 3", &format!(" {value}")), 0, Fault::Ambiguous);
    }
    for blanks in 60..70 {
        // As much as is kept of a line could end within the digits.
        let padded = GOOD.replace(" 3", &format!("{}31", " ".repeat(blanks)));
        check_fault(&padded, 0, Fault::Ambiguous);
    }
}

#[test]
fn a_length_beyond_all_lengths_is_one_of_fewer_digits() {
    for (length, shortened) in [
        ("9999999999999999999", "9999999999999999999"),
        ("18446744073709551615", "1844674407370955161 "),
        ("00018446744073709551615", "0001844674407370955161 "),
        ("123456789012345678901234567890", "1234567890123456789           "),
    ] {
        for (blank, step) in
            [" ", ""].into_iter().flat_map(|blank| [1, 2, 3, 7, 64, 100_000].map(|s| (blank, s)))
        {
            let [text, expected] =
                [length, shortened].map(|n| GOOD.replace(" 3", &format!("{blank}{n}")));
            let mut framing = Framing::new(LINE_BYTES_MAX);
            let mut bytes = text.into_bytes();
            bytes.chunks_mut(step).for_each(|bytes| assert_eq!(framing.feed(bytes), bytes.len()));
            assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{step}");
            assert!(matches!(framing.state, State::Body(_)), "{framing:?}");
        }
    }
}

#[test]
fn a_body_is_not_read_as_a_head() {
    let body = "X / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
    check_good(&format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()), 1);
}

#[test]
fn chunks_are_framed_to_the_letter_and_have_no_trailers() {
    let data = "3\r\nabc\r\n";
    for trailer in ["X: a\n\r\n", "X: a\r\n\r\n", "X: a\r\n", "\n", " \r\n", "\r\r\n", "\rX\r\n"] {
        check_bad_chunks(&format!("{data}0\r\n"), trailer);
    }
    let long = format!("3;{}\r\n", "x".repeat(KEPT_BYTES));
    for size in [
        "3\n",
        "\r\n",
        "\n",
        ";\r\n",
        " 3\r\n",
        "+3\r\n",
        "-3\r\n",
        "0x3\r\n",
        "3 3\r\n",
        "3g\r\n",
        "3\r\r\n",
        "3;x\n",
        "3;x\ry\r\n",
        "3;\rx\n",
        "3\u{b}\r\n",
        "10000000000000000\r\n",
        &long,
    ] {
        check_bad_chunks("", size);
        check_bad_chunks(data, size);
    }
    for end in ["\n", "x\r\n", "\r\r\n", "\rx\n", "\r", "0\r\n"] {
        check_bad_chunks("3\r\nabc", end);
    }
}

#[test]
fn a_request_line_that_is_too_long_is_cut() {
    let cut = |before: &str, line: &str| {
        let text = format!("{before}{line}");
        let heads = u64::from(!before.is_empty());
        check_fault(&text, heads, Fault::LongLine);
        for step in [1, 5, 100_000] {
            assert_eq!(seen(&text, step).1, before.len() + LINE_BYTES_MAX, "{step}");
        }
    };
    let long = format!("GET /{}", "a".repeat(5000));
    cut("", &long);
    cut(GOOD, &long);
    cut(GOOD, &format!("{long} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let fits = format!("GET /{} HTTP/1.1\r\n", "a".repeat(LINE_BYTES_MAX - 16));
    check_good(&format!("{fits}Host: a\r\n\r\n"), 1);
}

#[test]
fn a_head_is_open_from_its_first_byte_to_its_last() {
    let mut framing = Framing::new(LINE_BYTES_MAX);
    let mut after = |text: &str| {
        framing.feed(&mut text.to_owned().into_bytes());
        framing.is_in_head()
    };
    assert!(!after(""));
    assert!(after("G"));
    assert!(after("ET / HTTP/1.1\r\n"));
    assert!(after("Content-Length: 2\r\n\r"));
    assert!(!after("\n"));
    assert!(!after("a"));
    assert!(!after("b"));
    assert!(after("GET"));
}

/// A target with a fragment is a fault of its head and nothing behind it gets through.
#[test]
fn a_target_with_a_fragment_lets_nothing_behind_it_through() {
    let fragment = "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n";
    check_fault(&format!("{GOOD}{fragment}{GOOD}"), 1, Fault::Fragment);
    check_good(&format!("{GOOD}GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"), 2);
}

/// The beginnings of HTTP/2 and TLS are faults and nothing behind them gets through.
#[test]
fn the_beginnings_of_http2_and_tls_let_nothing_through() {
    let preface = "PRI * HTTP/2.0\r\n\r\n";
    check_fault(&format!("{preface}SM\r\n\r\n{GOOD}"), 0, Fault::Http2);
    check_fault(&format!("{GOOD}{preface}{GOOD}"), 1, Fault::Http2);
    for step in [1, 3, 12, 100] {
        let mut framing = Framing::new(LINE_BYTES_MAX);
        let mut bytes = preface.to_owned().into_bytes();
        bytes.chunks_mut(step).for_each(|bytes| assert_eq!(framing.feed(bytes), bytes.len()));
        assert_eq!(bytes, b"PRI * HTTP/1.1\r\n\r\n", "{step}");
    }
    let hello = "\u{16}\u{3}\u{1}\0\u{5}";
    check_fault(&format!("{hello}{GOOD}"), 0, Fault::Tls);
    check_fault(&format!("{GOOD}{hello}{GOOD}"), 1, Fault::Tls);
    assert_eq!(seen(&format!("{GOOD}{hello}"), 100).1, GOOD.len());
    // Elsewhere they are no beginnings.
    let body = format!("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n{hello}");
    check_good(&format!("{body}{GOOD}"), 2);
    check_good("PRI * HTTP/1.1\r\nHost: PRI * HTTP/2.0\r\n\r\n", 1);
    check_good(&format!("P / HTTP/1.1\r\n\r\n{GOOD}"), 2);
}

proptest! {
    /// What stands in whole lines is read in one pass, what is cut bit by bit: both say the same,
    /// and let the same bytes through.
    #[test]
    fn however_messages_are_cut_they_come_to_the_same(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..24),
        step in 1_usize..40,
    ) {
        let text: String = parts.concat();
        let read = |step: usize| {
            let mut framing = Framing::new(LINE_BYTES_MAX);
            let mut bytes = text.clone().into_bytes();
            let passed: usize = bytes.chunks_mut(step).map(|bytes| framing.feed(bytes)).sum();
            bytes.truncate(passed);
            // Of a body that is framed wrongly the start of a line gets through if it came alone.
            let told = !framing.is_lost() || framing.faulty_head.is_some();
            let through = told.then_some(bytes);
            (framing.heads, framing.faulty_head, framing.is_lost(), framing.is_in_head(), through)
        };
        let whole = read(usize::MAX);
        prop_assert_eq!(&whole, &read(1));
        prop_assert_eq!(&whole, &read(step));
    }
}

const PARTS: &[&str] = &[
    "POST / HTTP/1.1\r\n",
    "GET /a#b HTTP/1.1\n",
    "PRI * HTTP/2.0\r\n",
    "PRI",
    "\u{16}\u{3}",
    "Host: a\r\n",
    "Content-Length: 3\r\n",
    "content-length:3\n",
    "CONTENT-LENGTH: +3\r\n",
    "Content-Length: 0000000000000000000003\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Content-Length:                     3\r\n",
    "content-length:18446744073709551615\r\n",
    "content-length:9999999999999999999\r\n",
    "Content-Length : 3\r\n",
    "Content-Type: a\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding:",
    "content-length:",
    "t: u\r\n",
    "\r\n",
    "\n",
    "\r",
    "abc",
    "3\r\nabc\r\n",
    "0\r\n",
    " 3",
    "c",
    "x-a-name-that-is-long: and-a-value-that-makes-the-line-longer-than-is-kept-of-one\r\n",
];

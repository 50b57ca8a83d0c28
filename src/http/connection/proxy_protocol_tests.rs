//! Headers of both versions as bytes, whole and in pieces.

use super::*;

fn client(address: &str) -> Step {
    Step::Done(Source::Client(address.parse().unwrap()))
}

/// A header of version 2.
fn v2(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, kind], &length, rest].concat()
}

const FOUR: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x1f, 0x90, 0, 80];

fn six() -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let addresses = [address("2001:db8::1"), address("2001:db8::2")].concat();
    [&addresses[..], &[0x1f, 0x90, 0, 80]].concat()
}

/// What a reader makes of these bytes, of which so many come at a time; and what it leaves.
fn heard(bytes: &[u8], at_a_time: usize) -> (Result<Source, Unread>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut pieces = tokio_pieces(bytes, at_a_time);
        let source = read(&mut pieces).await;
        let mut rest = Vec::new();
        pieces.read_to_end(&mut rest).await.unwrap();
        (source, rest)
    })
}

/// A stream that gives no more than so many bytes to a read.
fn tokio_pieces(bytes: &[u8], at_a_time: usize) -> impl AsyncRead + Unpin + use<> {
    bytes.chunks(at_a_time).fold(
        Box::new(tokio::io::empty()) as Box<dyn AsyncRead + Unpin>,
        |before, piece| {
            Box::new(before.chain(std::io::Cursor::new(piece.to_vec())))
                as Box<dyn AsyncRead + Unpin>
        },
    )
}

#[track_caller]
fn check(header: &[u8], expected: Step) {
    assert_eq!(step(header), expected, "{}", header.escape_ascii());
}

#[track_caller]
fn check_bad(header: &[u8]) {
    assert!(matches!(step(header), Step::Bad(_)), "{}", header.escape_ascii());
}

#[test]
fn a_line_of_version_1_names_the_client() {
    check(b"PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\r\n", client("192.0.2.1"));
    check(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n", client("255.255.255.255"));
    check(b"PROXY TCP6 2001:db8::1 2001:db8::2 8080 80\r\n", client("2001:db8::1"));
    check(b"PROXY TCP6 ::ffff:192.0.2.1 ::1 8080 80\r\n", client("192.0.2.1"));
    let widest = ["ffff"; 8].join(":");
    let longest = format!("PROXY UNKNOWN {widest} {widest} 65535 65535\r\n");
    assert_eq!(longest.len(), TEXT_BYTES_MAX);
    check(longest.as_bytes(), Step::Done(Source::Proxy));
    check(b"PROXY UNKNOWN\r\n", Step::Done(Source::Proxy));
    check(b"PROXY UNKNOWN \xff what ever\r\n", Step::Done(Source::Proxy));
}

#[test]
fn a_line_that_is_not_exact_is_refused() {
    for bad in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 8080\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 8080 80 1\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 8080 80 \r\n",
        "PROXY TCP4  192.0.2.1 10.0.0.1 8080 80\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 8080 65536\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 +8080 80\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 08080 80\r\n",
        "PROXY TCP4 192.0.2.1 2001:db8::1 8080 80\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::1 8080 80\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.1 8080 80\r\n",
        "PROXY TCP4 192.0.2.01 10.0.0.1 8080 80\r\n",
        "PROXY TCP4 192.0.2.256 10.0.0.1 8080 80\r\n",
        "PROXY TCP5 192.0.2.1 10.0.0.1 8080 80\r\n",
        "PROXY tcp4 192.0.2.1 10.0.0.1 8080 80\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY\tTCP4 192.0.2.1 10.0.0.1 8080 80\r\n",
        "proxy TCP4 192.0.2.1 10.0.0.1 8080 80\r\n",
        "GET / HTTP/1.1\r\n",
    ] {
        check_bad(bad.as_bytes());
    }
    check_bad(format!("PROXY UNKNOWN {}", "x".repeat(TEXT_BYTES_MAX - 14)).as_bytes());
    check(format!("PROXY UNKNOWN {}", "x".repeat(TEXT_BYTES_MAX - 15)).as_bytes(), Step::Needs(1));
}

/// A header of version 2 names the client and its values are skipped.
#[test]
fn a_header_of_version_2_names_the_client() {
    check(&v2(0x21, 0x11, &FOUR), client("192.0.2.1"));
    check(&v2(0x21, 0x21, &six()), client("2001:db8::1"));
    let mapped = [&"::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets()[..], &[0; 20]].concat();
    check(&v2(0x21, 0x21, &mapped), client("192.0.2.1"));
    // A checksum that is wrong, a name, and a value that is cut off.
    let values = [&FOUR[..], &[3, 0, 4, 1, 2, 3, 4, 2, 0, 1, b'a', 0x20, 0xff]].concat();
    check(&v2(0x21, 0x11, &values), client("192.0.2.1"));
    let most = [&FOUR[..], &[4; BINARY_BYTES_MAX - BINARY_HEAD_BYTES - 12]].concat();
    check(&v2(0x21, 0x11, &most), client("192.0.2.1"));
}

#[test]
fn a_proxy_that_speaks_for_itself_counts_as_itself() {
    let proxy = Step::Done(Source::Proxy);
    check(&v2(0x20, 0x00, &[]), proxy);
    check(&v2(0x20, 0x11, &FOUR), proxy);
    check(&v2(0x20, 0xff, b"whatever"), proxy);
    check(&v2(0x21, 0x00, &[]), proxy);
    check(&v2(0x21, 0x00, &FOUR), proxy);
    check(&v2(0x21, 0x31, &[0; 216]), proxy);
}

/// What version 2 does not know is refused before its end is there.
#[test]
fn what_version_2_does_not_know_is_refused_at_once() {
    let most = u16::try_from(BINARY_BYTES_MAX - BINARY_HEAD_BYTES).unwrap();
    for (command, kind, length) in [
        (0x11, 0x11, 12_u16),
        (0x31, 0x11, 12),
        (0x22, 0x11, 12),
        (0x21, 0x01, 12),
        (0x21, 0x10, 12),
        (0x21, 0x13, 12),
        (0x21, 0x41, 12),
        (0x21, 0x12, 12),
        (0x21, 0x22, 36),
        (0x21, 0x32, 216),
        (0x21, 0x11, 11),
        (0x21, 0x21, 35),
        (0x21, 0x31, 215),
        (0x21, 0x11, most + 1),
        (0x20, 0x00, u16::MAX),
    ] {
        check_bad(&[SIGNATURE, &[command, kind], &length.to_be_bytes()].concat());
    }
}

#[test]
fn headers_may_come_in_pieces_and_nothing_behind_them_is_read() {
    let request = b"GET /livez HTTP/1.1\r\n\r\n";
    let text = b"PROXY TCP4 192.0.2.1 10.0.0.1 8080 80\r\n".to_vec();
    let unknown = b"PROXY UNKNOWN\r\n".to_vec();
    let long = v2(0x21, 0x11, &[&FOUR[..], &[4; 3000]].concat());
    for header in [text, unknown, v2(0x21, 0x21, &six()), v2(0x20, 0, &[]), long] {
        let Step::Done(source) = step(&header) else { panic!("{}", header.escape_ascii()) };
        for at_a_time in [1, 2, 7, 15, 16, 4096] {
            let all = [&header[..], request].concat();
            assert_eq!(heard(&all, at_a_time), (Ok(source), request.to_vec()), "{at_a_time}");
        }
        for cut in 1..header.len().min(64) {
            assert!(matches!(step(&header[..cut]), Step::Needs(1..)), "{cut}");
            assert!(matches!(heard(&header[..cut], 5).0, Err(Unread::Bad(_))), "{cut}");
        }
    }
    assert_eq!(heard(b"", 1), (Err(Unread::Silent), vec![]));
}

#[test]
fn a_header_is_told_from_a_request_by_its_first_bytes() {
    for begun in ["PROXY TCP4 ", "PROXY TCP6 1", "PROXY UNKNOWN\r\n"] {
        assert!(begins(begun.as_bytes()), "{begun}");
    }
    assert!(begins(&v2(0x21, 0x11, &FOUR)));
    for request in ["PROXY / HTTP/1.1\r\n", "PROXY TCP", "\r\n\r\nGET / HTTP/1.1\r\n", "", "G"] {
        assert!(!begins(request.as_bytes()), "{request}");
    }
}

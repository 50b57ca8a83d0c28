//! Framing over whole connections: that hyper and the scanner in front of it read alike, and that
//! bad framing is answered and closes.

use super::*;
use doorbuster_test_support::random::Random;

#[test]
fn bad_framing_is_answered_and_closes() {
    let length = format!("Content-Length: {}", BODY.len());
    let closed = |requests: &str| check(requests, "400");
    closed(&post(&format!("{length}\r\n{length}"), BODY));
    closed(&post(&format!("{length}\r\nTransfer-Encoding: chunked"), "0\r\n\r\n"));
    closed(&post(&format!("Transfer-Encoding: chunked\r\n{length}"), "0\r\n\r\n"));
    closed(&post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"));
    closed(&post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"));
    closed(&post("Transfer-Encoding: chunked", "zz\r\n"));
    closed(&post(&format!("{length}\r\nExpect: 200-ok"), BODY));
    closed("GET ftp://shop/livez HTTP/1.1\r\nHost: shop\r\n\r\n");
    closed(&post(&format!("{length}\r\nHost: shop"), BODY));
    closed("GET /livez HTTP/1.1\r\n\r\n");
    closed("GET /livez HTTP/1.1\r\nHost: a@b\r\n\r\n");
    for host in ["a b", "a,b", "a:b", "a:1:2", "::1", "[::1", "[]", "[::1]x", "%61", "a/b", "*"] {
        closed(&format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    closed("GET http://other/livez HTTP/1.1\r\nHost: shop\r\n\r\n");
    closed("CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n");
    check(&format!("{}{}", sized(BODY), post(&format!("{length}\r\n{length}"), BODY)), "201 400");
}

/// A body in chunks, and the same bytes after it.
fn chunked(chunks: &str) -> String {
    post("Transfer-Encoding: chunked", &format!("2b\r\n{BODY}\r\n{chunks}"))
}

/// What both readers take alike stays and what they may not closes.
#[test]
fn what_both_readers_take_alike_stays_and_the_rest_closes() {
    check(&chunked("0\r\n\r\n"), "201 200");
    check(&chunked("0;a=b\r\n\r\n\r\n"), "201 200");
    check(&format!("\n\r\n{}\r\n\n", sized(BODY)), "201 200");
    check(&sized(BODY).replace("\r\n", "\n"), "201 200");
    check(&sized(BODY).replace("Content-Length: ", "CONTENT-length:\t 00"), "201 200");
    check(&post("Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0", ""), "400 200");
    let upgrade = format!("Upgrade: h2c\r\nContent-Length: {}", BODY.len());
    check(&post(&upgrade, BODY).repeat(2), "201 201 200");
    check(
        &sized(BODY).replace("Content-Length", "X-Content-Length: 1\r\nContent-Length"),
        "201 200",
    );
    // A trailer, whose line hyper ends elsewhere than other readers.
    let hidden = format!("GET /livez HTTP/1.1\r\n{HOST}\r\n\r\n");
    for rest in ["0\r\nX: a\n\r\n", "0\r\nX: a\r\n\r\n", "0\n\r\n", "0\r\n\n", "0\r\n \r\n\r\n"] {
        check(&format!("{}{hidden}", chunked(rest)), "400");
    }
    for rest in ["+0\r\n\r\n", "0x0\r\n\r\n", " 0\r\n\r\n", "0;a\nb\r\n\r\n", "0;a\rb\r\n\r\n"] {
        check(&format!("{}{hidden}", chunked(rest)), "400");
    }
    for (name, other) in [
        ("Content-Length:", "Content-Length :"),
        ("Content-Length: ", "X: y\r\n Content-Length: "),
        ("Content-Length: ", "Content-Length: +"),
        ("Content-Length: ", "Content-Length: \u{c}"),
        ("\r\nContent-Length", "\r\r\nContent-Length"),
        ("\r\nContent-Length", "\rX: y\r\nContent-Length"),
        ("Content-Length: ", &format!("Content-Length:{}", " ".repeat(100))),
    ] {
        check(&format!("{}{hidden}", sized(BODY).replace(name, other)), "400");
    }
    check(&format!("\r{}{hidden}", sized(BODY)), "400");
    let old = post("Transfer-Encoding: chunked", "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0");
    check(&format!("{old}{hidden}"), "400");
}

/// Whatever bytes come, hyper finds no head that the scanner has not, and none it does not.
#[test]
fn both_readers_find_the_same_heads_in_any_bytes() {
    let messages = [
        format!("GET /livez HTTP/1.1\r\n{HOST}\r\n\r\n"),
        sized(BODY),
        chunked("0\r\n\r\n"),
        post("Transfer-Encoding: chunked", "1;x\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    ];
    let parts = [
        "",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\n",
        "Content-Length: 4\n",
        "X: a\n",
        "X: a\r\n",
        "0\r\n\r\n",
        "0\r\n",
        "2\r\n{}\r\n",
        "2;x\n",
        " ",
        "\t",
        "+",
        "0",
        "1",
        ";",
        ":",
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        "\0",
        "\u{c}",
    ];
    let mut random = Random::new(1);
    let mut roll = |sides: usize| random.place(sides);
    let mut undisturbed = 0;
    for _ in 0..4000 {
        let mut text: String = (0..=roll(3)).map(|_| &*messages[roll(messages.len())]).collect();
        for _ in 0..roll(3) {
            let at = roll(text.len());
            let end = text.len().min(at + roll(3));
            text.replace_range(at..end, parts[roll(parts.len())]);
        }
        let step = 1 + roll(60);
        let (answers, requests, (heads, lost)) = locally(async {
            let (worker, mut client) = connect(front());
            let peer = worker.peers.borrow()[0].clone();
            for piece in text.as_bytes().chunks(step) {
                // It fails where the connection was closed before.
                let _ = client.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            client.shutdown().await.unwrap();
            let mut answers = String::new();
            client.read_to_string(&mut answers).await.unwrap();
            let (heads, lost) = peer.framing.borrow().found();
            (answers, peer.requests.get(), (heads, lost))
        });
        if answers.contains("connection: close") {
            assert!(requests <= heads, "{requests} for {heads}: {text:?}");
        } else {
            assert_eq!((requests, lost), (heads, false), "{text:?}");
            undisturbed += u32::from(requests > 0);
        }
    }
    assert!(undisturbed > 100, "only {undisturbed} texts are good ones");
}

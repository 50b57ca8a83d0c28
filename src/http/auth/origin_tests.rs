//! What a browser's headers come to, one request at a time.

use super::*;
use crate::http::testing::headers;

fn sites(origins: &str, hosts: &str) -> Sites {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Sites { origins: words(origins), hosts: words(hosts), checks_hosts: true }
}

/// A request of this method with these lines.
fn request(method: &str, uri: &str, lines: &str) -> Parts {
    let request = hyper::Request::builder().method(method).uri(uri).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    parts.headers = headers(lines);
    parts
}

fn page(sites: &Sites, lines: &str) -> &'static str {
    let headers = headers(lines);
    match sites.page(&RequestHeaders::of(&headers)) {
        Page::Unsaid => "unsaid",
        Page::Own => "own",
        Page::Named(_) => "named",
        Page::Foreign => "foreign",
    }
}

#[test]
fn a_page_is_ours_or_named_or_foreign() {
    let sites = sites("https://shop.example http://localhost:3000 capacitor://localhost", "");
    for (lines, expected) in [
        ("Host: api", "unsaid"),
        ("Host: api\nOrigin: http://api", "own"),
        ("Host: API:80\nOrigin: http://api", "own"),
        ("Host: api\nOrigin: https://api:443", "own"),
        ("Host: api\nOrigin: https://shop.example", "named"),
        ("Host: api\nOrigin: http://localhost:3000", "named"),
        ("Host: api\nOrigin: capacitor://localhost", "named"),
        ("Host: shop.example\nOrigin: https://shop.example", "named"),
        ("Host: api\nOrigin: http://shop.example", "foreign"),
        ("Host: api\nOrigin: https://shop.example:8443", "foreign"),
        ("Host: api\nOrigin: https://shop.example.evil", "foreign"),
        ("Host: api\nOrigin: https://evil-shop.example", "foreign"),
        ("Host: api\nOrigin: http://localhost", "foreign"),
        ("Host: api\nOrigin: null", "foreign"),
        ("Host: api\nOrigin:", "foreign"),
        ("Host: api\nOrigin: https://shop.example\nOrigin: https://shop.example", "foreign"),
        ("Origin: http://", "foreign"),
    ] {
        assert_eq!(page(&sites, lines), expected, "{lines}");
    }
    assert_eq!(page(&Sites::default(), "Host: api\nOrigin: https://shop.example"), "foreign");
}

fn guarded(sites: &Sites, uri: &str, lines: &str) -> Result<(), Code> {
    let parts = request("GET", uri, lines);
    let head = RequestHeaders::of(&parts.headers);
    let page = sites.page(&head);
    sites.guard(page, &parts, &head).map_err(|refused| refused.code)
}

#[test]
fn without_tokens_a_host_is_loopback_or_named() {
    let sites = sites("", "shop.example 10.0.0.1 2001:db8::1");
    for known in [
        "localhost",
        "LOCALHOST:7070",
        "127.0.0.1",
        "127.0.0.1:7070",
        "127.8.9.1",
        "[::1]",
        "[::1]:7070",
        "[::ffff:127.0.0.1]:7070",
        "shop.example",
        "Shop.Example:8443",
        "10.0.0.1:80",
        "[2001:db8::1]",
        "[2001:DB8:0::1]:80",
    ] {
        assert_eq!(guarded(&sites, "/livez", &format!("Host: {known}")), Ok(()), "{known}");
    }
    for unknown in [
        "evil.example",
        "evil.example:7070",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "xlocalhost",
        "10.0.0.2",
        "0.0.0.0",
        "[::2]",
        "shop.example.evil",
        "",
        ":7070",
    ] {
        let lines = format!("Host: {unknown}");
        assert_eq!(guarded(&sites, "/livez", &lines), Err(Code::Forbidden), "{unknown}");
    }
    // HTTP/1.0 may leave it out; a target may name it.
    assert_eq!(guarded(&sites, "/livez", ""), Ok(()));
    assert_eq!(guarded(&sites, "http://localhost/livez", ""), Ok(()));
    assert_eq!(guarded(&sites, "http://evil.example/livez", ""), Err(Code::Forbidden));
    let beyond = Sites { checks_hosts: false, ..sites };
    assert_eq!(guarded(&beyond, "/livez", "Host: evil.example"), Ok(()));
}

#[test]
fn without_tokens_pages_of_other_sites_need_to_be_named() {
    let sites = sites("https://shop.example", "");
    let from = |site: &str, more: &str| {
        guarded(&sites, "/livez", &format!("Host: localhost\nSec-Fetch-Site: {site}\n{more}"))
    };
    for same in ["same-origin", "same-site", "none"] {
        assert_eq!(from(same, ""), Ok(()), "{same}");
    }
    assert_eq!(from("cross-site", ""), Err(Code::Forbidden));
    assert_eq!(from("cross-site", "Origin: https://evil.example"), Err(Code::Forbidden));
    assert_eq!(from("cross-site", "Origin: http://localhost"), Err(Code::Forbidden));
    assert_eq!(from("cross-site", "Origin: https://shop.example"), Ok(()));
}

/// The lines of an answer that are for the browser.
fn told(sites: &Sites, method: &str, lines: &str) -> Vec<String> {
    let parts = request(method, "/v1/orders", lines);
    let head = RequestHeaders::of(&parts.headers);
    let mut told = HeaderMap::new();
    sites.cross(sites.page(&head), &parts, &head).tell(&mut told);
    told.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

#[test]
fn an_answer_tells_a_named_page_what_it_may_read_and_no_other() {
    let sites = sites("https://shop.example", "");
    let named = "Host: api\nOrigin: https://shop.example";
    let answer = told(&sites, "POST", named);
    assert_eq!(answer[0], "vary: Origin");
    assert_eq!(answer[1], "access-control-allow-origin: https://shop.example");
    assert!(answer[2].starts_with("access-control-expose-headers: ETag, Location, Retry-After"));
    assert_eq!(answer.len(), 3);
    let asks = format!("{named}\nAccess-Control-Request-Method: POST");
    let preflight = told(&sites, "OPTIONS", &asks);
    assert_eq!(preflight[..2], answer[..2]);
    assert!(preflight[2].starts_with("access-control-allow-methods: GET, HEAD, POST"));
    assert!(preflight[3].contains("Authorization, Content-Type, Idempotency-Key"));
    assert_eq!(preflight[4], "access-control-max-age: 600");
    assert_eq!(preflight.len(), 5);
    // What only looks like one.
    assert_eq!(told(&sites, "POST", &asks), answer);
    assert_eq!(told(&sites, "OPTIONS", named), answer);
    for other in ["Host: api", "Host: api\nOrigin: https://evil.example"] {
        assert_eq!(told(&sites, "POST", other), ["vary: Origin"], "{other}");
        assert!(told(&Sites::default(), "POST", other).is_empty(), "{other}");
    }
}

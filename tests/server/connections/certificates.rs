//! How long the certificate may be used: told at the start and at each reload, and measured.
//!
//! Owns the moments at which it is told. That it is used, and replaced, is in `tls`.

use crate::TARGET;
use crate::connections::tls::Issued;
use doorbuster_test_support::client::Client;
use doorbuster_test_support::process::Launch;
use doorbuster_test_support::wait::wall_ms;
use std::path::Path;
use std::time::Duration;

const DAY_S: u64 = 24 * 60 * 60;

/// A certificate of these seconds since 1970, in the folder.
fn issue(folder: &Path, not_before_s: u64, not_after_s: u64) -> Issued {
    let mut parameters = rcgen::CertificateParams::new(["shop".to_owned()]).expect("a name");
    let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (parameters.not_before, parameters.not_after) = (at(not_before_s), at(not_after_s));
    let issued = Issued::of(parameters);
    issued.write(folder);
    issued
}

fn launch(folder: &Path) -> Launch {
    let path = |name: &str| folder.join(name).to_str().expect("a path in UTF-8").to_owned();
    let launch = TARGET.launch(&folder.join("data")).small();
    launch.variable("TLS_CERT", &path("cert.pem")).variable("TLS_KEY", &path("key.pem"))
}

fn not_after(client: &mut Client) -> u64 {
    let page = client.ask(&doorbuster_test_support::client::Ask::get("/metrics"));
    let page = String::from_utf8(page.body).expect("it is text");
    let name = "doorbuster_tls_certificate_not_after_seconds ";
    let value = page.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}in {page}"))
}

/// A certificate that ends soon is told at the start and at a reload.
#[test]
fn a_certificate_that_ends_soon_is_told() {
    let now_s = wall_ms() / 1000;
    let (expired, soon, early) =
        ("certificate has expired", "expires within 14 days", "is not valid yet");
    let cases = [
        (now_s - 9 * DAY_S, now_s - DAY_S, Some(expired)),
        (now_s - 9 * DAY_S, now_s + 13 * DAY_S, Some(soon)),
        (now_s - 9 * DAY_S, now_s + 15 * DAY_S, None),
        (now_s + DAY_S, now_s + 90 * DAY_S, Some(early)),
    ];
    for (from_s, to_s, told) in cases {
        let place = TARGET.directory();
        issue(place.path(), now_s - DAY_S, now_s + 90 * DAY_S);
        let server = launch(place.path()).start();
        assert_eq!(server.complaints(), "");
        let issued = issue(place.path(), from_s, to_s);
        server.reload(told.unwrap_or("took the certificate"));
        // A client that looks at the moment would not come in with the other two.
        if told.is_none_or(|told| told == soon) {
            assert_eq!(not_after(&mut issued.connect(&server)), to_s);
        }
        server.stop().stopped();
        let exit = launch(place.path()).start().stop();
        for sentence in [expired, soon, early] {
            let is_told = exit.complaints.contains(sentence);
            assert_eq!(is_told, told == Some(sentence), "{exit:?}");
        }
        assert_eq!(exit.complaints.contains("cert.pem"), told.is_some(), "{exit:?}");
    }
}

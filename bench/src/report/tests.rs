//! Reports made of known values: what is written is read back, added up, drawn and well-formed.

use super::files;
use super::html;
use super::merge;
use super::outcome::Outcome;
use super::series::record;
use super::summary::{Check, Compared, Conditions, Machine, Recording, Summary};

fn conditions(started_at_ms: u64) -> Conditions {
    Conditions {
        commands: vec!["doorbuster-bench run --url <http://a&b>".to_owned()],
        started_at: "2026-11-20T10:00:00Z".to_owned(),
        started_at_ms,
        url: "http://127.0.0.1:7070".to_owned(),
        scenario: "flash-sale".to_owned(),
        schedule: "spike".to_owned(),
        rate_per_s: 1000.0,
        duration_s: 5.0,
        cut_after_s: None,
        opening_s: Some(1.0),
        connections: 16,
        timeout_ms: 10_000,
        skus: 1,
        stock_per_sku: 50,
        seed: 1,
        run: "r".to_owned(),
        bench_version: "0.1.0".to_owned(),
        server_version: "0.1.0".to_owned(),
        server_epoch: 3,
        durability: "group".to_owned(),
        shared_machine: true,
        machine: Machine {
            cpu: "a CPU".to_owned(),
            cores: 2,
            memory: "24 GiB".to_owned(),
            system: "Debian".to_owned(),
            kernel: "6.18".to_owned(),
        },
    }
}

/// A thousand requests a second, of 1 to 1,000 times `us` microseconds, every tenth an order.
fn recording(us: u64) -> Recording {
    let mut recording = Recording::new(1_000);
    for second in 0..5 {
        for n in 1..=1000 {
            let outcome = if n % 10 == 0 { Outcome::Created } else { Outcome::SoldOut };
            let ns = n * us * 1000;
            recording.outcomes.entry(outcome).or_default().record(second, ns);
            record(&mut recording.from_send, ns / 2);
            record(&mut recording.lag, 20_000);
        }
        recording.starts.insert(second, [1001, 3, 1]);
    }
    recording.codes.insert("sold_out".to_owned(), 4500);
    recording.sends.intended = 5005;
    recording.sends.sent = 5000;
    recording.sends.late = 15;
    recording.sends.dropped = 5;
    recording
}

fn check() -> Check {
    let what = "units held and sold are those of the orders".to_owned();
    let compared = vec![Compared { what, count: 1, differences: 0 }];
    Check { compared, ..Check::default() }
}

fn report(us: u64, started_at_ms: u64) -> (Summary, Recording) {
    let recording = recording(us);
    (recording.summary(conditions(started_at_ms), check()), recording)
}

#[test]
fn a_summary_says_what_was_measured() {
    let (summary, _) = report(1, 0);
    assert_eq!((summary.all.count, summary.outcomes["created"].count), (5000, 500));
    let near = |us: f64, expected: f64| (us - expected).abs() <= expected * 0.002;
    assert!(near(summary.all.p50_us, 500.0) && near(summary.all.p99_us, 990.0), "{summary:?}");
    assert!(near(summary.all.max_us, 1000.0) && near(summary.from_send.max_us, 500.0));
    assert_eq!(summary.seconds.len(), 5);
    assert!(summary.seconds.iter().all(|row| row.outcomes["sold_out"] == 900));
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (summary, recording) = report(3, 1_700_000_000_000);
    files::write(folder.path(), &summary, &recording).expect("it can be written");
    let (read, back) = files::read(folder.path()).expect("it can be read");
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&summary).unwrap());
    assert_eq!(back.total(), recording.total());
    assert_eq!(back.from_send, recording.from_send);
    for second in 0..5 {
        assert_eq!(back.second(second), recording.second(second));
    }
    for name in ["created", "sold_out", "all", "from_send", "lag"] {
        let text = std::fs::read_to_string(folder.path().join(format!("{name}.hgrm"))).unwrap();
        assert!(text.trim_start().starts_with("Value     Percentile TotalCount"), "{text}");
        assert!(text.contains("#[Max     ="), "{text}");
    }
}

#[test]
fn a_percentile_text_counts_up_to_all_and_ends_at_the_slowest() {
    let text = files::percentile_text(&recording(1).total());
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
        .collect();
    assert!(rows.is_sorted_by(|one, other| one[0] <= other[0] && one[2] <= other[2]), "{text}");
    let last = rows.last().unwrap();
    assert_eq!((last.len(), last[1], last[2]), (3, 1.0, 5000.0), "{text}");
    assert!((last[0] - 1000.0).abs() < 1.0, "{text}");
    let half = rows.iter().find(|row| row[1] >= 0.5).unwrap();
    assert!((half[0] - 500.0).abs() < 2.0 && half[2] >= 2500.0, "{text}");
}

#[test]
fn merged_reports_have_the_percentiles_of_all_requests() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    for (name, us, started_at_ms) in [("a", 1, 10_000), ("b", 3, 12_100)] {
        let (summary, recording) = report(us, started_at_ms);
        files::write(&place(name), &summary, &recording).expect("it can be written");
    }
    merge::run(&[place("b"), place("a")], &place("sum")).expect("they add up");
    let (sum, _) = files::read(&place("sum")).expect("it can be read");
    assert_eq!((sum.all.count, sum.sends.dropped, sum.codes["sold_out"]), (10_000, 10, 9000));
    // Of 1..=1000 and 3..=3000 µs, half are at most 750; an average of the two would be 1000.
    assert!((sum.all.p50_us - 750.0).abs() < 3.0, "{}", sum.all.p50_us);
    assert_eq!((sum.conditions.started_at_ms, sum.conditions.duration_s), (10_000, 7.0));
    assert_eq!((sum.conditions.rate_per_s, sum.conditions.connections), (2000.0, 32));
    let counts: Vec<u64> =
        sum.seconds.iter().map(|row| row.outcomes.values().sum::<u64>()).collect();
    assert_eq!(counts, [1000, 1000, 2000, 2000, 2000, 1000, 1000]);
    assert_eq!(sum.check.compared[0].count, 2);
}

#[test]
fn a_report_is_written_over_only_when_that_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    files::check_free(folder.path(), false).expect("there is none");
    files::check_free(&folder.path().join("new"), false).expect("there is none");
    let (summary, recording) = report(1, 0);
    files::write(folder.path(), &summary, &recording).expect("it can be written");
    let error = files::check_free(folder.path(), false).expect_err("there is one");
    assert!(error.exit_code() == 2 && error.to_string().contains("--force"), "{error}");
    files::check_free(folder.path(), true).expect("it may be written over");
}

#[test]
fn a_run_that_was_cut_says_so_in_page_and_summary() {
    let (mut summary, recording) = report(1, 0);
    assert!(!html::page(&summary, &recording).contains("was cut"));
    summary.conditions.cut_after_s = Some(2.5);
    assert!(html::page(&summary, &recording).contains("The run was cut after 2.5 s of 5 s"));
    let json = serde_json::to_value(&summary).expect("JSON");
    assert_eq!(json["conditions"]["cut_after_s"], 2.5);
    // Reports of before have no such member.
    let mut old = json.clone();
    old["conditions"].as_object_mut().expect("an object").remove("cut_after_s");
    let old: Summary = serde_json::from_value(old).expect("a report of before");
    assert_eq!(old.conditions.cut_after_s, None);
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = files::read(folder.path()).expect_err("there is nothing");
    assert!(error.to_string().contains("summary.json"), "{error}");
    std::fs::write(folder.path().join("summary.json"), "{}").expect("it can be written");
    let error = files::read(folder.path()).expect_err("it is no report");
    assert!(error.to_string().contains("summary.json"), "{error}");
}

/// Tags open and close in order, attributes are quoted, text has no bare `<` or `&`: what both an
/// XML and an HTML reader take. Returns the names of all elements.
fn well_formed(page: &str) -> Vec<String> {
    let (mut open, mut seen, mut rest) = (Vec::new(), Vec::new(), page);
    while let Some(at) = rest.find('<') {
        entities(&rest[..at]);
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "{tag}");
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closes what is open");
            continue;
        }
        let name = tag.split([' ', '/', '\n']).next().expect("a name").to_owned();
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        entities(tag);
        seen.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    seen
}

fn entities(text: &str) {
    for after in text.split('&').skip(1) {
        let name = after.split(';').next().expect("a split has a first part");
        assert!(["amp", "lt", "gt", "quot"].contains(&name), "a bare & before {after:?}");
    }
}

#[test]
fn the_page_is_one_well_formed_file_that_fetches_nothing() {
    let (summary, recording) = report(7, 0);
    let page = html::page(&summary, &recording);
    let elements = well_formed(&page);
    let count = |name: &str| elements.iter().filter(|own| *own == name).count();
    assert_eq!((count("svg"), count("h1"), count("polygon")), (3, 1, 3));
    assert!(count("polyline") >= 6 && count("script") == 0 && count("img") == 0);
    for fetching in ["src=", "href=", "url(", "@import"] {
        assert!(!page.contains(fetching), "{fetching}");
    }
    for number in ["NaN", "inf", "-0.0,"] {
        assert!(!page.contains(number), "{number}");
    }
    for said in [
        "second of the run",
        "requests a second",
        "latency",
        "99.9 %",
        "the sale opens",
        "durability",
        "a CPU",
        "never sent",
        "the generator&#39;s own lag".replace("&#39;", "'").as_str(),
        "&lt;http://a&amp;b&gt;",
    ] {
        assert!(page.contains(said), "the page does not say {said:?}");
    }
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let recording = Recording::new(1_000);
    let not_made = Some("the server is gone".to_owned());
    let check = Check { not_made, ..Check::default() };
    let page = html::page(&recording.summary(conditions(0), check), &recording);
    well_formed(&page);
    assert!(page.contains("the server is gone") && !page.contains("NaN"));
}

//! Thousands of requests that schemathesis makes from the document: good ones must be taken, bad
//! ones refused, and every answer must be one that the document has.

use crate::tools::{Kit, Tool};
use crate::{TOKEN, document, server};
use serde_json::Value;
use std::fs;

/// Behind these nothing else succeeds; `tests/contract` has them.
const ENDS: [&str; 2] = ["drain", "setReadOnly"];

#[test]
fn every_operation_answers_what_the_document_says() {
    if !Kit::Python.is_there() {
        return;
    }
    let place = Kit::Python.workplace(&["hooks.py", "schemathesis.toml"]);
    let (server, _directory) = server();
    let url = format!("http://{}", server.address);
    let tally = place.path().join("tally.json");
    let said = Tool::new(Kit::Python.program("schemathesis"), place.path())
        .arguments([
            "run",
            "--checks=all",
            "--header",
            &format!("Authorization: Bearer {TOKEN}"),
            "--url",
            &url,
        ])
        .arguments(ENDS.map(|id| format!("--exclude-operation-id={id}")))
        .arguments([document::path()])
        .variable("DOORBUSTER_URL", &url)
        .variable("DOORBUSTER_TOKEN", TOKEN)
        .variable("DOORBUSTER_TALLY", &tally)
        .variable("PYTHONPATH", place.path())
        .succeed();
    let tally = fs::read_to_string(tally).expect("it counted");
    let tally: Value = serde_json::from_str(&tally).expect("it counted in JSON");
    let count = |id: &str, first: char| -> u64 {
        let statuses = tally[id].as_object().into_iter().flatten();
        let own = statuses.filter(|(status, _)| status.starts_with(first));
        own.filter_map(|(_, count)| count.as_u64()).sum()
    };
    for id in document::operations().iter().filter(|id| !ENDS.contains(&id.as_str())) {
        assert!(count(id, '2') > 0, "{id} never succeeded: {}\n{said}", tally[id]);
        assert_eq!(count(id, '5'), 0, "{id}: {}", tally[id]);
    }
    // What it needed was there: lookups and actions are not mostly refused.
    for id in ["getOrder", "confirmOrder", "shipOrder", "refundOrder", "getSku", "enterDraw"] {
        assert!(count(id, '2') >= 10, "{id}: {}", tally[id]);
    }
    eprintln!("{tally:#}");
}

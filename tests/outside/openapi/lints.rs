//! Two linters of documents, with the rules that they recommend. Neither has anything to say.

use crate::document;
use crate::tools::{Kit, Tool, ours};
use serde_json::Value;

#[test]
fn redocly_finds_nothing() {
    if !Kit::Node.is_there() {
        return;
    }
    let config = ours().join("redocly.yaml");
    let (_, text) = Tool::new(Kit::Node.program("redocly"), &ours())
        .arguments(["lint", "--format=json", "--config"])
        .arguments([config, document::path()])
        .run();
    let from = text.find('{').unwrap_or_else(|| panic!("no report: {text}"));
    let mut reports = serde_json::Deserializer::from_str(&text[from..]).into_iter::<Value>();
    let report = reports.next().expect("a report").expect("a report in JSON");
    assert_eq!(report["totals"]["errors"], 0, "{text}");
    assert_eq!(report["totals"]["warnings"], 0, "{text}");
    assert_eq!(report["totals"]["ignored"], 0, "{text}");
}

#[test]
fn spectral_finds_nothing() {
    if !Kit::Node.is_there() {
        return;
    }
    let text = Tool::new(Kit::Node.program("spectral"), &ours())
        .arguments(["lint", "--fail-severity=hint", "--ruleset"])
        .arguments([ours().join("spectral.yaml"), document::path()])
        .succeed();
    assert!(text.contains("No results with a severity of 'hint' or higher found!"), "{text}");
}

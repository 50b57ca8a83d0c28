//! The document as it is kept, and as it is served.

use crate::server;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Set, it has the file written anew.
const REWRITE: &str = "REWRITE_OPENAPI";

/// `docs/openapi.json`.
pub(crate) fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "docs", "openapi.json"].iter().collect()
}

/// The file's text.
pub(crate) fn text() -> String {
    fs::read_to_string(path()).expect("docs/openapi.json can be read")
}

/// All operations of the file by their ids.
pub(crate) fn operations() -> Vec<String> {
    let document: Value = serde_json::from_str(&text()).expect("the file is JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|methods| methods.as_object().expect("methods").values());
    let id = |operation: &Value| operation["operationId"].as_str().expect("an id").to_owned();
    operations.map(id).collect()
}

#[test]
fn the_document_that_is_kept_is_the_one_that_is_served() {
    let (server, _directory) = server();
    let served = server.connect().get("/openapi.json");
    let mut pretty = serde_json::to_string_pretty(&served).expect("JSON can be written");
    pretty.push('\n');
    if std::env::var_os(REWRITE).is_some() {
        fs::write(path(), &pretty).expect("docs/openapi.json can be written");
    }
    let kept = fs::read_to_string(path()).unwrap_or_default();
    let differs = kept.lines().zip(pretty.lines()).position(|(one, other)| one != other);
    assert!(
        kept == pretty,
        "docs/openapi.json is not what is served, from line {} on. To write it anew:\n    \
         {REWRITE}=1 cargo test --test openapi the_document_that_is_kept",
        differs.map_or(kept.lines().count().min(pretty.lines().count()), |line| line) + 1,
    );
}

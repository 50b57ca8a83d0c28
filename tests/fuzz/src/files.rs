//! Any file of an operator: tokens and settings. What is taken is what a plain reading of the TOML
//! says; what is not names a line that is there and shows nothing that may be a secret. Next:
//! `doorbuster::config`, `doorbuster::http::Tokens`.

use doorbuster::config::Sources;
use doorbuster::http::{TOKENS_MAX, Tokens};
use toml::{Table, Value};

pub(crate) fn tokens(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let plain: Option<Table> = text.parse().ok();
    let entries = plain.as_ref().and_then(|table| table.get("token")).and_then(Value::as_array);
    match Tokens::read("tokens.toml", text) {
        Ok(tokens) => {
            let entries = entries.expect("what is taken is TOML with tokens");
            assert_eq!(tokens.count(), entries.len());
            assert!((1..=TOKENS_MAX).contains(&tokens.count()) && !tokens.is_none());
            assert!(plain.as_ref().is_some_and(|table| table.len() == 1), "and nothing else");
            for entry in entries {
                let named = |name: &str| entry.get(name).and_then(Value::as_str);
                assert!(named("name").is_some_and(|name| (1..=64).contains(&name.len())));
                let role = named("role").expect("a role");
                assert!(["buy", "fulfil", "metrics", "admin"].contains(&role));
                let hash = named("sha256").expect("a hash");
                assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
                assert!(tokens.find(hash.as_bytes()).is_none(), "a hash is no token");
            }
        }
        Err(bad) => {
            assert!(bad.line >= 1 && bad.line <= text.split('\n').count(), "line {}", bad.line);
            let told = bad.to_string();
            for value in entries.into_iter().flatten().filter_map(|entry| entry.get("sha256")) {
                let secret = value.as_str().unwrap_or_default();
                assert!(secret.len() < 20 || !told.contains(secret), "a token is shown: {told}");
            }
        }
    }
}

pub(crate) fn config(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut sources = Sources::default();
    if let Err(error) = sources.file("doorbuster.toml", text) {
        assert!(!error.to_string().is_empty());
        return;
    }
    let plain: Table = text.parse().expect("what is taken is TOML");
    let settings = leaves("", &plain);
    let effective: Vec<(&str, String, bool)> = sources
        .effective()
        .map(|(entry, value, origin)| (entry.name, value.to_owned(), origin != "default"))
        .collect();
    let set = effective.iter().filter(|(_, _, own)| *own);
    let set: Vec<(String, String)> =
        set.map(|(name, value, _)| ((*name).to_owned(), value.clone())).collect();
    let mut expected = settings;
    expected.sort();
    let mut found = set.clone();
    found.sort();
    assert_eq!(found, expected, "each setting is taken once, as it stands there");
    // The same by the other way in.
    let mut again = Sources::default();
    for (name, value) in set {
        again.set("flag", &name, value).expect("its name is known");
    }
    match (sources.config(), again.config()) {
        (Ok(one), Ok(other)) => assert_eq!(format!("{one:?}"), format!("{other:?}")),
        (Err(_), Err(_)) => {}
        (one, other) => panic!("{:?} but {:?}", one.err(), other.err()),
    }
}

/// Every value of a table by its dotted name, as text.
fn leaves(prefix: &str, table: &Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => found.extend(leaves(&format!("{name}."), inner)),
            Value::String(text) => found.push((name, text.clone())),
            other => found.push((name, other.to_string())),
        }
    }
    found
}

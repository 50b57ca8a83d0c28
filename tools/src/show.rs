//! Prints findings: a table for people, an object for machines.

use crate::look::{Findings, Table, Trouble};
use serde_json::{Map, Value, json};

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn print(findings: &Findings, as_json: bool) {
    if as_json {
        return println!("{}", object(findings));
    }
    let width = findings.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &findings.facts {
        println!("{name:width$}  {}", text(value));
    }
    if let Some(table) = &findings.table {
        println!();
        print_table(table);
    }
}

fn object(findings: &Findings) -> Value {
    let facts = findings.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut object: Map<String, Value> = facts.collect();
    if let Some(table) = &findings.table {
        let row = |row: &Vec<Value>| {
            let cells = table.columns.iter().zip(row);
            cells.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>()
        };
        object.insert(table.name.to_owned(), table.rows.iter().map(row).collect());
    }
    Value::Object(object)
}

fn print_table(table: &Table) {
    let cells: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let width = |at: usize| {
        let longest = cells.iter().map(|row: &Vec<String>| row[at].len()).max().unwrap_or(0);
        longest.max(table.columns[at].len())
    };
    let line = |row: &[&str]| {
        let padded = row.iter().enumerate().map(|(at, cell)| format!("{cell:>0$}", width(at)));
        println!("{}", padded.collect::<Vec<_>>().join("  "));
    };
    line(table.columns);
    cells.iter().for_each(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
}

pub(crate) fn complain(trouble: &Trouble, as_json: bool) {
    let (Trouble::Damage(text) | Trouble::Unreadable(text)) = trouble;
    if as_json {
        println!("{}", json!({ "error": text, "damage": matches!(trouble, Trouble::Damage(_)) }));
    } else {
        eprintln!("doorbusterctl: {text}");
    }
}

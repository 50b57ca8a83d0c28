//! Prints findings: a table for people, an object for machines. A reader who goes away early, as
//! `head` does, ends the printing and nothing else.

use crate::look::{Findings, Table, Trouble};
use serde_json::{Map, Value, json};
use std::io::{self, BufWriter, Write};

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn print(findings: &Findings, as_json: bool) {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match as_json {
        true => writeln!(out, "{}", object(findings)),
        false => print_text(&mut out, findings),
    };
    // Nobody is left to be told that it could not be printed.
    let _ = printed.and_then(|()| out.flush());
}

fn print_text(out: &mut impl Write, findings: &Findings) -> io::Result<()> {
    let width = findings.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &findings.facts {
        match text(value) {
            // To be copied as it is.
            lines if lines.contains('\n') => write!(out, "{name}:\n\n{lines}")?,
            line => writeln!(out, "{name:width$}  {line}")?,
        }
    }
    match &findings.table {
        Some(table) if table.rows.is_empty() => Ok(()),
        Some(table) => {
            writeln!(out)?;
            print_table(out, table)
        }
        None => Ok(()),
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

/// Numbers to the right, words to the left.
fn print_table(out: &mut impl Write, table: &Table) -> io::Result<()> {
    let columns = table.columns.len();
    let cells: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let width = |at: usize| {
        let longest = cells.iter().map(|row| row[at].len()).max().unwrap_or(0);
        longest.max(table.columns[at].len())
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let of_numbers =
        |at: usize| table.rows.iter().all(|row| row[at].is_number() || row[at].is_null());
    let right: Vec<bool> = (0..columns).map(of_numbers).collect();
    let mut line = |row: &mut dyn Iterator<Item = &str>| {
        let padded = row.enumerate().map(|(at, cell)| match right[at] {
            true => format!("{cell:>0$}", widths[at]),
            false => format!("{cell:<0$}", widths[at]),
        });
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    line(&mut table.columns.iter().copied())?;
    cells.iter().try_for_each(|row| line(&mut row.iter().map(String::as_str)))
}

pub(crate) fn complain(trouble: &Trouble, as_json: bool) {
    let (Trouble::Damage(text) | Trouble::NotThere(text) | Trouble::Unreadable(text)) = trouble;
    let _ = match as_json {
        true => {
            let damage = matches!(trouble, Trouble::Damage(_));
            writeln!(io::stdout().lock(), "{}", json!({ "error": text, "damage": damage }))
        }
        false => writeln!(io::stderr().lock(), "doorbusterctl: {text}"),
    };
}

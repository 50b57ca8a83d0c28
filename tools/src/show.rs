//! Prints findings: a table for people, an object for machines. A reader who goes away early, as
//! `head` does, ends the printing and nothing else; what else keeps it from being printed is told
//! on standard error.

use crate::inspect::{Findings, Table, Trouble};
use crate::printable;
use doorbuster::process::output;
use serde_json::{Map, Value, json};
use std::io::{self, BufWriter, Write};

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => printable::lines(text).into_owned(),
        Value::Null => "-".to_owned(),
        other => printable::json(other),
    }
}

pub(crate) fn print(findings: &Findings, as_json: bool) -> Result<(), Trouble> {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match as_json {
        true => writeln!(out, "{}", printable::json(&object(findings))),
        false => print_text(&mut out, findings),
    };
    written(printed.and_then(|()| out.flush()))
}

/// Bytes as they are: what a shell or a reader of manuals is given.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// The outcome of a write to standard output.
pub(crate) fn written(printed: io::Result<()>) -> Result<(), Trouble> {
    output::unless_closed(printed).map_err(|cause| Trouble::Unwritten(output::reason(&cause)))
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

/// Tells what went wrong, and gives the code to exit with. Where JSON is asked for, it is told
/// there, unless that is what cannot be written.
pub(crate) fn complain(trouble: &Trouble, as_json: bool) -> u8 {
    let told = if as_json && !matches!(trouble, Trouble::Unwritten(_)) {
        let damage = matches!(trouble, Trouble::Damage(_));
        let object = printable::json(&json!({ "error": trouble.text(), "damage": damage }));
        let mut out = io::stdout().lock();
        written(writeln!(out, "{object}").and_then(|()| out.flush()))
    } else {
        warn(trouble.text());
        Ok(())
    };
    match told {
        Ok(()) => trouble.code(),
        Err(unwritten) => {
            warn(trouble.text());
            warn(unwritten.text());
            unwritten.code()
        }
    }
}

/// A line on standard error; that it cannot be written is told nowhere.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(io::stderr().lock(), "doorbusterctl: {}", printable::lines(text));
}

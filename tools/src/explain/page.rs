//! A story as text for people and as one object for machines.
//!
//! Owns the words, above all those that say what the journal does not know. Next: `story`.

use super::story::{Entry, Story};
use crate::inspect::Trouble;
use crate::members::{self, word};
use crate::{instant, printable, show};
use serde_json::{Map, Value, json};
use std::io::{self, BufWriter, Write};

/// Prints a story as text for people, or as an object.
///
/// # Errors
/// Where standard output cannot be written.
pub(crate) fn print(story: &Story, as_json: bool) -> Result<(), Trouble> {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match as_json {
        true => writeln!(out, "{}", printable::json(&story.object())),
        false => story.text(&mut out),
    };
    show::written(printed.and_then(|()| out.flush()))
}

impl Story {
    /// Why there is nothing to tell.
    pub(super) fn silence(&self) -> String {
        let mut asked = format!("user {}", self.user);
        if let Some(sku) = &self.sku {
            asked.push_str(&format!(" and SKU {sku}"));
        }
        if self.key.is_some() {
            asked.push_str(" under that key");
        }
        let known = self.what_is_not_known().join(" ");
        format!("the journal up to sequence {} tells nothing of {asked}. {known}", self.sequence)
            .trim_end()
            .to_owned()
    }

    /// What happened and cannot be told, a sentence each.
    fn what_is_not_known(&self) -> Vec<String> {
        let refusals = &self.refusals;
        let mut told = Vec::new();
        if let Some(behind) = self.begins_behind.filter(|behind| *behind > 0) {
            told.push(format!(
                "What happened up to sequence {behind} is no longer in the journal."
            ));
        }
        if let Some((first, last)) = refusals.counted_between {
            let of_sku = self.sku.as_ref().map(|sku| format!(" of {sku}")).unwrap_or_default();
            told.push(format!(
                "{} refusals{of_sku}, of all users, were only counted (journal.refusals = counted; \
                 told by the events from sequence {first} to {last}): whether this user was among \
                 them, when and why, nobody can tell. What was sold, held and given back is told all \
                 the same. With journal.refusals = full each refusal is kept from then on.",
                refusals.only_counted
            ));
        }
        for (first, last, count) in &refusals.stretches {
            told.push(format!(
                "{count} refusals between sequence {first} and {last} were not kept: they came \
                 faster than they could be stored."
            ));
        }
        let told_of: u64 = refusals.stretches.iter().map(|(_, _, count)| count).sum();
        if refusals.not_kept > told_of {
            told.push(format!("{} more were not kept.", refusals.not_kept - told_of));
        }
        told
    }

    fn object(&self) -> Value {
        let entry = |entry: &Entry| {
            let mut members = vec![
                ("seq", entry.sequence.into()),
                ("at", members::instant(Some(entry.at))),
                ("what", entry.what.into()),
            ];
            members.extend(entry.members.clone());
            if !entry.shelves.is_empty() {
                members.push(("stock_then", entry.shelves.clone().into()));
            }
            members::object(members)
        };
        let shelf =
            |(sku, shelf): (&doorbuster::domain::model::ids::SkuId, &super::shelf::Shelf)| {
                json!({
                    "sku": sku.as_str(), "units_back": shelf.units_back,
                    "units_gone": shelf.units_gone, "moves": shelf.moves,
                    "moves_left_out": shelf.moves_left_out,
                })
            };
        let stretch = |(first, last, count): &(u64, u64, u64)| json!({ "from_seq": first, "to_seq": last, "count": count });
        let refusals = &self.refusals;
        json!({
            "user": self.user.as_str(),
            "sku": self.sku.as_ref().map(|sku| sku.as_str()),
            "key": self.key,
            "seq": self.sequence,
            "stamp": members::instant(Some(self.stamp)),
            "begins_behind_seq": self.begins_behind,
            "story": self.entries.iter().map(entry).collect::<Vec<_>>(),
            "left_out": self.entries_left_out,
            "afterwards": self.shelves.iter().map(shelf).collect::<Vec<_>>(),
            "orders_now": self.orders_now,
            "refusals_kept": refusals.kept,
            "refusals_not_kept": refusals.not_kept,
            "not_kept_between": refusals.stretches.iter().map(stretch).collect::<Vec<_>>(),
            "refusals_only_counted": refusals.only_counted,
            "not_known": self.what_is_not_known(),
        })
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let (sequence, stamp) = (self.sequence, instant::text(self.stamp));
        writeln!(
            out,
            "user {} as the journal tells it up to sequence {sequence}, {stamp}",
            self.user
        )?;
        for sentence in self.what_is_not_known() {
            writeln!(out, "note: {sentence}")?;
        }
        writeln!(out)?;
        for entry in &self.entries {
            self.entry(out, entry)?;
        }
        if self.entries_left_out > 0 {
            writeln!(out, "{} more are left out", self.entries_left_out)?;
        }
        for (sku, shelf) in &self.shelves {
            writeln!(out)?;
            writeln!(
                out,
                "afterwards, of {sku}: {} came back, {} went to orders",
                units(shelf.units_back),
                units(shelf.units_gone),
            )?;
            for moved in &shelf.moves {
                writeln!(out, "  {}", sentence_of_move(moved))?;
            }
            if shelf.moves_left_out > 0 {
                writeln!(out, "  {} more are left out", shelf.moves_left_out)?;
            }
        }
        if !self.orders_now.is_empty() {
            writeln!(out)?;
            writeln!(out, "the user's orders now:")?;
        }
        for order in &self.orders_now {
            writeln!(out, "  {} {}", text(&order["id"]), text(&order["status"]))?;
        }
        Ok(())
    }

    fn entry(&self, out: &mut impl Write, entry: &Entry) -> io::Result<()> {
        write!(out, "{}  seq {}  {}", instant::text(entry.at), entry.sequence, entry.what)?;
        for (name, value) in &entry.members {
            match (*name, value) {
                ("code", code) => write!(out, ": {}", text(code))?,
                ("lines", _) if entry.what == "refused" => {}
                ("at_edge", Value::Bool(false)) => {}
                ("asked", Value::Object(asked)) => write!(out, ", asked {}", words(asked))?,
                (name, value) => write!(out, " {name}={}", word(value))?,
            }
        }
        writeln!(out)?;
        for shelf in &entry.shelves {
            stock_then(out, shelf)?;
        }
        Ok(())
    }
}

/// How a SKU stood, and who held it.
fn stock_then(out: &mut impl Write, shelf: &Value) -> io::Result<()> {
    writeln!(
        out,
        "    {} then: {} available, {} held, {} sold of {}",
        text(&shelf["sku"]),
        shelf["available"],
        shelf["held"],
        shelf["sold"],
        shelf["total"],
    )?;
    if !shelf["held_by_as_at_seq"].is_null() {
        return writeln!(out, "    held as listed above");
    }
    for holder in shelf["held_by"].as_array().into_iter().flatten() {
        writeln!(
            out,
            "    {} held by order {} of user {} until {}",
            units(holder["units"].as_u64().unwrap_or(0)),
            text(&holder["order"]),
            text(&holder["user"]),
            text(&holder["expires_at"]),
        )?;
    }
    match shelf["held_by_more_orders"].as_u64() {
        Some(more @ 1..) => writeln!(out, "    and by {more} more orders"),
        _ => Ok(()),
    }
}

fn sentence_of_move(moved: &Value) -> String {
    let units = units(moved["units"].as_u64().unwrap_or(0));
    let (at, sequence) = (text(&moved["at"]), &moved["seq"]);
    let own = if moved["own"] == true { ", the user's own" } else { "" };
    let order = match moved["order"].as_str() {
        Some(order) => format!("order {order} of user {}{own}", text(&moved["user"])),
        None => "the stock".to_owned(),
    };
    let by = text(&moved["by"]);
    match moved["what"].as_str() {
        Some("came_back") => format!("{at}  seq {sequence}  {units} came back from {order} ({by})"),
        _ => format!("{at}  seq {sequence}  {units} went to {order} ({by})"),
    }
}

fn units(count: u64) -> String {
    if count == 1 { "1 unit".to_owned() } else { format!("{count} units") }
}

/// `order lines=… hold_ms=…`; the user is known.
fn words(members: &Map<String, Value>) -> String {
    let op = members.get("op").map(word);
    let others = members.iter().filter(|(name, _)| !matches!(name.as_str(), "op" | "user"));
    let others = others.map(|(name, value)| format!("{name}={}", word(value)));
    op.into_iter().chain(others).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

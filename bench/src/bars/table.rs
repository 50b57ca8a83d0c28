//! The design's table: what is asked, what was found, and whether it holds.
//!
//! Owns the bars and how they are shown. Never measures. Next: `bars`.

use super::part::Part;
use std::fmt;

/// What a number must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    Below(f64),
    AtMost(f64),
    AtLeast(f64),
}

/// What is asked in one row.
#[derive(Debug)]
pub(super) struct Bar {
    what: &'static str,
    limit: Limit,
    /// What is aimed at beyond the limit.
    stretch: Option<f64>,
    unit: &'static str,
}

/// What was found, under each condition; all must hold.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Numbers(Vec<(String, f64)>),
    NotMeasured(String),
}

pub(super) struct Row {
    pub(super) bar: &'static Bar,
    pub(super) found: Found,
}

const fn bar(what: &'static str, limit: Limit, stretch: Option<f64>, unit: &'static str) -> Bar {
    Bar { what, limit, stretch, unit }
}

use Limit::{AtLeast, AtMost, Below};

const ENGINE: [Bar; 3] = [
    bar(
        "decide, apply, encode, append, one core, 1 M live orders",
        AtLeast(2.0),
        Some(4.0),
        " M/s",
    ),
    bar("replay", AtLeast(3.0), Some(6.0), " M/s"),
    bar("memory of 1 M live orders", AtMost(300.0), Some(150.0), " MB"),
];
const ORDERS: [Bar; 2] = [
    bar("server CPU of a durable order, against bare hyper", AtMost(2.0), Some(1.6), "x"),
    bar("durable orders/s, against Redis with appendfsync always", AtLeast(1.5), Some(2.5), "x"),
];
const REFUSALS: [Bar; 1] =
    [bar("refusals/s of a sold-out SKU, against bare hyper", AtLeast(0.8), Some(0.9), "x")];
const BATCHES: [Bar; 1] = [bar(
    "durable decisions/s over HTTP in batches of 1,000 lines",
    AtLeast(400.0),
    Some(1_000.0),
    " k/s",
)];
const IMAGES: [Bar; 1] =
    [bar("p99.9 while images are taken, against without", AtMost(1.5), Some(1.1), "x")];
const IDLE: [Bar; 1] = [bar("CPU of an idle server, of a core", Below(0.5), None, " %")];

impl Part {
    /// The bars that it measures, in the order of what it finds.
    pub(super) const fn bars(self) -> &'static [Bar] {
        match self {
            Self::Engine => &ENGINE,
            Self::Orders => &ORDERS,
            Self::Refusals => &REFUSALS,
            Self::Batches => &BATCHES,
            Self::Images => &IMAGES,
            Self::Idle => &IDLE,
        }
    }
}

impl Row {
    /// None where nothing was measured.
    pub(super) fn holds(&self) -> Option<bool> {
        let Found::Numbers(numbers) = &self.found else { return None };
        let within = |value: f64| match self.bar.limit {
            Below(limit) => value < limit,
            AtMost(most) => value <= most,
            AtLeast(least) => value >= least,
        };
        (!numbers.is_empty()).then(|| numbers.iter().all(|(_, value)| within(*value)))
    }

    fn verdict(&self) -> &'static str {
        match self.holds() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        }
    }

    fn measured(&self) -> String {
        match &self.found {
            Found::NotMeasured(why) => format!("not measured: {why}"),
            Found::Numbers(numbers) => {
                let shown = numbers.iter().map(|(condition, value)| {
                    let digits = if value.abs() < 10.0 { 2 } else { 0 };
                    format!("{value:.digits$}{}{condition}", self.bar.unit)
                });
                shown.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, limit) = match self.limit {
            Below(limit) => ("<", limit),
            AtMost(limit) => ("<=", limit),
            AtLeast(limit) => (">=", limit),
        };
        f.pad(&format!("{sign} {limit}{}", self.unit))
    }
}

pub(super) fn print(rows: &[Row]) {
    println!("{:<58} {:>10} {:>8} {:>6}  measured", "what", "bar", "stretch", "holds");
    for row in rows {
        let Row { bar, .. } = row;
        let stretch = bar.stretch.map_or_else(String::new, |stretch| stretch.to_string());
        let (verdict, measured) = (row.verdict(), row.measured());
        println!("{:<58} {bar:>10} {stretch:>8} {verdict:>6}  {measured}", bar.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_MOST: Bar = bar("", AtMost(2.0), None, "x");
    const AT_LEAST: Bar = bar("", AtLeast(1.5), None, "x");
    const BELOW: Bar = bar("", Below(0.5), None, "x");

    fn holds(bar: &'static Bar, values: &[f64]) -> Option<bool> {
        let numbers = values.iter().map(|value| (" at 16".to_owned(), *value)).collect();
        Row { bar, found: Found::Numbers(numbers) }.holds()
    }

    #[test]
    fn a_bar_holds_only_if_it_holds_under_every_condition() {
        assert_eq!(holds(&AT_MOST, &[1.9, 2.0]), Some(true));
        assert_eq!(holds(&AT_MOST, &[1.9, 2.01]), Some(false));
        assert_eq!(holds(&AT_LEAST, &[1.5, 1.6]), Some(true));
        assert_eq!(holds(&BELOW, &[0.5]), Some(false));
        assert_eq!(holds(&AT_LEAST, &[1.49, 1.6]), Some(false));
    }

    #[test]
    fn what_was_not_measured_or_is_no_number_does_not_hold() {
        assert_eq!(holds(&AT_MOST, &[]), None);
        assert_eq!(holds(&AT_MOST, &[f64::NAN]), Some(false));
        let missing = Found::NotMeasured("redis is not here".to_owned());
        assert_eq!(Row { bar: &AT_MOST, found: missing }.holds(), None);
    }
}

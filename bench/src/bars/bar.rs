//! A bar of any measurement: what was found, and whether that is enough.
//!
//! Owns how bars are printed and what a missed one does. Never measures.

use crate::error::BenchError;

/// Whether a bar holds, and what was found.
pub(crate) type Bar = (bool, String);

/// Prints the bars. With `strict`, a bar that does not hold is an error.
pub(crate) fn print_bars(bars: &[Bar], strict: bool) -> Result<(), BenchError> {
    for (holds, what) in bars {
        println!("{} {what}", if *holds { "  " } else { "NO" });
    }
    let missed = bars.iter().filter(|(holds, _)| !holds).count();
    if strict && missed > 0 { Err(BenchError::BarsMissed { missed }) } else { Ok(()) }
}

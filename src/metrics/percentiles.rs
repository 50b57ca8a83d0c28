//! Percentiles as text that HdrHistogram's plotter reads (`.hgrm`).
//!
//! Owns that format: a line for each step towards 100 %, steps halving as they go, then a summary.

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Steps between two halvings of what is left to 100 %.
const STEPS_PER_HALF: u32 = 5;

/// The distribution, its values divided by `unit`.
#[must_use]
pub fn percentiles(values: &Histogram<u64>, unit: f64) -> String {
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let mut below = 0;
    for step in values.iter_quantiles(STEPS_PER_HALF) {
        below += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64 / unit, step.quantile());
        let quantile = quantile.min(1.0);
        // Text in memory takes every write.
        let _ = write!(text, "{value:12.3} {quantile:1.12} {below:10}");
        let _ = match quantile < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text),
        };
    }
    let _ = writeln!(
        text,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]",
        values.mean() / unit,
        values.stdev() / unit
    );
    let _ = writeln!(
        text,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        values.max() as f64 / unit,
        values.len()
    );
    let _ = writeln!(
        text,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        values.buckets(),
        values.distinct_values() / usize::from(values.buckets()).max(1)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_climbs_to_all_values_and_sums_up() {
        let mut values = Histogram::<u64>::new(3).expect("three digits");
        (1..=1000).for_each(|value| values.record(value * 1000).expect("it fits"));
        let text = percentiles(&values, 1000.0);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .filter(|line| line.starts_with("  ") && !line.contains("Value"))
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(rows.len() > 20 && rows.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
        let half = rows.iter().find(|row| row[1] >= 0.5).expect("a median");
        assert!((499.0..=502.0).contains(&half[0]) && (half[3] - 2.0).abs() < 0.1, "{half:?}");
        let last = rows.last().expect("rows");
        assert_eq!((last[1], last[2], last.len()), (1.0, 1000.0, 3));
        assert!(text.contains("Total count    =         1000]"), "{text}");
    }
}

//! When requests are meant to start: known before the run, whatever the server does.
//!
//! Owns shapes of load over time as pieces of linear rate. Never looks at a clock. Next: `drive`.

use super::noise::Noise;
use serde::{Deserialize, Serialize};
use std::f64;

/// How the load changes over the run. `--rate` is its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// The rate throughout, equally spaced
    Steady,
    /// From nothing to the rate, linearly
    Ramp,
    /// A tenth of the rate; from the opening the whole for a fifth of the run; then back down
    Spike,
    /// The rate on average, at random times
    Poisson,
}

/// Share of the peak before and long after a spike.
const QUIET: f64 = 0.1;

/// A stretch of time in which the rate changes linearly.
#[derive(Debug, Clone, Copy)]
struct Piece {
    seconds: f64,
    from: f64,
    to: f64,
}

impl Piece {
    fn requests(&self) -> f64 {
        self.seconds * (self.from + self.to) / 2.0
    }

    /// When so many requests of this piece have started.
    fn at(&self, requests: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * slope * requests).max(0.0).sqrt();
        // The root of the quadratic that stays exact where the slope is nothing.
        if self.from + root > 0.0 { 2.0 * requests / (self.from + root) } else { 0.0 }
    }
}

/// Intended starts in nanoseconds since the beginning, in order.
#[derive(Debug)]
pub(crate) struct Schedule {
    pieces: std::vec::IntoIter<Piece>,
    piece: Piece,
    begun_s: f64,
    /// Requests of this piece so far.
    requests: f64,
    random: Option<Noise>,
}

impl Schedule {
    pub(crate) fn new(shape: Shape, rate: f64, seconds: f64, opening_s: f64, seed: u64) -> Self {
        let mut pieces = pieces(shape, rate, seconds, opening_s).into_iter();
        let piece = pieces.next().expect("every shape has a piece");
        let mut random = (shape == Shape::Poisson).then(|| Noise::of(seed, u64::MAX));
        let requests = random.as_mut().map_or(0.0, Noise::exponential);
        Self { pieces, piece, begun_s: 0.0, requests, random }
    }

    /// How many requests a shape comes to, about.
    pub(crate) fn expected(shape: Shape, rate: f64, seconds: f64, opening_s: f64) -> f64 {
        pieces(shape, rate, seconds, opening_s).iter().map(Piece::requests).sum()
    }
}

fn pieces(shape: Shape, rate: f64, seconds: f64, opening_s: f64) -> Vec<Piece> {
    let piece = |seconds, from, to| Piece { seconds, from: rate * from, to: rate * to };
    let mut pieces = match shape {
        Shape::Steady | Shape::Poisson => vec![piece(seconds, 1.0, 1.0)],
        Shape::Ramp => vec![piece(seconds, 0.0, 1.0)],
        Shape::Spike => {
            let before = opening_s.min(seconds);
            let high = (seconds / 5.0).min(seconds - before);
            let down = high.min(seconds - before - high);
            vec![
                piece(before, QUIET, QUIET),
                piece(high, 1.0, 1.0),
                piece(down, 1.0, QUIET),
                piece(seconds - before - high - down, QUIET, QUIET),
            ]
        }
    };
    pieces.retain(|piece| piece.seconds > 0.0);
    pieces
}

impl Iterator for Schedule {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while self.requests >= self.piece.requests() {
            self.requests -= self.piece.requests();
            self.begun_s += self.piece.seconds;
            self.piece = self.pieces.next()?;
        }
        let at_s = self.begun_s + self.piece.at(self.requests);
        self.requests += self.random.as_mut().map_or(1.0, Noise::exponential);
        Some((at_s * 1e9) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(shape: Shape) -> Vec<u64> {
        Schedule::new(shape, 1000.0, 10.0, 2.0, 7).collect()
    }

    fn between(times: &[u64], from_s: f64, to_s: f64) -> usize {
        let range = (from_s * 1e9) as u64..(to_s * 1e9) as u64;
        times.iter().filter(|time| range.contains(time)).count()
    }

    /// Every schedule ascends ends in time and comes to what is expected.
    #[test]
    fn every_schedule_ascends_and_ends_in_time() {
        for shape in [Shape::Steady, Shape::Ramp, Shape::Spike, Shape::Poisson] {
            let times = times(shape);
            assert!(times.is_sorted() && times.last() < Some(&10_000_000_000), "{shape:?}");
            let expected = Schedule::expected(shape, 1000.0, 10.0, 2.0);
            let off = (times.len() as f64 - expected).abs() / expected;
            assert!(off < 0.05, "{shape:?}: {} of {expected}", times.len());
        }
    }

    #[test]
    fn steady_starts_are_equally_spaced() {
        let times = times(Shape::Steady);
        let gaps = times.windows(2).map(|two| two[1] - two[0]);
        assert!(gaps.clone().all(|gap| (999_990..=1_000_010).contains(&gap)));
        assert_eq!((times[0], times.len()), (0, 10_000));
    }

    #[test]
    fn a_ramp_ends_at_its_rate() {
        let times = times(Shape::Ramp);
        assert!((45..=55).contains(&between(&times, 0.0, 1.0)));
        assert!((940..=960).contains(&between(&times, 9.0, 10.0)));
    }

    #[test]
    fn a_spike_begins_at_the_opening() {
        let times = times(Shape::Spike);
        assert!((99..=101).contains(&between(&times, 1.0, 2.0)));
        assert!((999..=1001).contains(&between(&times, 2.0, 3.0)));
        assert!((99..=101).contains(&between(&times, 7.0, 8.0)));
    }

    #[test]
    fn random_starts_are_those_of_the_seed() {
        assert_eq!(times(Shape::Poisson), times(Shape::Poisson));
        let other: Vec<u64> = Schedule::new(Shape::Poisson, 1000.0, 10.0, 2.0, 8).collect();
        assert_ne!(times(Shape::Poisson), other);
        // Half of exponential gaps are below ln 2 of their mean.
        let times = times(Shape::Poisson);
        let short = times.windows(2).filter(|two| two[1] - two[0] < 693_147).count();
        assert!((4700..5300).contains(&short), "{short}");
    }
}

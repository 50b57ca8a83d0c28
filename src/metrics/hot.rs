//! The SKUs that are asked for most, in a bounded table.
//!
//! Owns the "space saving" sketch: a name that is not in a full table takes the place of the least
//! one and its count, so a count is never too low, and at most by the least count too high. Counts
//! halve now and then, so that they tell of the last minutes. Names are of SKUs that exist: who
//! counts sees to that. Next: `shown`, `meters`.

/// Names one thread counts.
const NAMES_MAX: usize = 32;

/// Counts by name, the highest mostly first.
#[derive(Debug, Clone, Default)]
pub struct Hot {
    counts: Vec<(String, u64)>,
}

impl Hot {
    pub fn count(&mut self, name: &str) {
        match self.counts.iter().position(|(known, _)| known == name) {
            Some(at) => {
                self.counts[at].1 += 1;
                // What is counted often is found early.
                if at > 0 && self.counts[at - 1].1 < self.counts[at].1 {
                    self.counts.swap(at - 1, at);
                }
            }
            None if self.counts.len() < NAMES_MAX => self.counts.push((name.to_owned(), 1)),
            None => {
                let least = self.counts.iter_mut().min_by_key(|(_, count)| *count);
                let (known, count) = least.expect("the table is full");
                name.clone_into(known);
                *count += 1;
            }
        }
    }

    /// Halves all counts; names whose count is 0 go.
    pub fn halve(&mut self) {
        self.counts.retain_mut(|(_, count)| {
            *count /= 2;
            *count > 0
        });
    }

    /// Becomes as another table, in the memory that it has: that happens ten times a second.
    pub(super) fn follow(&mut self, other: &Self) {
        self.counts.truncate(other.counts.len());
        let (known, more) = other.counts.split_at(self.counts.len());
        for ((name, count), (its_name, its_count)) in self.counts.iter_mut().zip(known) {
            its_name.clone_into(name);
            *count = *its_count;
        }
        self.counts.extend_from_slice(more);
    }

    /// Adds another thread's counts.
    pub(super) fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            match self.counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += count,
                None => self.counts.push((name.clone(), *count)),
            }
        }
    }

    /// All counts, the highest first.
    pub(super) fn ranked(mut self) -> Vec<(String, u64)> {
        self.counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hot_names_are_found_among_ten_thousand_in_a_bounded_table() {
        let mut hot = Hot::default();
        for round in 0..10_000 {
            hot.count("phone");
            hot.count(&format!("cold-{round}"));
            if round % 2 == 0 {
                hot.count("ticket");
            }
        }
        assert_eq!(hot.counts.len(), NAMES_MAX);
        let top = hot.ranked();
        assert_eq!((top[0].0.as_str(), top[1].0.as_str()), ("phone", "ticket"));
        assert!((10_000..=10_700).contains(&top[0].1), "{top:?}");
    }

    #[test]
    fn a_table_that_follows_another_is_as_that_one() {
        let (mut one, mut other) = (Hot::default(), Hot::default());
        for names in [&["A", "B", "A"][..], &["B", "C", "D"], &["long-name", "A"], &[]] {
            names.iter().for_each(|name| one.count(name));
            other.follow(&one);
            assert_eq!(other.counts, one.counts);
            one.halve();
            other.follow(&one);
            assert_eq!(other.counts, one.counts);
        }
    }

    #[test]
    fn counts_fade_and_names_with_them() {
        let mut hot = Hot::default();
        (0..5).for_each(|_| hot.count("A"));
        hot.count("B");
        hot.halve();
        let mut both = Hot::default();
        both.count("A");
        both.add(&hot);
        assert_eq!(both.ranked(), [("A".to_owned(), 3)]);
    }
}

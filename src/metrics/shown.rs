//! Which SKUs are named as hot, so that names come and go slowly.
//!
//! Owns the few places and how often one may get another name. Each name is a new series to a
//! scraper that keeps it for weeks, so a shop of a hundred thousand SKUs that are all asked for
//! alike must not bring new ones with each scrape. Never counts. Next: `hot`.

/// SKUs that are named.
pub(super) const SHOWN_MAX: usize = 10;

/// A name may come every so many milliseconds; when none came for long, so many as there are
/// places.
const NEW_NAME_MS: u64 = 60_000;

/// The names, and how many may come.
#[derive(Debug, Default)]
pub(super) struct Shown {
    names: Vec<String>,
    /// Names may come that were earned up to then, on the clock of the caller.
    spent_ms: u64,
}

impl Shown {
    /// The names that are shown from now on with their counts, the highest first. The counts are
    /// those of now, the highest first; a name without one goes.
    pub(super) fn renew(&mut self, counts: &[(String, u64)], now_ms: u64) -> Vec<(String, u64)> {
        let count_of = |name: &str| {
            let known = counts.iter().find(|(known, _)| known == name);
            known.map_or(0, |(_, count)| *count)
        };
        self.names.retain(|name| count_of(name) > 0);
        // At the start as many may come as there are places.
        let saved_ms = SHOWN_MAX as u64 * NEW_NAME_MS;
        let now_ms = now_ms + saved_ms;
        self.spent_ms = self.spent_ms.max(now_ms - saved_ms);
        for (name, count) in counts.iter().take(SHOWN_MAX) {
            if self.names.contains(name) {
                continue;
            }
            if now_ms - self.spent_ms < NEW_NAME_MS {
                break;
            }
            if self.names.len() == SHOWN_MAX {
                // What is hardly hotter may stay away.
                let least = self.names.iter().enumerate().map(|(at, name)| (count_of(name), at));
                let Some((_, at)) = least.min().filter(|(least, _)| least * 2 <= *count) else {
                    break;
                };
                self.names.swap_remove(at);
            }
            self.names.push(name.clone());
            self.spent_ms += NEW_NAME_MS;
        }
        let shown = counts.iter().filter(|(name, _)| self.names.contains(name));
        shown.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn counted(names: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
        let mut counts: Vec<_> = names.collect();
        counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        counts
    }

    fn names(shown: Vec<(String, u64)>) -> Vec<String> {
        shown.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_sale_that_starts_is_named_at_once_and_counted_as_now() {
        let mut shown = Shown::default();
        let cold = (0..32).map(|cold| (format!("cold-{cold:02}"), 3));
        assert_eq!(shown.renew(&counted(cold.clone()), 1_000).len(), SHOWN_MAX);
        let hot = ("phone".to_owned(), 6);
        // No more names may come; then one may.
        let counts = counted(cold.chain([hot.clone()]));
        assert!(!shown.renew(&counts, 1_000).contains(&hot));
        let later = shown.renew(&counts, 1_000 + NEW_NAME_MS);
        assert_eq!((later.len(), &later[0]), (SHOWN_MAX, &hot));
        let counts = counted([("phone".to_owned(), 2)].into_iter());
        assert_eq!(shown.renew(&counts, 61_001), [("phone".to_owned(), 2)]);
        assert!(shown.renew(&[], 61_002).is_empty());
    }

    #[test]
    fn a_name_that_is_hardly_hotter_replaces_none() {
        let mut shown = Shown::default();
        let first = counted((0..10).map(|number| (format!("first-{number}"), 10)));
        let before = names(shown.renew(&first, 0));
        let hour_ms = 3_600_000;
        let rival = |count| counted(first.iter().cloned().chain([("rival".to_owned(), count)]));
        assert_eq!(names(shown.renew(&rival(19), hour_ms)), before);
        assert_eq!(names(shown.renew(&rival(20), hour_ms))[0], "rival");
    }

    #[test]
    fn names_come_slowly_however_many_are_asked_for() {
        let mut shown = Shown::default();
        let mut all = BTreeSet::new();
        // An hour, scraped each second; each time thirty other names, each hotter than all before.
        for second in 0..3_600_u64 {
            let fresh = (0..30).map(|n| (format!("s{second}-{n}"), 2_u64.pow(second as u32 % 40)));
            let now = names(shown.renew(&counted(fresh), second * 1_000));
            assert!(now.len() <= SHOWN_MAX);
            all.extend(now);
        }
        assert!((60..=70).contains(&all.len()), "{} names in an hour", all.len());
    }
}

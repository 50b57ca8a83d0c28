//! Instants: RFC 3339 as the feed has them, milliseconds since 1970 as databases take them.
//!
//! Owns both directions. Never reads a clock. Next: `tables/rows`.

use jiff::{Timestamp, tz::TimeZone};

/// Milliseconds since 1970; none for what is no instant.
pub(crate) fn parse(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// As the feed writes them.
pub(crate) fn text(ms: i64) -> String {
    written(ms, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

/// As MySQL reads them.
pub(crate) fn sql_text(ms: i64) -> String {
    written(ms, "%Y-%m-%d %H:%M:%S.%3f")
}

fn written(ms: i64, form: &str) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_out_as_it_went_in() {
        for instant in ["2027-01-15T08:00:00.123Z", "1970-01-01T00:00:00.000Z"] {
            assert_eq!(text(parse(instant).expect("an instant")), instant);
        }
        assert_eq!(sql_text(1_800_000_000_123), "2027-01-15 08:00:00.123");
        assert_eq!(parse("yesterday"), None);
    }
}

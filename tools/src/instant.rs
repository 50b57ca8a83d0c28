//! Instants as people write them, and the end of a replay as a person names it.

use doorbuster::domain::model::ids::Stamp;
use doorbuster::engine::replay::Until;

/// RFC 3339 in UTC with milliseconds; a number for what no calendar holds.
pub(crate) fn text(stamp: Stamp) -> String {
    let instant = i64::try_from(stamp).ok().map(jiff::Timestamp::from_millisecond);
    match instant {
        Some(Ok(instant)) => format!("{instant:.3}"),
        _ => format!("{stamp} ms"),
    }
}

/// A sequence, or an instant in RFC 3339.
pub(crate) fn until(text: &str) -> Result<Until, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Until::Sequence).map_err(|_| "no sequence is as high".to_owned());
    }
    stamp(text).map(Until::Stamp).map_err(|told| format!("no sequence, and {told}"))
}

/// An instant in RFC 3339, cut to milliseconds.
pub(crate) fn stamp(text: &str) -> Result<Stamp, String> {
    let instant: jiff::Timestamp = text.parse().map_err(|_| {
        "not an instant of RFC 3339 with its offset, such as 2027-01-31T00:00:00Z".to_owned()
    })?;
    u64::try_from(instant.as_millisecond()).map_err(|_| "it is before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_sequence_or_an_instant() {
        assert_eq!(until("17"), Ok(Until::Sequence(17)));
        assert_eq!(until("1970-01-01T00:00:01.5Z"), Ok(Until::Stamp(1_500)));
        assert_eq!(until("1970-01-01T01:00:00+01:00"), Ok(Until::Stamp(0)));
        for bad in ["", "x", "-1", "99999999999999999999", "1969-12-31T23:59:59Z", "2027-01-02"] {
            assert!(until(bad).is_err(), "{bad}");
        }
        assert_eq!(text(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(text(u64::MAX), format!("{} ms", u64::MAX));
    }
}

//! Instants as text: any RFC 3339 offset in, UTC with `Z` and three digits out.
//!
//! Owns both directions. Never reads a clock. Next: `wire`, `fields`.

use crate::domain::ids::Stamp;

/// Bytes of a formatted instant.
pub(super) const INSTANT_BYTES: usize = 24;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Why a text is not an instant of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadInstant {
    /// It is not RFC 3339.
    Form,
    /// It lies before 1970.
    TooEarly,
}

/// Reads RFC 3339, cut to milliseconds.
pub(super) fn parse(text: &str) -> Result<Stamp, BadInstant> {
    let (date_time, rest) = text.split_at_checked(19).ok_or(BadInstant::Form)?;
    if !is_date_time(date_time.as_bytes()) {
        return Err(BadInstant::Form);
    }
    let digits = fraction_digits(rest).ok_or(BadInstant::Form)?;
    let (fraction, offset) = rest.split_at_checked(digits).ok_or(BadInstant::Form)?;
    if !is_offset(offset.as_bytes()) {
        return Err(BadInstant::Form);
    }
    // jiff takes nine digits, RFC 3339 any number; only three of them count.
    let fraction = fraction.get(..10).unwrap_or(fraction);
    let stamp: jiff::Timestamp =
        format!("{date_time}{fraction}{offset}").parse().map_err(|_| BadInstant::Form)?;
    // Cut, not rounded: before 1970 that is away from zero, and refused all the same.
    u64::try_from(stamp.as_nanosecond().div_euclid(1_000_000)).map_err(|_| BadInstant::TooEarly)
}

/// jiff reads more than RFC 3339 (week dates, zone names): this is the stricter gate.
fn is_date_time(bytes: &[u8]) -> bool {
    bytes.iter().zip(b"0000-00-00T00:00:00").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == form,
    })
}

/// Bytes of `.123`; 0 without a fraction, none if the point has no digits.
fn fraction_digits(rest: &str) -> Option<usize> {
    let Some(digits) = rest.strip_prefix('.') else { return Some(0) };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0).then_some(count + 1)
}

fn is_offset(bytes: &[u8]) -> bool {
    match bytes {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', hour_tens, hour, b':', minute_tens, minute] => {
            [hour_tens, hour, minute_tens, minute].iter().all(|byte| byte.is_ascii_digit())
                && (*hour_tens < b'2' || (*hour_tens == b'2' && *hour <= b'3'))
                && *minute_tens <= b'5'
        }
        _ => false,
    }
}

/// Writes `2027-01-02T03:04:05.678Z`. Stamps stay within the year 9999.
pub(super) fn format(stamp: Stamp) -> [u8; INSTANT_BYTES] {
    let (year, month, day) = civil(stamp / DAY_MS);
    let in_day = stamp % DAY_MS;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let (date, time) = text.split_at_mut(10);
    let (years, month_day) = date.split_at_mut(4);
    digits(years, year);
    digits(&mut month_day[1..3], month);
    digits(&mut month_day[4..6], day);
    digits(&mut time[1..3], in_day / 3_600_000);
    digits(&mut time[4..6], in_day / 60_000 % 60);
    digits(&mut time[7..9], in_day / 1000 % 60);
    digits(&mut time[10..13], in_day % 1000);
    text
}

fn digits(place: &mut [u8], mut value: u64) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Days since 1970-01-01 to year, month, day. Howard Hinnant, "chrono-compatible low-level date
/// algorithms": years begin in March, so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, BadInstant>) {
        let shown = parse(text).map(|stamp| String::from_utf8(format(stamp).to_vec()).unwrap());
        assert_eq!(shown.as_deref().map_err(|bad| *bad), expected, "{text}");
    }

    #[test]
    fn any_offset_comes_out_in_utc_cut_to_milliseconds() {
        check("2027-01-02T03:04:05Z", Ok("2027-01-02T03:04:05.000Z"));
        check("2027-01-02t03:04:05.6z", Ok("2027-01-02T03:04:05.600Z"));
        check("2027-01-02T03:04:05.678999Z", Ok("2027-01-02T03:04:05.678Z"));
        check("2027-01-02T03:04:05.67899999999999Z", Ok("2027-01-02T03:04:05.678Z"));
        check("2027-01-01T00:30:00+01:00", Ok("2026-12-31T23:30:00.000Z"));
        check("2027-01-01T00:30:00-23:59", Ok("2027-01-02T00:29:00.000Z"));
        check("2028-02-29T00:00:00-00:00", Ok("2028-02-29T00:00:00.000Z"));
        check("1970-01-01T00:00:00Z", Ok("1970-01-01T00:00:00.000Z"));
    }

    #[test]
    fn instants_before_1970_are_told_from_bad_ones() {
        check("1969-12-31T23:59:59.999Z", Err(BadInstant::TooEarly));
        check("1970-01-01T00:00:00+00:01", Err(BadInstant::TooEarly));
    }

    #[test]
    fn only_rfc_3339_is_read() {
        for text in [
            "",
            "2027-01-02",
            "2027-01-02T03:04Z",
            "2027-01-02T03:04:05",
            "2027-01-02T03:04:05.Z",
            "2027-01-02T03:04:05,6Z",
            "2027-01-02T03:04:05+0100",
            "2027-01-02T03:04:05+01",
            "2027-01-02T03:04:05+24:00",
            "2027-01-02T03:04:05+01:60",
            "2027-13-02T03:04:05Z",
            "2027-02-29T03:04:05Z",
            "2027-01-02T25:04:05Z",
            "20270102T030405Z",
            "2027-W01-1T03:04:05Z",
            "2027-01-02T03:04:05Z[UTC]",
            "+002027-01-02T03:04:05Z",
            "2027-01-02T03:04:0ä",
            "1800000000000",
        ] {
            check(text, Err(BadInstant::Form));
        }
    }

    #[test]
    fn the_format_is_the_one_of_jiff() {
        for step in 0..5_000_u64 {
            let stamp = step * 50_803_200_123 % 253_402_300_799_999;
            let by_jiff = jiff::Timestamp::from_millisecond(stamp as i64).unwrap();
            let expected = format!("{by_jiff:.3}");
            assert_eq!(str::from_utf8(&format(stamp)).unwrap(), expected);
        }
    }
}

//! Instants as text: any RFC 3339 offset in, UTC with `Z` and three digits out.
//!
//! Owns both directions, and the calendar: all that RFC 3339 can say from 1970 to the last
//! millisecond of 9999 in UTC is an instant of ours. A leap second counts as the last millisecond
//! of the second before it. Never reads a clock. Next: `http/response/json_writer`, `log`.

use crate::domain::model::ids::Stamp;

/// Bytes of a formatted instant.
pub(crate) const INSTANT_BYTES: usize = 24;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The two digits of each number below 100.
const PAIRS: &[[u8; 2]; 100] = &pairs();
/// 9999-12-31T23:59:59.999Z.
const LAST: Stamp = 253_402_300_799_999;

/// Why a text is not an instant of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadInstant {
    /// The text is not RFC 3339.
    Form,
    /// The instant lies before 1970.
    TooEarly,
    /// In UTC it lies after the year 9999.
    TooLate,
}

/// Reads RFC 3339, cut to milliseconds.
pub(crate) fn parse(text: &str) -> Result<Stamp, BadInstant> {
    let (date_time, rest) = text.split_at_checked(19).ok_or(BadInstant::Form)?;
    let digits = fraction_digits(rest).ok_or(BadInstant::Form)?;
    let (fraction, offset) = rest.split_at_checked(digits).ok_or(BadInstant::Form)?;
    let (day, minute, second) = day_minute_second(date_time.as_bytes()).ok_or(BadInstant::Form)?;
    let offset = offset_minutes(offset.as_bytes()).ok_or(BadInstant::Form)?;
    let minute_ms = (day * 24 * 60 + minute - offset) * MINUTE_MS;
    let in_minute_ms = match second {
        60 if is_end_of_month(minute_ms) => 59_999,
        60 => return Err(BadInstant::Form),
        second => second * 1000 + fraction_ms(fraction),
    };
    match u64::try_from(minute_ms + in_minute_ms) {
        Err(_) => Err(BadInstant::TooEarly),
        Ok(stamp) if stamp > LAST => Err(BadInstant::TooLate),
        Ok(stamp) => Ok(stamp),
    }
}

/// Days since 1970-01-01, minutes of the day, seconds of the minute up to 60.
fn day_minute_second(text: &[u8]) -> Option<(i64, i64, i64)> {
    let form = text.iter().zip(b"0000-00-00T00:00:00").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == form,
    });
    if !form {
        return None;
    }
    let [year, month, day, hour, minute, second] =
        [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].map(|place| number(text.get(place)));
    let dated = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    let timed = hour <= 23 && minute <= 59 && second <= 60;
    (dated && timed).then(|| (days_from_civil(year, month, day), hour * 60 + minute, second))
}

fn number(digits: Option<&[u8]>) -> i64 {
    digits.unwrap_or_default().iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The inverse of `civil`, for any year from 0. Howard Hinnant, as below.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// Whether this is the last minute of a month in UTC: the only one that may have 61 seconds
/// (RFC 3339, 5.7). None before 1970 had.
fn is_end_of_month(minute_ms: i64) -> bool {
    u64::try_from(minute_ms + MINUTE_MS).is_ok_and(|next_ms| {
        let (_, _, day) = civil(next_ms / DAY_MS);
        day == 1 && next_ms.is_multiple_of(DAY_MS)
    })
}

/// The first three digits of `.123456`.
fn fraction_ms(fraction: &str) -> i64 {
    let digits = fraction.bytes().skip(1).chain([b'0'; 3]).take(3);
    digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

/// Bytes of `.123`; 0 without a fraction, none if the point has no digits.
fn fraction_digits(rest: &str) -> Option<usize> {
    let Some(digits) = rest.strip_prefix('.') else { return Some(0) };
    // RFC 3339 allows any number of them.
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0).then_some(count + 1)
}

/// Minutes that the local time is ahead of UTC.
fn offset_minutes(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let [hours @ .., b':', _, _] = rest else { return None };
    let minutes = rest.get(3..)?;
    let plain = hours.len() == 2 && hours.iter().chain(minutes).all(u8::is_ascii_digit);
    let (hours, minutes) = plain.then(|| (number(Some(hours)), number(Some(minutes))))?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// Writes `2027-01-02T03:04:05.678Z`. Stamps stay within the year 9999; one of a damaged file that
/// does not is written as its last millisecond.
pub(crate) fn format(stamp: Stamp) -> [u8; INSTANT_BYTES] {
    let stamp = stamp.min(LAST);
    let (year, month, day) = civil(stamp / DAY_MS);
    let in_day = stamp % DAY_MS;
    let (minutes, in_minute) = (in_day / 60_000, in_day % 60_000);
    let (second, fraction) = (in_minute / 1000, in_minute % 1000);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (place, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, minutes / 60),
        (14, minutes % 60),
        (17, second),
        (20, fraction / 10),
    ] {
        text[place..place + 2].copy_from_slice(&PAIRS[number as usize]);
    }
    text[22] += (fraction % 10) as u8;
    text
}

/// As [`format`], for lines and messages.
pub(crate) fn text(stamp: Stamp) -> String {
    String::from_utf8_lossy(&format(stamp.min(LAST))).into_owned()
}

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
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
        check("0000-01-01T00:00:00Z", Err(BadInstant::TooEarly));
        check("0000-01-01T00:00:00+23:59", Err(BadInstant::TooEarly));
        check("0000-02-29T23:59:59-23:59", Err(BadInstant::TooEarly));
    }

    #[test]
    fn instants_up_to_the_end_of_9999_are_told_from_those_behind_it() {
        check("9999-12-31T23:59:59Z", Ok("9999-12-31T23:59:59.000Z"));
        check("9999-12-31T23:59:59.9999Z", Ok("9999-12-31T23:59:59.999Z"));
        check("9999-12-31T23:59:60Z", Ok("9999-12-31T23:59:59.999Z"));
        check("9999-12-31T23:59:59+23:59", Ok("9999-12-31T00:00:59.000Z"));
        check("9999-12-31T23:59:59-00:01", Err(BadInstant::TooLate));
        check("9999-12-31T23:59:59-23:59", Err(BadInstant::TooLate));
    }

    #[test]
    fn a_leap_second_ends_a_month_in_utc() {
        check("2016-12-31T23:59:60Z", Ok("2016-12-31T23:59:59.999Z"));
        check("2016-12-31T23:59:60.123Z", Ok("2016-12-31T23:59:59.999Z"));
        check("1990-12-31T15:59:60-08:00", Ok("1990-12-31T23:59:59.999Z"));
        check("2028-03-01T05:29:60+05:30", Ok("2028-02-29T23:59:59.999Z"));
        for text in [
            "2016-12-30T23:59:60Z",
            "2016-12-31T23:58:60Z",
            "2016-12-31T23:59:60+01:00",
            "2028-02-28T23:59:60Z",
            "2016-12-31T23:59:61Z",
        ] {
            check(text, Err(BadInstant::Form));
        }
    }

    #[test]
    fn what_jiff_reads_is_read_alike() {
        let offsets = ["Z", "+00:00", "-00:30", "+05:30", "-23:59", "+23:59"];
        for step in 0..20_000_i64 {
            // Days of the calendar and beyond, from 1900 to 9998, or all of February.
            let (year, month, day) = match step % 2 {
                0 => (1900 + step * 7 % 8099, 1 + step / 2 % 12, 1 + step / 24 % 32),
                _ => (1970 + step * 3 % 8000, 2, 27 + step / 2 % 4),
            };
            let offset = offsets[step as usize / 3 % offsets.len()];
            let (hour, minute, second) = (step * 5 % 25, step * 11 % 61, step * 17 % 60);
            let text = format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{step:05}{offset}"
            );
            let by_jiff = text.parse::<jiff::Timestamp>().map_err(|_| BadInstant::Form);
            let expected = by_jiff.and_then(|stamp| {
                let ms = stamp.as_nanosecond().div_euclid(1_000_000);
                u64::try_from(ms).map_err(|_| BadInstant::TooEarly)
            });
            assert_eq!(parse(&text), expected, "{text}");
        }
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
            "2100-02-29T03:04:05Z",
            "2027-00-02T03:04:05Z",
            "2027-01-00T03:04:05Z",
            "2027-04-31T03:04:05Z",
            "2027-01-02T03:60:05Z",
            "2027-01-02T24:00:00Z",
            "2027-01-02T03:04:05+1:00",
            "2027-01-02T03:04:05+-1:00",
            "10000-01-01T00:00:00Z",
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

    #[test]
    fn no_stamp_is_too_late_to_be_written() {
        for stamp in [LAST, LAST + 1, u64::MAX] {
            assert_eq!(&format(stamp), b"9999-12-31T23:59:59.999Z");
        }
    }
}

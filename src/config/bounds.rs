//! How texts of settings are read, and the bounds that several of them have.
//!
//! A text beyond its bounds gives none; the caller says where it came from. Next: `table`.

use std::path::PathBuf;

/// Digits only: a sign, a blank or an underscore is no number here.
pub(super) fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = text.parse().ok().filter(|_| digits)?;
    (least..=most).contains(&value).then_some(value)
}

pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

pub(super) fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// A file, or none.
pub(super) fn file(place: &mut Option<PathBuf>, text: &str) -> Option<()> {
    set(place, Some((!text.is_empty()).then(|| text.into())))
}

pub(super) const FILE: &str = "a file, or empty for none";

pub(super) const DURATION: &str = "milliseconds, 1 to 3,600,000";

pub(super) const DURATION_OR_NONE: &str = "milliseconds, 0 (none) to 3,600,000";

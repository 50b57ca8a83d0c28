//! `If-Match` and `If-None-Match` (RFC 9110, 13.1): a star, or a list of entity tags, in one line
//! or over several.
//!
//! Owns their syntax, and what both together ask of the state. A tag that is weak, or was never a
//! version of ours, matches nothing (API 1). Never compares anything with the state: that is
//! `decide`. Next: `headers`, `fingerprint`.

use crate::domain::model::command::Precondition;
use crate::http::response::problem::{Problem, Refused};

/// What one of the two headers says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) enum Condition<'h> {
    /// The header is not there.
    #[default]
    None,
    /// `*`.
    Any,
    /// Entity tags as they were written, at least one.
    Tags(Vec<&'h [u8]>),
}

impl<'h> Condition<'h> {
    /// Reads the lines of a header; `name` is the header's, for errors.
    pub(in crate::http) fn read(
        name: &'static str,
        lines: impl IntoIterator<Item = &'h [u8]>,
    ) -> Result<Self, Refused> {
        let mut lines = lines.into_iter().peekable();
        let Some(first) = lines.next() else { return Ok(Self::None) };
        if first == b"*" && lines.peek().is_none() {
            return Ok(Self::Any);
        }
        let mut found = Vec::new();
        let read = std::iter::once(first).chain(lines).try_for_each(|line| tags(line, &mut found));
        match read {
            Some(()) if !found.is_empty() => Ok(Self::Tags(found)),
            _ => Err(Problem::malformed(format!("{name} must be * or entity tags, like \"123\""))),
        }
    }

    /// Returns those of its tags that are versions of ours.
    fn versions(&self) -> Vec<u64> {
        match self {
            Self::Tags(tags) => tags.iter().filter_map(|tag| version(tag)).collect(),
            Self::None | Self::Any => Vec::new(),
        }
    }
}

/// What `If-Match` and `If-None-Match` ask of the state together.
pub(in crate::http) fn asked(
    if_match: &Condition<'_>,
    if_none_match: &Condition<'_>,
) -> Result<Precondition, Refused> {
    let no_other = match (if_match, if_none_match) {
        (_, Condition::None) => Vec::new(),
        (Condition::None, Condition::Any) => return Ok(Precondition::Absent),
        (_, Condition::Any) => {
            return Err(Problem::malformed("If-Match and If-None-Match contradict each other"));
        }
        (_, tags @ Condition::Tags(_)) => tags.versions(),
    };
    let exists = match if_match {
        Condition::Tags(_) => {
            let mut versions = if_match.versions();
            versions.retain(|version| !no_other.contains(version));
            return Ok(one_of(&versions));
        }
        Condition::Any => true,
        Condition::None => false,
    };
    Ok(match (exists, no_other.is_empty()) {
        (_, false) => Precondition::NoneOf { exists, versions: no_other.into() },
        (true, true) => Precondition::Exists,
        (false, true) => Precondition::None,
    })
}

fn one_of(versions: &[u64]) -> Precondition {
    match versions {
        [] => Precondition::Version(None),
        [version] => Precondition::Version(Some(*version)),
        several => Precondition::OneOf(several.into()),
    }
}

/// Takes the tags out of a line; none if it holds anything else. Elements may be empty (RFC 9110,
/// 5.6.1.2).
fn tags<'t>(mut text: &'t [u8], found: &mut Vec<&'t [u8]>) -> Option<()> {
    loop {
        while let [b' ' | b'\t' | b',', rest @ ..] = text {
            text = rest;
        }
        if text.is_empty() {
            return Some(());
        }
        let weak = if text.starts_with(b"W/") { 2 } else { 0 };
        let opaque = text.get(weak..)?.strip_prefix(b"\"")?;
        let end = opaque.iter().position(|byte| matches!(byte, 0..=b' ' | b'"' | 0x7f))?;
        if opaque.get(end) != Some(&b'"') {
            return None;
        }
        let (tag, behind) = text.split_at_checked(weak + 1 + end + 1)?;
        found.push(tag);
        text = behind;
        while let [b' ' | b'\t', rest @ ..] = text {
            text = rest;
        }
        if !matches!(text, [] | [b',', ..]) {
            return None;
        }
    }
}

/// The version of ours that a tag is, if it is one: strong, and written as we write them.
pub(in crate::http) fn version(tag: &[u8]) -> Option<u64> {
    let digits = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let canonical = digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0");
    str::from_utf8(digits).ok().filter(|_| canonical)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::problem::Code;

    /// Lines of one header are parted by `;`, and `-` stands for none.
    #[track_caller]
    fn check(if_match: &str, if_none_match: &str, expected: Result<Precondition, Code>) {
        fn read(text: &str) -> Result<Condition<'_>, Refused> {
            let lines = text.split(';').map(|line| line.trim().as_bytes());
            Condition::read("If-Match", lines.filter(|_| text != "-"))
        }
        let found = read(if_match).and_then(|if_match| asked(&if_match, &read(if_none_match)?));
        let found = found.map_err(|refused| refused.code);
        assert_eq!(found, expected, "If-Match {if_match:?}, If-None-Match {if_none_match:?}");
    }

    fn one_of(versions: &[u64]) -> Result<Precondition, Code> {
        Ok(Precondition::OneOf(versions.into()))
    }

    fn none_of(exists: bool, versions: &[u64]) -> Result<Precondition, Code> {
        Ok(Precondition::NoneOf { exists, versions: versions.into() })
    }

    #[test]
    fn if_match_is_a_star_or_a_list_of_tags() {
        check("-", "-", Ok(Precondition::None));
        check("*", "-", Ok(Precondition::Exists));
        for one in
            ["\"123\"", "\"123\",", ", \"123\" ,,", "\"x\", \"123\", W/\"7\"", "\"a,b\",\"123\""]
        {
            check(one, "-", Ok(Precondition::Version(Some(123))));
        }
        for never_ours in
            ["\"abc\"", "\"0123\"", "\"\"", "W/\"1\", W/\"2\"", "\"99999999999999999999\"", "\"*\""]
        {
            check(never_ours, "-", Ok(Precondition::Version(None)));
        }
        check("\"1\", \"2\"", "-", one_of(&[1, 2]));
        check("\"1\",\"2\"\t,\t\"3\"", "-", one_of(&[1, 2, 3]));
        check("\"1\";\"2\", \"3\"", "-", one_of(&[1, 2, 3]));
        let many: Vec<String> = (1..=1000).map(|version| format!("\"{version}\"")).collect();
        check(&many.join(","), "-", one_of(&(1..=1000).collect::<Vec<_>>()));
        for bad in [
            "",
            ",",
            "123",
            "\"1",
            "1\"",
            "w/\"1\"",
            "W/",
            "W/1",
            "\"1\"x",
            "\"1\" \"2\"",
            "\"a b\"",
            "**",
            "*, *",
            "*, \"1\"",
            "\"1\", *",
            "*;*",
            "\"1\";*",
            "'1'",
            "\"1\";;x",
        ] {
            check(bad, "-", Err(Code::Malformed));
            check("-", bad, Err(Code::Malformed));
        }
    }

    #[test]
    fn if_none_match_is_absence_or_no_version_of_a_list() {
        check("-", "*", Ok(Precondition::Absent));
        check("-", "\"7\"", none_of(false, &[7]));
        check("-", "\"7\", \"8\";\"x\"", none_of(false, &[7, 8]));
        check("-", "W/\"7\", \"x\"", Ok(Precondition::None));
        check("*", "\"7\"", none_of(true, &[7]));
        check("*", "W/\"7\"", Ok(Precondition::Exists));
        check("\"7\", \"8\"", "\"8\"", Ok(Precondition::Version(Some(7))));
        check("\"7\"", "\"7\"", Ok(Precondition::Version(None)));
        check("\"1\"", "*", Err(Code::Malformed));
        check("*", "*", Err(Code::Malformed));
    }

    #[test]
    fn what_is_met_is_kept_as_the_simplest_that_comes_out_the_same() {
        let one = Precondition::OneOf([3, 5].into());
        let other = |exists| Precondition::NoneOf { exists, versions: [3, 5].into() };
        for (asked, version, met_by) in [
            (&one, Some(5), Some(Precondition::Version(Some(5)))),
            (&one, Some(4), None),
            (&one, None, None),
            (&other(false), Some(4), Some(Precondition::None)),
            (&other(false), None, Some(Precondition::None)),
            (&other(false), Some(3), None),
            (&other(true), Some(4), Some(Precondition::Exists)),
            (&other(true), None, None),
            (&Precondition::Absent, None, Some(Precondition::Absent)),
        ] {
            assert_eq!(asked.is_met(version), met_by.is_some(), "{asked:?} {version:?}");
            if let Some(met_by) = met_by {
                assert_eq!(asked.met_by(version), met_by, "{asked:?} {version:?}");
                assert_eq!(asked.is_match(), met_by.is_match(), "{asked:?} {version:?}");
            }
        }
    }
}

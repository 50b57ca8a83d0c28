//! Texts of the contract as regular expressions: ids, keys, tags, places in the feed, instants.
//!
//! Owns how the parsers' rules read in the document. Written without look-around, so that every
//! engine takes them (ECMA, PCRE, Python, RE2). Never decides what is taken: that is the parsers',
//! and the tests beside this file hold both against each other. Next: `shapes`.

/// `[A-Za-z0-9._:@-]{1,64}`, and neither `.` nor `..`.
pub(super) const ID: &str = concat!(
    r"^(?:[A-Za-z0-9_:@-][A-Za-z0-9._:@-]{0,63}",
    r"|\.[A-Za-z0-9_:@-][A-Za-z0-9._:@-]{0,62}",
    r"|\.\.[A-Za-z0-9._:@-]{1,62})$",
);

/// The same with `+ | = ~`.
pub(super) const USER: &str = concat!(
    r"^(?:[A-Za-z0-9_:@+|=~-][A-Za-z0-9._:@+|=~-]{0,63}",
    r"|\.[A-Za-z0-9_:@+|=~-][A-Za-z0-9._:@+|=~-]{0,62}",
    r"|\.\.[A-Za-z0-9._:@+|=~-]{1,62})$",
);

/// Of orders and events. The first part names a life of the journal: eight digits and small letters
/// without i, l, o and u, or a small number in journals from before.
pub(super) const ORDER: &str = r"^(?:[0-9a-hjkmnp-tv-z]{8}|[1-9][0-9]{0,8})-[1-9][0-9]{0,18}$";

/// Where a page of orders goes on: an order's id, or a place that is sealed.
pub(super) const ORDER_CURSOR: &str = concat!(
    r"^(?:(?:[0-9a-hjkmnp-tv-z]{8}|[1-9][0-9]{0,8})-[1-9][0-9]{0,18}",
    r"|[0-9a-hjkmnp-tv-z]{64})$",
);

/// An event's id, or a bare sequence.
pub(super) const PLACE: &str =
    r"^(?:(?:[0-9a-hjkmnp-tv-z]{8}|0|[1-9][0-9]{0,8})-)?(?:0|[1-9][0-9]{0,18})$";

/// The same, or nothing, which a reader sends that has seen no event yet.
pub(super) const LAST_PLACE: &str =
    r"^(?:(?:(?:[0-9a-hjkmnp-tv-z]{8}|0|[1-9][0-9]{0,8})-)?(?:0|[1-9][0-9]{0,18}))?$";

/// An idempotency key as the value of a header, which has no white space at its ends.
pub(super) const KEY: &str =
    concat!(r"^(?:[!#-~](?:[ -~]{0,253}[!-~])?", r#"|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$"#,);

/// An idempotency key elsewhere: in a path, once it is decoded, and in the line of a batch.
pub(super) const KEY_TEXT: &str =
    concat!(r"^(?:[ !#-~][ -~]{0,254}", r#"|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$"#,);

/// `*`, or entity tags (RFC 9110, 8.8.3) with commas between them.
pub(super) const TAGS: &str = concat!(
    r#"^(?:\*|(?:W/)?"[^\x00-\x20"\x7f]*""#,
    r#"(?:[ \t]*,[ \t]*(?:W/)?"[^\x00-\x20"\x7f]*")*)$"#,
);

/// The entity tag of a version of ours.
pub(super) const TAG: &str = r#"^"[1-9][0-9]*"$"#;

/// An instant as it goes out.
pub(super) const INSTANT: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$";

/// An instant as it comes in, from 1970; which days a month has is left to `format`.
pub(super) const INSTANT_IN: &str = concat!(
    r"^(?:19[7-9]|[2-9][0-9][0-9])[0-9]-[0-9]{2}-[0-9]{2}",
    r"[Tt][0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$",
);

/// Printable ASCII.
pub(super) const PRINTABLE: &str = "^[ -~]*$";

/// A SHA-256, or a seed.
pub(super) const HASH: &str = "^[0-9a-f]{64}$";

#[cfg(test)]
#[path = "patterns_tests.rs"]
mod tests;

//! What a client would rather have (`Accept`; RFC 9110, 12.5.1).
//!
//! Owns how the ranges of that header are read and weighed. A client that names nothing on offer
//! gets what it would get without the header: no request is refused for it. Next: `routes::events`,
//! `routes::operations`.

/// A media type that may be had.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Offer {
    /// Type and subtype, in lower case.
    pub(in crate::http) essence: &'static str,
    /// What a range that names a version must name; none = such a range is for another type.
    pub(in crate::http) version: Option<&'static str>,
}

/// How well an offer is liked. Greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Liking {
    /// 0..=1000; 0 = not wanted.
    quality: u16,
    /// How soon it is named in the header, the sooner the greater; 0 = only a wildcard means it.
    named: usize,
}

/// The place of the offer that a header likes best. Of those that it likes alike the one that it
/// names first, then the one that is offered first. The first offer if the header likes none.
pub(in crate::http) fn choose(accept: &[u8], offers: &[Offer]) -> usize {
    let ranges: Vec<Range<'_>> =
        accept.split(|byte| *byte == b',').filter_map(Range::parse).collect();
    let mut best = (Liking { quality: 0, named: 0 }, 0);
    for (at, offer) in offers.iter().enumerate() {
        let liking = liking(&ranges, *offer);
        if liking.quality > 0 && liking > best.0 {
            best = (liking, at);
        }
    }
    best.1
}

/// The quality of the narrowest range that an offer is in.
fn liking(ranges: &[Range<'_>], offer: Offer) -> Liking {
    let mut narrowest = (Width::None, Liking { quality: 0, named: 0 });
    for (at, range) in ranges.iter().enumerate() {
        let width = range.width(offer);
        if width > narrowest.0 {
            let named = if width >= Width::Type { ranges.len() - at } else { 0 };
            narrowest = (width, Liking { quality: range.quality, named });
        }
    }
    narrowest.1
}

/// How narrowly a range names an offer. Greater is narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    /// Not at all.
    None,
    /// `*/*`.
    All,
    /// `text/*`.
    Family,
    /// `text/plain`.
    Type,
    /// `text/plain;version=0.0.4`.
    Version,
}

struct Range<'a> {
    essence: &'a str,
    version: Option<&'a str>,
    quality: u16,
}

impl<'a> Range<'a> {
    /// None for what is no range; the others count all the same.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = str::from_utf8(text).ok()?.split(';').map(str::trim);
        let essence = parts.next().filter(|essence| essence.contains('/'))?;
        let mut range = Self { essence, version: None, quality: 1000 };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else { continue };
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value)?;
            } else if name.eq_ignore_ascii_case("version") {
                range.version = Some(value.trim_matches('"'));
            }
        }
        Some(range)
    }

    fn width(&self, offer: Offer) -> Width {
        let (family, _) = offer.essence.split_once('/').unwrap_or((offer.essence, ""));
        let is_family = |essence: &str| {
            essence.strip_suffix("/*").is_some_and(|own| own.eq_ignore_ascii_case(family))
        };
        match self.version {
            _ if self.essence == "*/*" => Width::All,
            _ if is_family(self.essence) => Width::Family,
            _ if !self.essence.eq_ignore_ascii_case(offer.essence) => Width::None,
            None => Width::Type,
            own if own == offer.version => Width::Version,
            Some(_) => Width::None,
        }
    }
}

/// `0.5` as 500 (RFC 9110, 12.4.2): at most three digits after the point, at most 1. None for what
/// is no such number.
fn quality(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || part.len() > 3 || !digits(part) {
        return None;
    }
    let quality: u16 = format!("{whole}{part:0<3}").parse().ok()?;
    (quality <= 1000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: [Offer; 3] = [
        Offer { essence: "text/plain", version: Some("0.0.4") },
        Offer { essence: "application/openmetrics-text", version: Some("1.0.0") },
        Offer { essence: "application/json", version: None },
    ];

    #[test]
    fn the_offer_that_is_liked_best_is_chosen() {
        for (accept, chosen) in [
            ("", 0),
            ("*/*", 0),
            ("image/png", 0),
            ("application/json", 2),
            ("Application/JSON ; charset=utf-8", 2),
            ("application/openmetrics-text", 1),
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", 1),
            ("application/openmetrics-text;version=\"1.0.0\";q=0.5,text/plain;q=0.4", 1),
            ("application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.5", 0),
            // A version that there is not.
            ("application/openmetrics-text;version=0.0.1,text/plain;q=0.2", 0),
            ("application/openmetrics-text;version=0.0.1;q=0.4", 0),
            ("text/plain;version=1.0.0,application/openmetrics-text;q=0.1", 1),
            ("application/json;version=2,*/*;q=0.1", 0),
            // What is named goes before what a wildcard means, and what is named first before both.
            ("*/*,application/openmetrics-text", 1),
            ("application/json,application/openmetrics-text", 2),
            ("application/openmetrics-text,text/plain", 1),
            ("text/plain,application/openmetrics-text", 0),
            ("application/*", 1),
            ("text/*;q=0.5,*/*;q=0.6", 1),
            // The narrowest range counts, wherever it stands.
            ("text/plain;q=0,*/*;q=0.1", 1),
            ("*/*;q=0.1,text/plain;q=0", 1),
            ("text/plain;version=0.0.4;q=0.1,text/plain,application/json;q=0.5", 2),
            ("*/*;q=0", 0),
        ] {
            assert_eq!(choose(accept.as_bytes(), &OFFERS), chosen, "{accept}");
        }
    }

    #[test]
    fn what_prometheus_sends_chooses_openmetrics() {
        for accept in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
             version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/\
             openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;\
             q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(choose(accept.as_bytes(), &OFFERS), 1, "{accept}");
        }
    }

    #[test]
    fn a_range_that_cannot_be_read_is_passed_over() {
        for accept in [
            "application/json;q=2",
            "application/json;q=0.1234",
            "application/json;q=",
            "application/json;q=-1",
            "application/json;q=1.001",
            "json",
            ";q=1",
            ",,",
            "\u{ff}/json",
        ] {
            let more = format!("{accept},application/openmetrics-text;q=0.001");
            assert_eq!(choose(more.as_bytes(), &OFFERS), 1, "{accept}");
        }
        for (text, expected) in [("1", Some(1000)), ("0.05", Some(50)), ("1.000", Some(1000))] {
            assert_eq!(quality(text), expected, "{text}");
        }
    }
}

//! What may become of a request, kept apart: a refusal in microseconds must not make a sale look
//! fast.

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A new order: 201.
    Created,
    /// The remembered answer to a key that came again.
    Replayed,
    /// An order was confirmed or cancelled.
    Changed,
    /// A read was answered.
    Read,
    /// Nothing left: 409 `sold_out`.
    SoldOut,
    /// The user may not have more: 409 `user_limit`, `hold_limit`.
    Limit,
    /// Before the opening: 409 `not_open`.
    NotOpen,
    /// Another no of the business kind: 404, 409, 410.
    Refused,
    /// The server was too busy, full or stopping: 429, 503, 504.
    Unavailable,
    /// An answer that the scenario does not expect: 400, 401, 500 and the like.
    Failed,
    /// No answer in time.
    TimedOut,
    /// The connection broke, or could not be made.
    Broken,
}

impl Outcome {
    pub(crate) const ALL: [Self; 12] = [
        Self::Created,
        Self::Replayed,
        Self::Changed,
        Self::Read,
        Self::SoldOut,
        Self::Limit,
        Self::NotOpen,
        Self::Refused,
        Self::Unavailable,
        Self::Failed,
        Self::TimedOut,
        Self::Broken,
    ];

    /// As files and `summary.json` name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replayed => "replayed",
            Self::Changed => "changed",
            Self::Read => "read",
            Self::SoldOut => "sold_out",
            Self::Limit => "limit",
            Self::NotOpen => "not_open",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
        }
    }

    /// For whoever reads the report.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Created => "a new order (201)",
            Self::Replayed => "a key came again and got its first answer",
            Self::Changed => "an order was confirmed or cancelled",
            Self::Read => "a read was answered",
            Self::SoldOut => "refused: nothing left",
            Self::Limit => "refused: the user may not have more",
            Self::NotOpen => "refused: the sale had not opened",
            Self::Refused => "refused for another reason of business",
            Self::Unavailable => "turned away: busy, full or stopping (429, 503, 504)",
            Self::Failed => "an answer that should not be (400, 401, 500, …)",
            Self::TimedOut => "no answer in time",
            Self::Broken => "the connection broke or could not be made",
        }
    }

    /// In plots; told apart by most who see colours differently, too.
    pub(crate) const fn colour(self) -> &'static str {
        match self {
            Self::Created => "#009e73",
            Self::Replayed => "#7a9e00",
            Self::Changed => "#0072b2",
            Self::Read => "#56b4e9",
            Self::SoldOut => "#e69f00",
            Self::Limit => "#332288",
            Self::NotOpen => "#8c8c8c",
            Self::Refused => "#8b5a2b",
            Self::Unavailable => "#d55e00",
            Self::Failed => "#990000",
            Self::TimedOut => "#cc79a7",
            Self::Broken => "#aa4499",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How light a colour is to the eye (WCAG 2.2), which is what is left of it without its hue.
    fn light(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("two hex digits");
            let share = f64::from(value) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn refusals_of_one_sale_differ_to_those_who_see_no_hue() {
        let contrast = |one: Outcome, other: Outcome| {
            let (one, other) = (light(one.colour()), light(other.colour()));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for (one, other) in [
            (Outcome::SoldOut, Outcome::Limit),
            (Outcome::Created, Outcome::Limit),
            (Outcome::NotOpen, Outcome::Limit),
        ] {
            let found = contrast(one, other);
            assert!(found >= 2.5, "{} and {}: {found:.2}", one.name(), other.name());
        }
        let colours = Outcome::ALL.map(Outcome::colour);
        for (at, colour) in colours.iter().enumerate() {
            assert!(!colours[..at].contains(colour), "{colour}");
        }
    }
}

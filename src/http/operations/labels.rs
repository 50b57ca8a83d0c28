//! The words that requests and commands are counted by, and which word is whose.
//!
//! Owns methods, kinds of commands, outcomes. Never counts. Next: `request_metrics`, `possible`.

use crate::domain::model::command::{Action, Command};
use crate::http::response::problem::{Code, OUTCOMES};
use hyper::{Method, StatusCode};

/// The methods that there are; the last stands for all others.
pub(in crate::http) const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// Declares each kind of command once: its label, and the commands that count under it.
macro_rules! commands {
    ($($name:ident $label:literal $commands:pat,)*) => {
        enum CommandKind { $($name,)* }

        /// The kinds of commands, in the order of [`command_number`].
        pub(in crate::http) const COMMANDS: &[&str] = &[$($label,)*];

        pub(in crate::http) fn command_number(command: &Command) -> usize {
            let kind = match command {
                $($commands => CommandKind::$name,)*
            };
            kind as usize
        }
    };
}

commands! {
    CreateOrder "create_order" Command::CreateOrder(_),
    Confirm "confirm" Command::ActOnOrder(_, Action::Confirm { .. }),
    Cancel "cancel" Command::ActOnOrder(_, Action::Cancel),
    Extend "extend" Command::ActOnOrder(_, Action::Extend(_)),
    Ship "ship" Command::ActOnOrder(_, Action::Ship),
    Complete "complete" Command::ActOnOrder(_, Action::Complete),
    Refund "refund" Command::ActOnOrder(_, Action::Refund(_)),
    PutSku "put_sku" Command::PutSku(_),
    PatchSku "patch_sku" Command::PatchSku(_),
    AdjustSku "adjust_sku" Command::AdjustSku(_),
    DeleteSku "delete_sku" Command::DeleteSku(_),
    Read "read" Command::Read(_),
    PutDraw "put_draw" Command::PutDraw(_),
    EnterDraw "enter_draw" Command::EnterDraw(_),
    CloseDraw "close_draw" Command::CloseDraw(_),
    DeleteDraw "delete_draw" Command::DeleteDraw(_),
}

pub(in crate::http) fn method_number(method: &Method) -> usize {
    let known = METHODS.iter().position(|known| *known == method.as_str());
    known.unwrap_or(METHODS.len() - 1)
}

/// Of the successes those that are counted apart; see [`OUTCOMES`].
pub(in crate::http) fn outcome_number(status: StatusCode, code: Option<Code>) -> usize {
    const SUCCESSES: usize = OUTCOMES.len() - Code::ALL.len();
    match (code, status) {
        (Some(code), _) => SUCCESSES + code as usize,
        (None, StatusCode::CREATED) => 1,
        (None, StatusCode::NO_CONTENT) => 2,
        (None, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_counted_by_its_name() {
        let number = |name: &str| method_number(&Method::from_bytes(name.as_bytes()).unwrap());
        let (other, known) = METHODS.split_last().expect("there are some");
        assert_eq!((*other, number("TRACE")), ("other", known.len()));
        for (at, name) in known.iter().enumerate() {
            assert_eq!(number(name), at, "{name}");
        }
    }

    #[test]
    fn every_outcome_is_counted_by_its_code() {
        for code in Code::ALL {
            let status = StatusCode::from_u16(code.status()).unwrap();
            let outcome = OUTCOMES[outcome_number(status, Some(*code))];
            assert_eq!((outcome.status, outcome.code), (code.status(), code.as_str()));
        }
        for status in [200, 201, 204] {
            let number = outcome_number(StatusCode::from_u16(status).unwrap(), None);
            assert_eq!((OUTCOMES[number].status, OUTCOMES[number].code), (status, ""));
        }
    }
}

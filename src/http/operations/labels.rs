//! The words that requests and commands are counted by, and which word is whose.
//!
//! Owns methods, kinds of commands, outcomes. Never counts. Next: `request_metrics`, `possible`.

use crate::domain::model::command::{Action, Command};
use crate::http::response::problem::{Code, OUTCOMES};
use hyper::{Method, StatusCode};

/// The methods that there are; the last stands for all others.
pub(in crate::http) const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// Declares each kind of command once: its label, the operations of the contract that ask for it,
/// and the commands that count under it. Reads are
/// the operations with GET.
macro_rules! commands {
    ($($name:ident $label:literal [$($operation:literal)?] $commands:pat,)*) => {
        enum CommandKind { $($name,)* }

        /// The kinds of commands, in the order of [`command_number`].
        pub(in crate::http) const COMMANDS: &[&str] = &[$($label,)*];

        pub(in crate::http) fn command_number(command: &Command) -> usize {
            let kind = match command {
                $($commands => CommandKind::$name,)*
            };
            kind as usize
        }

        /// The kind of command that an operation of the contract is that changes something.
        pub(in crate::http) fn command_of_operation(id: &str) -> Option<usize> {
            match id {
                $($($operation => Some(CommandKind::$name as usize),)?)*
                _ => None,
            }
        }
    };
}

/// The kind of all reads.
pub(in crate::http) const READ: usize = CommandKind::Read as usize;

commands! {
    CreateOrder "create_order" ["createOrder"] Command::CreateOrder(_),
    Confirm "confirm" ["confirmOrder"] Command::ActOnOrder(_, Action::Confirm { .. }),
    Cancel "cancel" ["cancelOrder"] Command::ActOnOrder(_, Action::Cancel),
    Extend "extend" ["extendOrder"] Command::ActOnOrder(_, Action::Extend(_)),
    Ship "ship" ["shipOrder"] Command::ActOnOrder(_, Action::Ship),
    Complete "complete" ["completeOrder"] Command::ActOnOrder(_, Action::Complete),
    Refund "refund" ["refundOrder"] Command::ActOnOrder(_, Action::Refund(_)),
    PutSku "put_sku" ["putSku"] Command::PutSku(_),
    PatchSku "patch_sku" ["patchSku"] Command::PatchSku(_),
    AdjustSku "adjust_sku" ["adjustSku"] Command::AdjustSku(_),
    DeleteSku "delete_sku" ["deleteSku"] Command::DeleteSku(_),
    Read "read" [] Command::Read(_),
    PutDraw "put_draw" ["putDraw"] Command::PutDraw(_),
    EnterDraw "enter_draw" ["enterDraw"] Command::EnterDraw(_),
    CloseDraw "close_draw" ["closeDraw"] Command::CloseDraw(_),
    DeleteDraw "delete_draw" ["deleteDraw"] Command::DeleteDraw(_),
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

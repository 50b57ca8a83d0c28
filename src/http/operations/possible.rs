//! The outcomes that requests and commands may have, as far as the contract tells it.
//!
//! Owns which rows the counters of requests and commands have from the start, at 0: a scraper that
//! first sees a row at 1 takes that for no increase, so a first fault would never be told. What
//! occurs all the same is counted too, in a row of its own. Reads the document that `openapi`
//! describes, so that a new refusal has its row as soon as it is described. Next:
//! `request_metrics`.

use super::labels::{METHODS, READ, command_of_operation, method_number, outcome_number};
use super::openapi::{Told, told};
use crate::http::response::problem::Code;
use crate::http::routes::ROUTES;
use crate::metrics::Possible;
use hyper::{Method, StatusCode};

/// The route of requests that are refused by their head, before anything is done at a place.
const NOWHERE: usize = 0;

/// What the head alone decides, whatever the method.
const BY_HEAD: &[Code] = &[
    Code::Malformed,
    Code::Unauthenticated,
    Code::Forbidden,
    Code::NotFound,
    Code::MethodNotAllowed,
    Code::TooLarge,
    Code::UriTooLong,
    Code::RateLimited,
    Code::Recovering,
    Code::NotWriter,
    Code::Draining,
];

/// What the head alone decides where a place was not found, and nothing decides later.
const ONLY_BY_HEAD: &[Code] = &[Code::Unauthenticated, Code::Forbidden, Code::UriTooLong];

/// What is refused before the writer, or the edge, is asked.
const BEFORE_COMMANDS: &[Code] = &[
    Code::Malformed,
    Code::UnknownField,
    Code::IdempotencyKeyMissing,
    Code::Timeout,
    Code::TooLarge,
    Code::UnsupportedMediaType,
    Code::RateLimited,
    Code::Recovering,
    Code::NotWriter,
    Code::Draining,
    Code::ReadOnly,
];

/// The rows that there are from the start.
pub(in crate::http) fn possible() -> Possible {
    let mut possible = Possible::default();
    nowhere(&mut possible);
    for operation in told() {
        let route = ROUTES.iter().position(|route| *route == operation.path);
        let Some(route) = route.filter(|route| *route != NOWHERE) else { continue };
        at_place(&mut possible, route, &operation);
        if let Some(command) = command(&operation) {
            commanded(&mut possible, command, &operation);
        }
    }
    possible.requests.sort_unstable();
    possible.requests.dedup();
    possible.commands.sort_unstable();
    possible.commands.dedup();
    possible
}

fn nowhere(possible: &mut Possible) {
    for (method, name) in METHODS.iter().enumerate() {
        // A body that is refused is read all the same.
        let bodied = matches!(*name, "POST" | "PUT" | "PATCH").then_some(&Code::Timeout);
        let codes = BY_HEAD.iter().chain(bodied);
        let rows = codes.map(|code| (NOWHERE, method, number(*code)));
        possible.requests.extend(rows);
    }
    let asked = (NOWHERE, method_number(&Method::OPTIONS), success(204));
    possible.requests.push(asked);
}

fn at_place(possible: &mut Possible, route: usize, operation: &Told) {
    let method = method_number(&operation.method);
    let head = (operation.method == Method::GET).then(|| method_number(&Method::HEAD));
    let reaches = |code: &&Code| match code {
        // A request that finds the server so finds no place, but these.
        Code::Recovering => operation.path == "/readyz",
        Code::NotWriter => false,
        Code::Draining => operation.path == "/readyz" || is_asked(operation),
        // That of an address is met by the head; a principal's, where there is something to wait
        // for.
        Code::RateLimited => operation.problems.contains(&Code::Overloaded),
        code => !ONLY_BY_HEAD.contains(code),
    };
    let problems = operation.problems.iter().filter(reaches).map(|code| number(*code));
    let outcomes: Vec<usize> =
        operation.statuses.iter().map(|status| success(*status)).chain(problems).collect();
    for method in [Some(method), head].into_iter().flatten() {
        possible.requests.extend(outcomes.iter().map(|outcome| (route, method, *outcome)));
    }
    let options = method_number(&Method::OPTIONS);
    let outcomes = [success(204), number(Code::Malformed), number(Code::UnknownField)];
    possible.requests.extend(outcomes.map(|outcome| (route, options, outcome)));
}

fn commanded(possible: &mut Possible, command: usize, operation: &Told) {
    let is_read = operation.method == Method::GET;
    let reached = |code: &&Code| match code {
        // What is new is refused before, what is shown while it waits.
        Code::Unreplicated => is_read,
        code => !ONLY_BY_HEAD.contains(code) && !BEFORE_COMMANDS.contains(code),
    };
    let problems = operation.problems.iter().filter(reached).map(|code| number(*code));
    let outcomes = operation.statuses.iter().map(|status| success(*status)).chain(problems);
    possible.commands.extend(outcomes.map(|outcome| (command, outcome)));
}

/// The writer answers it.
fn is_asked(operation: &Told) -> bool {
    operation.problems.contains(&Code::DeadlineExceeded)
}

/// The kind of command that an operation is; none where the writer is not asked.
fn command(operation: &Told) -> Option<usize> {
    match is_asked(operation) {
        true if operation.method == Method::GET => Some(READ),
        true => command_of_operation(operation.id),
        false => None,
    }
}

fn number(code: Code) -> usize {
    let status = StatusCode::from_u16(code.status()).unwrap_or_default();
    outcome_number(status, Some(code))
}

fn success(status: u16) -> usize {
    outcome_number(StatusCode::from_u16(status).unwrap_or_default(), None)
}

#[cfg(test)]
mod tests {
    use super::super::labels::COMMANDS;
    use super::*;
    use crate::http::routes::Route;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_of_every_place_may_come_to_something() {
        let possible = possible();
        let rows: BTreeSet<_> =
            possible.requests.iter().map(|(route, method, _)| (*route, *method)).collect();
        for (number, route) in ROUTES.iter().enumerate().skip(1) {
            let path = route.replace(['{', '}'], "");
            let allow = Route::find(&path).expect("a route").allow();
            let own = METHODS.iter().enumerate();
            for (method, name) in own {
                let is_there = allow.split(", ").any(|allowed| allowed == *name);
                assert_eq!(rows.contains(&(number, method)), is_there, "{name} {route}");
            }
        }
    }

    #[test]
    fn every_command_may_succeed_and_meet_a_fault() {
        let possible = possible();
        for (command, word) in COMMANDS.iter().enumerate() {
            let may = |outcome| possible.commands.contains(&(command, outcome));
            assert!([200, 201, 204].iter().any(|status| may(success(*status))), "{word}");
            assert!(may(number(Code::Internal)) && may(number(Code::OutcomeUnknown)), "{word}");
            let writes = *word != "read";
            assert_eq!(may(number(Code::NoSpace)), writes, "{word}");
            assert!(!may(number(Code::Malformed)) && !may(number(Code::Unauthenticated)), "{word}");
        }
    }

    #[test]
    fn the_rows_are_few_enough_for_a_scrape() {
        let possible = possible();
        assert!((500..2_000).contains(&possible.requests.len()), "{}", possible.requests.len());
        assert!((100..400).contains(&possible.commands.len()), "{}", possible.commands.len());
    }
}

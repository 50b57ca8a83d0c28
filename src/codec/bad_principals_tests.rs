//! Rows of principals that are no state, and rows that name a principal who is not there.

use super::*;
use crate::domain::state::principals::PRINCIPALS_MAX;

#[test]
fn principals_stand_once_each_and_no_more_than_fit() {
    let many: Change = |rows| {
        let name = |number| Row::Principal(format!("west-{number}").leak());
        drop(rows.splice(PRINCIPAL..PRINCIPAL, (0..PRINCIPALS_MAX).map(name)));
    };
    check("more principals than fit", &[many]);
    let twice: Change = |rows| rows.insert(PRINCIPAL, Row::Principal("east"));
    check("a principal stands twice", &[twice]);
}

#[test]
fn owners_and_the_configured_are_principals_that_are_there() {
    let named = "a principal is named that is not there";
    let configured: Change = |rows| {
        rows.insert(PRINCIPAL + 1, Row::Configured { names: vec!["east"], numbers: vec![1] });
    };
    let owner: Change =
        |rows| rows.insert(PRINCIPAL + 1, Row::Owner { principal: 1, of_user: true });
    check(named, &[configured, owner]);
    let twice: Change = |rows| {
        let owner = || Row::Owner { principal: 0, of_user: false };
        rows.splice(PRINCIPAL + 1..PRINCIPAL + 1, [owner(), owner()]).for_each(drop);
    };
    check("an owner stands twice", &[twice]);
}

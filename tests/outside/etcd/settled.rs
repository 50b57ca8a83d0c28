//! One change of the register, asked for until its outcome is known, and what all outcomes together
//! must be.
//!
//! Next: `main`.

use doorbuster::cluster::arbiter::{Arbiter, ArbiterError, Swapped, Versioned};
use doorbuster::cluster::etcd::Etcd;
use doorbuster::cluster::register::{OperationId, Register};
use std::collections::BTreeMap;

/// What became of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    operation: OperationId,
    /// The version that it was to change.
    expected: u64,
    end: End,
    /// How often the outcome was not known at first.
    unknown: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The register held it, at this version.
    Won(u64),
    /// The register holds another change of the same version.
    Lost,
    /// The register has moved on since: it was held for a while, or never.
    Passed,
}

impl Settled {
    pub(crate) fn is_won(&self) -> bool {
        matches!(self.end, End::Won(_))
    }
}

/// Asks again and again, with the same operation, until the register shows what became of it.
pub(crate) async fn change(etcd: &Etcd, held: &Versioned, operation: OperationId) -> Settled {
    let expected = held.version;
    let proposal = Register { epoch: held.register.epoch + 1, operation, ..held.register.clone() };
    let mut unknown = 0;
    loop {
        let end = match etcd.swap(Some(expected), &proposal).await {
            Ok(Swapped::Done(version)) => End::Won(version),
            Ok(Swapped::Refused(Some(now))) if now.register.operation == operation => {
                End::Won(now.version)
            }
            Ok(Swapped::Refused(Some(now))) if now.version == expected + 1 => End::Lost,
            // Never asked twice, it was refused for certain.
            Ok(Swapped::Refused(Some(_))) if unknown == 0 => End::Lost,
            Ok(Swapped::Refused(Some(_))) => End::Passed,
            Ok(Swapped::Refused(None)) => panic!("the register is gone"),
            Err(ArbiterError::Unavailable(_)) => continue,
            Err(ArbiterError::Unknown(_)) => {
                unknown += 1;
                continue;
            }
            Err(error @ ArbiterError::Unreadable(_)) => panic!("{error}"),
        };
        return Settled { operation, expected, end, unknown };
    }
}

/// No version has two winners, each winner's version is the next, and the versions there are were
/// all made by changes that were asked for.
pub(crate) fn check(first: u64, last: &Versioned, outcomes: &[Settled]) {
    let mut winners: BTreeMap<u64, OperationId> = BTreeMap::new();
    let (mut passed, mut unknown) = (0, 0);
    for settled in outcomes {
        unknown += u64::from(settled.unknown);
        match settled.end {
            End::Won(version) => {
                assert_eq!(version, settled.expected + 1, "{settled:?}");
                let before = winners.insert(version, settled.operation);
                assert_eq!(before, None, "two winners of a version: {settled:?}");
            }
            End::Passed => passed += 1,
            End::Lost => {}
        }
    }
    let made = last.version - first;
    let won = winners.len() as u64;
    assert!((won..=won + passed).contains(&made), "{made} versions, {won} won, {passed} passed");
    // Each change counts its epoch on from the one that it read.
    assert_eq!(u64::from(last.register.epoch), made + 1);
    if let Some(operation) = winners.get(&last.version) {
        assert_eq!(last.register.operation, *operation);
    }
    println!(
        "{} changes asked, {won} won, {passed} passed over, {unknown} unknown at first",
        outcomes.len()
    );
}

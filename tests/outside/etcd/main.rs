//! The register in a real etcd of three members, on loopback, killed and started again while
//! several clients change it.
//!
//! Needs Debian's packages `etcd-server` and `etcd-client`; without them it fails where `CI` is set
//! and says so elsewhere. Owns what must hold of compare-and-swap whatever becomes of the members:
//! one winner a version, and every outcome is known in the end. Next: `settled`; the members are in
//! `tests/support`.

mod settled;

use doorbuster::cluster::arbiter::{Arbiter, ArbiterError, Swapped, Versioned};
use doorbuster::cluster::etcd::{Credentials, Endpoints, Etcd};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::register::{ClusterId, OperationId, Register};
use doorbuster_test_support::etcd::Members;
use doorbuster_test_support::target::Target;
use settled::{Settled, change};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const TARGET: Target = doorbuster_test_support::target!();

/// Clients at a time.
const CLIENTS: u64 = 4;
/// How often a member is killed while they ask.
const KILLS: usize = 9;
/// Changes that must come about between two of these.
const CHANGES: u64 = 12;

fn name(text: &str) -> Name {
    Name::parse(text).expect("it is a name")
}

/// A register that was just made.
fn register(process: u64) -> Register {
    Register {
        cluster: ClusterId([1; 16]),
        journal: "00112233445566778899aabbccddeeff".to_owned(),
        epoch: 1,
        writer: name("n1"),
        in_sync: vec![name("n1")],
        operation: OperationId { process, number: 0 },
        urls: [(name("n1"), "http://127.0.0.1:7070".to_owned())].into(),
        forced: None,
    }
}

fn etcd(members: &Members, cluster: &str) -> Etcd {
    Etcd::new(Endpoints::parse(&members.setting(), None).expect("it is one"), &name(cluster), 0)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

#[test]
fn a_register_is_made_once_and_changed_by_its_version() {
    let Some(members) = Members::start(TARGET.folder, 3) else { return };
    let etcd = etcd(&members, "once");
    run(async {
        assert_eq!(etcd.read().await, Ok(None));
        let first = register(1);
        let made = etcd.swap(None, &first).await.expect("it answers");
        let Swapped::Done(version) = made else { panic!("{made:?}") };
        let held = Versioned { version, register: first };
        assert_eq!(etcd.read().await, Ok(Some(held.clone())));
        let again = etcd.swap(None, &register(2)).await;
        assert_eq!(again, Ok(Swapped::Refused(Some(held.clone()))));
        let next = Register { epoch: 2, ..register(3) };
        let stale = etcd.swap(Some(version + 1), &next).await;
        assert_eq!(stale, Ok(Swapped::Refused(Some(held))));
        assert_eq!(etcd.swap(Some(version), &next).await, Ok(Swapped::Done(version + 1)));
        let held = Versioned { version: version + 1, register: next };
        assert_eq!(etcd.read().await, Ok(Some(held)));
    });
}

#[test]
fn a_user_is_let_in_and_a_stranger_is_told() {
    let Some(members) = Members::start(TARGET.folder, 3) else { return };
    members.require_users("shop", "pass:word");
    let with = |text: &str| {
        let endpoints = Endpoints::parse(&members.setting(), None).expect("it is one");
        let credentials = Credentials::parse(text).expect("it is one");
        Etcd::new(endpoints.with(Some(credentials)), &name("users"), 0)
    };
    run(async {
        let made = with("shop:pass:word").swap(None, &register(1)).await;
        assert!(matches!(made, Ok(Swapped::Done(_))), "{made:?}");
        let told = with("shop:wrong").read().await;
        assert!(matches!(&told, Err(ArbiterError::Unavailable(why)) if why.contains("not let in")));
        let told = etcd(&members, "users").swap(None, &register(1)).await;
        assert!(matches!(told, Err(ArbiterError::Unavailable(_))), "{told:?}");
    });
}

#[test]
fn without_a_majority_nothing_is_answered_and_health_says_why() {
    let Some(mut members) = Members::start(TARGET.folder, 3) else { return };
    let etcd = etcd(&members, "majority");
    run(async {
        let made = etcd.swap(None, &register(1)).await;
        assert!(matches!(made, Ok(Swapped::Done(_))), "{made:?}");
        assert_eq!(etcd.health().await.troubles(), Vec::<String>::new());
        members.kill(0);
        members.kill(1);
        let told = etcd.swap(Some(1), &register(2)).await;
        assert!(matches!(told, Err(ArbiterError::Unknown(_))), "{told:?}");
        assert!(matches!(etcd.read().await, Err(ArbiterError::Unavailable(_))));
        let troubles = etcd.health().await.troubles().join("\n");
        assert_eq!(troubles.matches("does not answer").count(), 2, "{troubles}");
    });
}

/// Each client reads, changes what it has read, and asks until it knows the outcome, while members
/// are killed and started again.
#[test]
fn no_version_has_two_winners_while_members_are_killed() {
    let Some(mut members) = Members::start(TARGET.folder, 3) else { return };
    let first = run(etcd(&members, "load").swap(None, &register(0)));
    let Ok(Swapped::Done(first)) = first else { panic!("{first:?}") };
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|client| {
            let (etcd, stop) = (etcd(&members, "load"), Arc::clone(&stop));
            let done = Arc::clone(&done);
            thread::spawn(move || run(ask_until(&etcd, client, &stop, &done)))
        })
        .collect();
    let mut wanted = 0;
    for round in 0..KILLS {
        // The leader too, at times: which one that is moves with each kill.
        let member = round % 3;
        members.kill(member);
        wanted = done.load(Ordering::Acquire).max(wanted) + CHANGES;
        reached(&done, wanted);
        members.restart(member);
        wanted += CHANGES;
        reached(&done, wanted);
    }
    stop.store(true, Ordering::Release);
    let outcomes = clients.into_iter().flat_map(|client| client.join().expect("it ends"));
    let outcomes: Vec<_> = outcomes.collect();
    let last = run(etcd(&members, "load").read()).expect("it answers").expect("it is there");
    settled::check(first, &last, &outcomes);
}

fn reached(done: &AtomicU64, wanted: u64) {
    doorbuster_test_support::wait::until("changes of the register", || {
        (done.load(Ordering::Acquire) >= wanted).then_some(())
    });
}

async fn ask_until(etcd: &Etcd, client: u64, stop: &AtomicBool, done: &AtomicU64) -> Vec<Settled> {
    let mut outcomes = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let Ok(Some(held)) = etcd.read().await else { continue };
        let number = outcomes.len() as u64 + 1;
        let settled = change(etcd, &held, OperationId { process: client, number }).await;
        outcomes.push(settled);
        done.fetch_add(u64::from(settled.is_won()), Ordering::AcqRel);
    }
    outcomes
}

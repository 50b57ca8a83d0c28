//! The writer ends: another node goes on, and nothing that was answered is lost.
//!
//! Next: `standing`.

use crate::AGAIN;
use crate::load;
use crate::nodes::Nodes;
use crate::segments;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use rustix::process::Signal;

#[test]
fn a_copy_is_equal_byte_for_byte_under_load() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let ((), bought) = load::during(&mut nodes, "copied", |nodes, load| {
        load.sells(500);
        // Beside a load the shorter of the two is compared.
        segments::compare(nodes.data(0), nodes.data(1));
        load.sells(500);
    });
    load::check(&nodes, &bought);
    nodes.wait_caught_up(1);
    let sequence = segments::compare(nodes.data(0), nodes.data(1));
    assert!(sequence >= bought.len() as u64, "{sequence}");
}

#[test]
fn a_killed_writer_is_followed_by_another() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let ((), bought) = load::during(&mut nodes, "killed", |nodes, load| {
        for round in 0..3 {
            load.sells(200);
            let writer = nodes.writer();
            nodes.kill(writer);
            load.sells(200);
            assert_eq!(nodes.writer(), 1 - writer, "in round {round}");
            // It joins, cuts what nobody was answered, and counts again.
            nodes.run(writer);
            nodes.wait_in_sync(2);
        }
    });
    load::check(&nodes, &bought);
    let writer = nodes.writer();
    nodes.wait_caught_up(1 - writer);
    segments::compare(nodes.data(0), nodes.data(1));
}

#[test]
fn one_copy_of_two_is_waited_for_and_the_other_follows() {
    let Some(mut nodes) = Nodes::start(3, &[]) else { return };
    load::open_sale(&nodes);
    let ((), bought) = load::during(&mut nodes, "three", |nodes, load| {
        load.sells(200);
        let writer = nodes.writer();
        nodes.kill(writer);
        load.sells(200);
        nodes.run(writer);
        nodes.wait_in_sync(2);
        // Whoever counts may go: the other is swapped in.
        let now = nodes.writer();
        let in_sync = nodes.register().register.in_sync;
        let counts = |node: &usize| *node != now && in_sync.contains(&crate::nodes::name(*node));
        let copy = (0..3).find(counts).expect("a copy counts");
        nodes.kill(copy);
        load.sells(200);
        nodes.wait_in_sync(2);
        nodes.run(copy);
    });
    load::check(&nodes, &bought);
    let writer = nodes.writer();
    for node in (0..3).filter(|node| *node != writer) {
        nodes.wait_caught_up(node);
        segments::compare(nodes.data(writer), nodes.data(node));
    }
}

/// It comes back from a pause in which another node has claimed.
#[test]
fn a_writer_that_was_replaced_unawares_ends_with_75() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let (exit, bought) = load::during(&mut nodes, "paused", |nodes, load| {
        load.sells(200);
        let paused = nodes.take(0);
        paused.signal(Signal::STOP);
        load.sells(200);
        assert_eq!(nodes.writer(), 1);
        paused.signal(Signal::CONT);
        let exit = paused.wait();
        nodes.run(0);
        nodes.wait_in_sync(2);
        exit
    });
    assert_eq!(exit.code, Some(AGAIN), "{exit:?}");
    assert!(exit.complaints.contains("another node was made the writer"), "{exit:?}");
    load::check(&nodes, &bought);
    nodes.wait_caught_up(0);
    segments::compare(nodes.data(0), nodes.data(1));
}

#[test]
fn a_writer_that_is_stopped_hands_over_first() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let (exit, bought) = load::during(&mut nodes, "stopped", |nodes, load| {
        load.sells(200);
        let exit = nodes.stop(0);
        load.sells(200);
        assert_eq!(nodes.writer(), 1);
        nodes.run(0);
        nodes.wait_in_sync(2);
        exit
    });
    exit.stopped();
    assert!(exit.complaints.contains("handed over"), "{exit:?}");
    load::check(&nodes, &bought);
    nodes.wait_caught_up(0);
    segments::compare(nodes.data(0), nodes.data(1));
}

#[test]
fn an_operator_has_the_role_handed_over() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let (exit, bought) = load::during(&mut nodes, "handed", |nodes, load| {
        load.sells(200);
        let mut client = nodes.client(0).expect("it takes a connection");
        let answer = client.ask(&Ask::new("POST", "/v1/admin/handover"));
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        let exit = nodes.take(0).wait();
        load.sells(200);
        assert_eq!(nodes.writer(), 1);
        nodes.run(0);
        nodes.wait_in_sync(2);
        exit
    });
    assert_eq!(exit.code, Some(AGAIN), "{exit:?}");
    load::check(&nodes, &bought);
}

#[test]
fn without_the_arbiter_the_sale_goes_on() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let ((), bought) = load::during(&mut nodes, "arbiter", |nodes, load| {
        load.sells(100);
        nodes.members.kill(0);
        load.sells(500);
        nodes.members.restart(0);
        load.sells(100);
        // And roles change again.
        nodes.kill(0);
        load.sells(100);
    });
    load::check(&nodes, &bought);
}

/// Its directory is gone: it is filled from a snapshot and from what follows.
#[test]
fn an_empty_node_is_filled_and_counts() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    load::open_sale(&nodes);
    let ((), bought) = load::during(&mut nodes, "empty", |nodes, load| {
        load.sells(200);
        let mut client = nodes.client(0).expect("it takes a connection");
        client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
        nodes.kill(1);
        nodes.wipe(1);
        load.sells(200);
        nodes.run(1);
        nodes.wait_in_sync(2);
        load.sells(200);
        nodes.kill(0);
        load.sells(200);
    });
    load::check(&nodes, &bought);
    nodes.run(0);
    wait::until("the old writer follows", || nodes.status(0).filter(|s| s["role"] == "standby"));
    nodes.wait_caught_up(0);
    segments::compare(nodes.data(0), nodes.data(1));
}

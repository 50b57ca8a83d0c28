//! How often the server asks for memory to answer an order, and to refuse one, beside how often
//! bare hyper asks for some to answer the same bytes.
//!
//! Owns the numbers. Both servers run in this process, one after the other, and whoever asks them
//! asks for no memory meanwhile, so that all of it is theirs: of every thread. What other threads
//! do now and then (ten sweeps of the connections a second) is in the count, so the least of some
//! rounds is taken. One test, because the counters are those of the process. Where what is left
//! comes from is told in `bench/README.md`. Never measures time. Next: `exchange`.

mod bare;
mod exchange;
mod server;

use exchange::Asking;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests of one round.
const REQUESTS: usize = 1_024;
/// One at a time, and some that share turns of the threads.
const CONNECTIONS: [usize; 2] = [1, 16];
/// Rounds, the first of which warms up.
const ROUNDS: usize = 5;
/// Of a whole round, for what is no request's: a table that grows, a sweep of the connections.
/// Far less than one for each request.
const SLACK: usize = REQUESTS / 8;

/// So often less than bare hyper is asked for by a request: the map of an answer's headers, which
/// is two, is that of the request's.
const SPARED: usize = 2;

/// A SKU, and what an order of it is answered.
type Case = (&'static str, u16);
const CASES: [Case; 2] = [("plenty", 201), ("none", 409)];

/// So often memory was asked for until now.
fn asked_for() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// Orders of fresh users under fresh keys, in rounds.
fn rounds(sku: &str, connections: usize) -> Vec<Vec<Vec<u8>>> {
    let order = |number: usize| exchange::order(sku, &format!("{connections}-{number}"));
    let round = |round: usize| (0..REQUESTS).map(|at| order(round * REQUESTS + at)).collect();
    (0..ROUNDS).map(round).collect()
}

/// The least that the requests of a round asked for, with so many under way, and the last answer.
fn least(address: SocketAddr, (sku, status): Case, connections: usize) -> (usize, String) {
    let rounds = rounds(sku, connections);
    let mut asking: Vec<_> = (0..connections).map(|_| Asking::of(address)).collect();
    let mut least = usize::MAX;
    for (number, round) in rounds.iter().enumerate() {
        let before = asked_for();
        for together in round.chunks(connections) {
            asking.iter_mut().zip(together).for_each(|(asking, request)| asking.send(request));
            asking.iter_mut().for_each(|asking| asking.expect(status));
        }
        let asked = asked_for() - before;
        if number > 0 {
            least = least.min(asked);
        }
    }
    (least, asking[0].received())
}

/// An order or its refusal asks for less memory than bare hyper does.
#[test]
fn an_order_asks_for_less_memory_than_bare_hyper_does() {
    let server = server::start();
    server.put("plenty", 1_000_000);
    server.put("none", 0);
    let each = |address, case| CONNECTIONS.map(|connections| least(address, case, connections));
    let ours = CASES.map(|case| each(server.address(), case));
    server.stop();
    for (case, ours) in CASES.into_iter().zip(ours) {
        let bare = each(bare::start(&ours[0].1), case);
        for ((connections, (ours, answer)), (bare, again)) in CONNECTIONS.iter().zip(ours).zip(bare)
        {
            let told = format!(
                "{}, {connections} at a time: {ours} for {REQUESTS} requests, of bare hyper {bare}",
                case.0
            );
            println!("{told}");
            assert_eq!(again.lines().next(), answer.lines().next());
            assert!(bare >= REQUESTS, "the allocator counts: {told}");
            assert!(ours + SPARED * REQUESTS <= bare + SLACK, "{told}");
        }
    }
}

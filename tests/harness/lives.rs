//! What befalls one life of a server, and how it ends.
//!
//! Owns the faults on the real process. A count of answers decides when, so that no clock does. A
//! pause lasts as long as it was drawn: it is the fault itself, and nothing is expected of it.
//! Next: `round`.

use crate::buyers::Shared;
use crate::round::{Place, Round};
use doorbuster_test_directories::history::{check_unchanged, files};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::random::Random;
use doorbuster_test_support::wait::TIMEOUT;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

const MINUTE_MS: i64 = 60_000;
/// How far the clock may be off. The last two are too far for a start.
const OFFSETS_MS: [i64; 8] = [
    0,
    -2 * MINUTE_MS,
    5 * MINUTE_MS,
    60 * MINUTE_MS,
    26 * 60 * MINUTE_MS,
    3 * 24 * 60 * MINUTE_MS,
    -60 * MINUTE_MS,
    9 * 24 * 60 * MINUTE_MS,
];

/// Answers while the disk is full: few are sold from what is left of the segments, after many there
/// is no room for more.
const FULL_ANSWERS: [u64; 2] = [150, 4_000];

/// What happens while it lives.
#[derive(Debug, Clone, Copy)]
enum Incident {
    /// SIGSTOP, and SIGCONT after so many milliseconds.
    Paused(u64),
    /// Another process of the same directory.
    SecondProcess,
    /// The wall clock is set.
    ClockSet(i64),
    /// The disk is full for so many answers.
    DiskFull(u64),
    /// SIGHUP: tokens, lists and limits are read again.
    HungUp,
}

/// How it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// `kill -9`.
    Killed,
    /// The same, while it is stopped.
    KilledInPause,
    /// SIGTERM.
    Stopped,
    /// SIGTERM, and `kill -9` before it has stopped.
    KilledInStop,
    /// Power is lost: what was not synced is gone.
    PowerCut,
}

/// A life, drawn before it begins.
#[derive(Debug)]
pub(crate) struct Plan {
    /// After so many answers each.
    incidents: Vec<(u64, Incident)>,
    answers: u64,
    pub(crate) end: End,
}

impl Plan {
    pub(crate) fn draw(random: &mut Random, clock: bool, disk: bool) -> Self {
        let incidents = (0..random.below(3))
            .map(|_| (1 + random.below(250), incident(random, clock, disk)))
            .collect();
        let end = match random.below(10) {
            0..4 if disk => End::PowerCut,
            0..6 => End::Killed,
            6 => End::KilledInPause,
            7 => End::KilledInStop,
            _ => End::Stopped,
        };
        Self { incidents, answers: 1 + random.below(500), end }
    }
}

fn incident(random: &mut Random, clock: bool, disk: bool) -> Incident {
    match random.below(10) {
        0..3 => Incident::Paused(20 + random.below(400)),
        3..5 => Incident::SecondProcess,
        5..8 if clock => Incident::ClockSet(OFFSETS_MS[random.place(OFFSETS_MS.len())]),
        8 => Incident::HungUp,
        _ if disk => Incident::DiskFull(FULL_ANSWERS[random.place(FULL_ANSWERS.len())]),
        _ => Incident::Paused(5),
    }
}

fn id(server: &Server) -> Pid {
    i32::try_from(server.id()).ok().and_then(Pid::from_raw).expect("a process")
}

/// From here on none of its threads does anything: each comes to a stop in its own time.
fn pause(server: &Server) {
    kill_process(id(server), Signal::STOP).expect("it still runs");
    waitpid(Some(id(server)), WaitOptions::UNTRACED).expect("a child can be waited for");
}

fn resume(server: &Server) {
    kill_process(id(server), Signal::CONT).expect("it still runs");
}

/// Waits for so many answers.
fn hear(answered: &Receiver<()>, count: u64) {
    for _ in 0..count {
        answered.recv_timeout(TIMEOUT).expect("the server goes on answering");
    }
}

impl Round<'_> {
    /// One life, from here to its end.
    pub(crate) fn live(&mut self, server: Server, plan: &Plan) {
        let Self { shared, buyers, hostile, place, .. } = self;
        let shared: &Shared = shared;
        let address = server.address;
        let (sender, answered) = mpsc::channel();
        shared.ended.store(false, Ordering::SeqCst);
        shared.disk_failed.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            for buyer in buyers {
                let sender = sender.clone();
                scope.spawn(move || buyer.shop(address, shared, &sender));
            }
            for client in hostile {
                let sender = sender.clone();
                scope.spawn(move || client.attack(address, shared, &sender));
            }
            drop(sender);
            for (answers, incident) in &plan.incidents {
                hear(&answered, *answers);
                place.befall(&server, *incident, shared, &answered);
            }
            hear(&answered, plan.answers);
            shared.ended.store(true, Ordering::SeqCst);
            place.end(server, plan.end, shared);
        });
        if let (End::PowerCut, Some(disk)) = (plan.end, &mut place.disk) {
            disk.power_up();
        }
    }
}

impl Place<'_> {
    fn befall(
        &mut self,
        server: &Server,
        incident: Incident,
        shared: &Shared,
        answered: &Receiver<()>,
    ) {
        match incident {
            Incident::Paused(for_ms) => {
                pause(server);
                thread::sleep(Duration::from_millis(for_ms));
                resume(server);
                shared.count("fault: paused by SIGSTOP");
            }
            Incident::SecondProcess => {
                // What the first does meanwhile must not be taken for the second's.
                pause(server);
                let before = files(&self.data());
                let second = self.launch().run();
                assert_eq!((second.code, second.lines.len()), (Some(1), 0), "{second:?}");
                assert!(second.complaints.contains("in use by another process"), "{second:?}");
                check_unchanged(&before, &files(&self.data()));
                resume(server);
                shared.count("fault: second process refused");
            }
            Incident::ClockSet(off_ms) => self.set_clock(off_ms, shared),
            Incident::DiskFull(answers) => {
                let disk = self.disk.as_ref().expect("it lies on a small disk");
                shared.disk_failed.store(true, Ordering::SeqCst);
                disk.fill();
                hear(answered, answers);
                disk.free();
                shared.count("fault: disk full for a while");
            }
            Incident::HungUp => {
                server.hang_up();
                shared.count("server: told to read its settings again");
            }
        }
    }

    fn end(&mut self, server: Server, end: End, shared: &Shared) {
        let exit = match end {
            End::Killed => {
                shared.count("end: killed");
                server.kill()
            }
            End::KilledInPause => {
                pause(&server);
                shared.count("end: killed in a pause");
                server.kill()
            }
            End::KilledInStop => {
                server.terminate();
                shared.count("end: killed in a stop");
                server.kill()
            }
            End::PowerCut => {
                shared.disk_failed.store(true, Ordering::SeqCst);
                self.disk.as_ref().expect("it lies on a small disk").cut_power();
                shared.count("end: power cut");
                server.kill()
            }
            End::Stopped => {
                let exit = server.stop();
                exit.stopped();
                shared.count("end: stopped in order");
                exit
            }
        };
        let may_stop = matches!(end, End::Stopped | End::KilledInStop);
        assert!(exit.code.is_none() || may_stop && exit.code == Some(0), "{end:?}: {exit:?}");
        assert!(!exit.complaints.contains("panicked"), "{end:?}: {exit:?}");
    }
}

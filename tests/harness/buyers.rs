//! Clients on sockets: each asks, notes, listens, and asks again where nothing was heard.
//!
//! Owns connections and retries over all lives of a server. A key belongs to what is wanted, not to
//! the attempt. Never knows what befalls the server, but for its end. Next: `lives`.

use crate::answers::{Said, decided};
use crate::notes::Notes;
use crate::speak;
use crate::understand;
use crate::wishes::{Wishes, name};
use doorbuster::domain::model::answer::Answer as Heard;
use doorbuster::domain::model::command::{Command, Request};
use doorbuster_sim::Tally;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::random::Random;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

/// Attempts of what has no key, before a client turns to something else.
const ATTEMPTS_MAX: u32 = 40;
/// Lines of a batch at most.
const LINES_MAX: u64 = 16;

/// What all clients share.
pub(crate) struct Shared {
    wishes: Mutex<Wishes>,
    pub(crate) notes: Mutex<Notes>,
    pub(crate) tally: Mutex<Tally>,
    /// How far the server's clock is set off, in milliseconds.
    pub(crate) clock_off_ms: AtomicI64,
    /// Whoever loses the connection now need not look for another.
    pub(crate) ended: AtomicBool,
    /// The disk was full in this life, or has lost its power.
    pub(crate) disk_failed: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            wishes: Mutex::new(Wishes::new()),
            notes: Mutex::default(),
            tally: Mutex::default(),
            clock_off_ms: AtomicI64::new(0),
            ended: AtomicBool::new(false),
            disk_failed: AtomicBool::new(false),
        }
    }

    pub(crate) fn count(&self, what: &'static str) {
        locked(&self.tally).count(what);
    }

    fn now(&self) -> u64 {
        let off_ms = self.clock_off_ms.load(Ordering::Relaxed);
        doorbuster_test_support::wait::wall_ms().saturating_add_signed(off_ms)
    }

    /// What some client wants next.
    pub(crate) fn wish(&self, random: &mut Random) -> Arc<Request> {
        let now = self.now();
        locked(&self.wishes).next(random, now)
    }

    /// The journal could not tell it from what was asked under its key before.
    pub(crate) fn contradicts(&self, who: &'static str, key: &str, command: &Command) -> bool {
        locked(&self.wishes).contradicts(who, key, command)
    }

    /// Notes that this is sent.
    pub(crate) fn note(&self, who: &'static str, ask: Ask) -> usize {
        locked(&self.notes).ask(who, ask)
    }

    /// Notes what came.
    pub(crate) fn hear_note(&self, note: usize, said: Said) {
        match said.body["code"].as_str() {
            Some("capacity") => self.count("refused: a table is full"),
            Some("rate_limited") => self.count("refused: asked too often"),
            _ => {}
        }
        locked(&self.notes).hear(note, said);
    }

    /// Notes that it is sent. What is noted must say what is wanted, or it could not be judged.
    fn ask(&self, request: &Request) -> usize {
        self.count("client: attempts");
        let ask = speak::ask(request);
        assert_eq!(understand::command(&ask), request.command, "{ask:?}");
        self.note(name(request), ask)
    }

    /// Notes what came. False if it is to be asked again.
    fn hear(&self, wish: &Wish, note: usize, said: Said) -> bool {
        self.hear_note(note, said.clone());
        let Some(decided) = decided(&wish.request.command, &said, 0) else {
            self.count("client: told to try again");
            return false;
        };
        let mut tally = locked(&self.tally);
        tally.count("client: answers heard");
        if matches!(decided.answered.answer, Heard::Refused(_)) {
            tally.count("client: of these refusals");
        }
        if decided.answered.replayed {
            tally.count("client: of these replayed");
        }
        drop(tally);
        locked(&self.wishes).hear(&wish.request, &decided.answered);
        true
    }
}

#[derive(Debug, Clone)]
struct Wish {
    request: Arc<Request>,
    attempts: u32,
}

/// Somebody who buys, or runs the shop.
pub(crate) struct Buyer {
    random: Random,
    /// What is wanted, first things first.
    wants: VecDeque<Wish>,
}

pub(crate) fn said(answer: &Answer) -> Said {
    let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
    Said { status: answer.status, replayed: answer.is_replayed(), body }
}

impl Buyer {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, wants: VecDeque::new() }
    }

    /// Wants all SKUs put on sale, before anything else.
    pub(crate) fn open(&mut self, shared: &Shared) {
        let opening = locked(&shared.wishes).opening(&mut self.random, shared.now());
        self.wants.extend(opening.into_iter().map(|request| Wish { request, attempts: 0 }));
    }

    /// Asks until the server has ended.
    pub(crate) fn shop(&mut self, address: SocketAddr, shared: &Shared, answered: &Sender<()>) {
        while let Ok(mut connection) = Client::connect(address) {
            loop {
                let ended = shared.ended.load(Ordering::SeqCst);
                match self.step(&mut connection, shared, answered) {
                    Ok(()) => {}
                    Err(_) if ended || shared.ended.load(Ordering::SeqCst) => return,
                    Err(_) => {
                        shared.count("client: lost a connection");
                        break;
                    }
                }
            }
        }
    }

    /// Asks on until all that it wants is answered.
    pub(crate) fn settle(&mut self, connection: &mut Client, shared: &Shared) {
        doorbuster_test_support::wait::until("everybody is answered in the end", || {
            if self.wants.is_empty() {
                return Some(());
            }
            self.one(connection, shared).expect("the server goes on answering");
            None
        });
    }

    fn step(
        &mut self,
        connection: &mut Client,
        shared: &Shared,
        answered: &Sender<()>,
    ) -> io::Result<()> {
        if self.wants.is_empty() {
            self.want(shared);
        }
        let answers = match self.random.below(100) {
            0..4 => return self.turn_away(connection, shared),
            4..12 => self.many(connection, shared)?,
            _ => {
                self.one(connection, shared)?;
                1
            }
        };
        // Nobody counts any more once the server is to end.
        let _ = (0..answers).try_for_each(|_| answered.send(()));
        Ok(())
    }

    fn want(&mut self, shared: &Shared) {
        let request = locked(&shared.wishes).next(&mut self.random, shared.now());
        self.wants.push_back(Wish { request, attempts: 0 });
    }

    /// Still wants it. What has a key is wanted until it is answered.
    fn keep(&mut self, mut wish: Wish, shared: &Shared) {
        wish.attempts += 1;
        if wish.request.key.is_some() || wish.attempts < ATTEMPTS_MAX {
            self.wants.push_front(wish);
        } else {
            shared.count("client: gave up");
        }
    }

    /// Asks for the first thing it wants. False if it still wants it.
    fn one(&mut self, connection: &mut Client, shared: &Shared) -> io::Result<bool> {
        let wish = self.wants.pop_front().expect("it wants something");
        let note = shared.ask(&wish.request);
        let ask = speak::ask(&wish.request).token(name(&wish.request));
        match connection.send(&ask) {
            Ok(answer) => {
                let done = shared.hear(&wish, note, said(&answer));
                if !done {
                    self.keep(wish, shared);
                }
                Ok(done)
            }
            Err(error) => {
                self.keep(wish, shared);
                Err(error)
            }
        }
    }

    /// Asks, and does not stay for the answer.
    fn turn_away(&mut self, connection: &mut Client, shared: &Shared) -> io::Result<()> {
        let wish = self.wants.pop_front().expect("it wants something");
        shared.ask(&wish.request);
        let ask = speak::ask(&wish.request).token(name(&wish.request));
        let sent = connection.write(&ask.bytes());
        self.keep(wish, shared);
        sent?;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Asks for much at once; how much was answered.
    fn many(&mut self, connection: &mut Client, shared: &Shared) -> io::Result<usize> {
        let batch = self.batch(shared);
        let Some(first) = batch.front() else {
            return self.one(connection, shared).map(usize::from);
        };
        let line = |wish: &Wish| speak::line(&wish.request).expect("it can be a line");
        let lines: Vec<String> = batch.iter().map(line).collect();
        let ask = Ask::batch(&lines.join("\n")).token(name(&first.request));
        let notes = batch.iter().map(|wish| shared.ask(&wish.request)).collect();
        shared.count("client: batches");
        let mut asked = Asked { batch, notes, again: VecDeque::new(), answered: 0 };
        let heard = asked.hear(connection, &ask, shared);
        // What was not answered is asked again, one by one.
        for wish in asked.again.into_iter().chain(asked.batch).rev() {
            self.keep(wish, shared);
        }
        heard.map(|()| asked.answered)
    }

    /// What one principal wants that can stand in a batch; the rest stays wanted.
    fn batch(&mut self, shared: &Shared) -> VecDeque<Wish> {
        for _ in 0..self.random.between(1, LINES_MAX) {
            self.want(shared);
        }
        let mut batch: VecDeque<Wish> = VecDeque::new();
        let mut rest = VecDeque::new();
        for wish in self.wants.drain(..) {
            let fits =
                batch.front().is_none_or(|first| name(&first.request) == name(&wish.request));
            let whole = fits && speak::line(&wish.request).is_some();
            if whole { batch.push_back(wish) } else { rest.push_back(wish) }
        }
        self.wants = rest;
        batch
    }
}

/// A batch on its way.
struct Asked {
    /// What has no answer yet.
    batch: VecDeque<Wish>,
    notes: VecDeque<usize>,
    /// What it was told to try again.
    again: VecDeque<Wish>,
    answered: usize,
}

impl Asked {
    /// Hears line by line, so that what came before a loss counts.
    fn hear(&mut self, connection: &mut Client, ask: &Ask, shared: &Shared) -> io::Result<()> {
        connection.write(&ask.bytes())?;
        let head = connection.head()?;
        if head.status != 200 {
            assert!(matches!(head.status, 429 | 503), "a batch is answered {head:?}");
            shared.count("client: told to try again");
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut text = Vec::new();
        while let Some(chunk) = connection.chunk()? {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                self.take(&line, shared);
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8], shared: &Shared) {
        let answer: Value = serde_json::from_slice(line).expect("a line is an answer");
        let (Some(wish), Some(note)) = (self.batch.pop_front(), self.notes.pop_front()) else {
            panic!("more answers than lines: {answer}");
        };
        let status = answer["status"].as_u64().and_then(|status| status.try_into().ok());
        let status = status.unwrap_or_else(|| panic!("no status in {answer}"));
        let replayed = answer["replayed"] == true;
        if !shared.hear(&wish, note, Said { status, replayed, body: answer["body"].clone() }) {
            self.again.push_back(wish);
        }
        self.answered += 1;
    }
}

//! A client that means no good, beside those that buy: nearly valid requests, odd messages,
//! requests that are cut, replays, keys and orders of others, everything from a seed.
//!
//! Owns what is sent and the first look at what comes back: it has the form of the contract's
//! answers, is no fault of the server's, and never accepts what means nothing. What may have been
//! done is noted as any client's request and judged with the others; what must never be done is not
//! noted, so that the witness finds it in the journal if it was. Next: `distort`, `framing`,
//! `form`.

use crate::buyers::{Shared, said};
use crate::distort;
use crate::form::{check_answer, check_body, refuses_shape};
use crate::framing::{self, Message};
use crate::notes::PRINCIPALS;
use crate::speak;
use crate::understand::{Meaning, meaning};
use crate::wishes::{may, name};
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::random::Random;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

/// Requests behind each other on one connection.
const PIPELINED_MAX: u64 = 6;
const LINES_MAX: u64 = 8;
/// What it sends again is one of so many.
const PAST_MAX: usize = 200;

/// What the witness does not judge.
const BESIDE: [(&str, &str); 14] = [
    ("GET", "/livez"),
    ("GET", "/metrics"),
    ("GET", "/v1/latency.hgrm?stage=x"),
    ("GET", "/v1/events?after=18446744073709551615"),
    ("GET", "/v1/events?after=18446744073709551616"),
    ("GET", "/v1/events?after=zzzzzzzz-5&limit=1000"),
    ("GET", "/v1/events?after=0&limit=3"),
    ("GET", "/v1/events?after=1-1&limit=1001"),
    ("HEAD", "/v1/orders"),
    ("HEAD", "/v1/skus/A"),
    ("OPTIONS", "/v1/orders"),
    ("TRACE", "/v1/orders"),
    ("POST", "/v1/admin/snapshot"),
    ("PURGE", "/v1/skus/A"),
];

const BAD_TOKENS: [&str; 6] =
    ["Bearer nobody", "Bearer", "Bearer east west", "Basic ZWFzdDo=", "east", ""];

/// What may become of a request.
enum Hope {
    /// It has this note.
    Noted(usize),
    /// It is answered somehow.
    Beside,
    /// It is refused.
    Refused,
}

/// A request on its way.
struct Sent {
    who: &'static str,
    ask: Ask,
    hope: Hope,
}

/// The client.
pub(crate) struct Hostile {
    random: Random,
    past: Vec<(&'static str, Ask)>,
}

impl Hostile {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, past: Vec::new() }
    }

    /// Asks until the server has ended.
    pub(crate) fn attack(&mut self, address: SocketAddr, shared: &Shared, answered: &Sender<()>) {
        while let Ok(mut connection) = Client::connect(address) {
            loop {
                let ended = shared.ended.load(Ordering::SeqCst);
                match self.step(address, &mut connection, shared) {
                    Ok(answers) => {
                        // Nobody counts any more once the server is to end.
                        let _ = (0..answers).try_for_each(|_| answered.send(()));
                    }
                    Err(_) if ended || shared.ended.load(Ordering::SeqCst) => return,
                    Err(_) => break,
                }
            }
        }
    }

    /// One exchange; how much was answered.
    fn step(
        &mut self,
        address: SocketAddr,
        connection: &mut Client,
        shared: &Shared,
    ) -> io::Result<usize> {
        match self.random.below(20) {
            0..10 => self.pipelined(connection, shared),
            10..14 => self.batch(connection, shared),
            14..17 => {
                let (_, ask) = self.wanted(shared);
                let message = framing::cut(&mut self.random, &ask);
                shared.count("hostile: cut");
                self.alone(address, &message, None, shared)
            }
            _ => {
                let (who, ask) = self.with_a_body(shared);
                let message = framing::odd(&mut self.random, &ask.clone().token(who));
                shared.count("hostile: oddly framed");
                self.alone(address, &message, message.may_be_done.then_some((who, ask)), shared)
            }
        }
    }

    /// A request, near a valid one or one, of some principal.
    fn wanted(&mut self, shared: &Shared) -> (&'static str, Ask) {
        if !self.past.is_empty() && self.random.percent(12) {
            return self.past[self.random.place(self.past.len())].clone();
        }
        loop {
            let wish = shared.wish(&mut self.random);
            let (mut who, mut ask) = (name(&wish), speak::ask(&wish));
            if self.random.percent(65) {
                ask = distort::request(&mut self.random, ask);
            }
            if self.random.percent(15) {
                who = PRINCIPALS[self.random.place(PRINCIPALS.len())];
            }
            if Self::is_ambiguous(who, &ask, shared) {
                continue;
            }
            let at = self.random.place(PAST_MAX);
            match self.past.get_mut(at) {
                Some(past) => *past = (who, ask.clone()),
                None => self.past.push((who, ask.clone())),
            }
            return (who, ask);
        }
    }

    /// A request that means nothing without its whole body.
    fn with_a_body(&mut self, shared: &Shared) -> (&'static str, Ask) {
        loop {
            let wish = shared.wish(&mut self.random);
            let (who, ask) = (name(&wish), speak::ask(&wish));
            let empty = Ask { body: None, ..ask.clone() };
            let is_bodied = ask.body.is_some() && meaning(&empty) == Meaning::Nothing;
            if is_bodied && !Self::is_ambiguous(who, &ask, shared) {
                return (who, ask);
            }
        }
    }

    /// The journal would not tell whether it was done.
    fn is_ambiguous(who: &'static str, ask: &Ask, shared: &Shared) -> bool {
        match meaning(ask) {
            Meaning::Asks(asked) => {
                asked.key.is_some_and(|key| shared.contradicts(who, &key, &asked.command))
            }
            _ => false,
        }
    }

    fn next(&mut self, shared: &Shared) -> Sent {
        if self.random.percent(8) {
            let (method, path) = BESIDE[self.random.place(BESIDE.len())];
            let who = PRINCIPALS[self.random.place(PRINCIPALS.len())];
            return Sent { who, ask: Ask::new(method, path).token(who), hope: Hope::Beside };
        }
        let (who, ask) = self.wanted(shared);
        if self.random.percent(4) {
            let bad = BAD_TOKENS[self.random.place(BAD_TOKENS.len())];
            return Sent { who, ask: ask.header("Authorization", bad), hope: Hope::Refused };
        }
        let note = shared.note(who, ask.clone());
        Sent { who, ask: ask.token(who), hope: Hope::Noted(note) }
    }

    /// Some requests at once, each answered in its turn.
    fn pipelined(&mut self, connection: &mut Client, shared: &Shared) -> io::Result<usize> {
        let count = self.random.between(1, PIPELINED_MAX);
        let sent: Vec<Sent> = (0..count).map(|_| self.next(shared)).collect();
        let bytes: Vec<u8> = sent.iter().flat_map(|sent| sent.ask.bytes()).collect();
        connection.write(&bytes)?;
        for sent in &sent {
            let answer = final_answer(connection, sent.ask.method == "HEAD")?;
            sent.hear(&answer, shared);
            if answer.header("Connection") == Some("close") {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(sent.len())
    }

    fn batch(&mut self, connection: &mut Client, shared: &Shared) -> io::Result<usize> {
        let who = PRINCIPALS[self.random.place(PRINCIPALS.len())];
        let mut lines = Vec::new();
        for _ in 0..self.random.between(1, LINES_MAX) {
            let wish = shared.wish(&mut self.random);
            let Some(line) = speak::line(&wish) else { continue };
            let line = match self.random.percent(60) {
                true => distort::json(&mut self.random, &line),
                false => line,
            };
            let ask = Ask::batch(&line);
            if !Self::is_ambiguous(who, &ask, shared) {
                lines.push((
                    line,
                    Sent { who, hope: Hope::Noted(shared.note(who, ask.clone())), ask },
                ));
            }
        }
        let text: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
        connection.write(&Ask::batch(&text.join("\n")).token(who).bytes())?;
        let answer = final_answer(connection, false)?;
        check_answer(&answer, false);
        shared.count("hostile: batches");
        if answer.status != 200 {
            return Ok(1);
        }
        let answers = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for ((_, sent), line) in lines.iter().zip(answers) {
            let line: Value = serde_json::from_slice(line).expect("a line is an answer");
            let status = line["status"].as_u64().and_then(|status| status.try_into().ok());
            let status = status.unwrap_or_else(|| panic!("no status in {line}"));
            check_body(status, &line["body"]);
            let replayed = line["replayed"] == true;
            let said = crate::answers::Said { status, replayed, body: line["body"].clone() };
            sent.note(said, shared);
        }
        Ok(lines.len().max(1))
    }

    /// A message on a connection of its own, which ends behind it.
    fn alone(
        &mut self,
        address: SocketAddr,
        message: &Message,
        noted: Option<(&'static str, Ask)>,
        shared: &Shared,
    ) -> io::Result<usize> {
        let first = noted.map(|(who, ask)| {
            let note = shared.note(who, ask.clone());
            Sent { who, hope: Hope::Noted(note), ask }
        });
        let mut connection = Client::connect(address)?;
        // The server may answer, and stop reading, long before the last byte.
        let _ = connection.write(&message.bytes).and_then(|()| connection.end());
        let mut answers = 0;
        loop {
            match final_answer(&mut connection, false) {
                Ok(answer) => {
                    check_answer(&answer, false);
                    let text = || String::from_utf8_lossy(&message.bytes).into_owned();
                    match &first {
                        Some(sent) if answers == 0 => sent.note(said(&answer), shared),
                        _ => assert!(answer.status >= 300, "{answer:?} to {}", text()),
                    }
                    answers += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => panic!("{error}"),
                Err(_) => return Ok(answers.max(1)),
            }
        }
    }
}

/// The next answer that is no leave to go on.
fn final_answer(connection: &mut Client, to_head: bool) -> io::Result<Answer> {
    loop {
        let answer = connection.read(to_head)?;
        if answer.status >= 200 {
            return Ok(answer);
        }
    }
}

impl Sent {
    fn hear(&self, answer: &Answer, shared: &Shared) {
        // What reads or writes files says why it cannot, where the disk is full or without power.
        let disk_failed = shared.disk_failed.load(Ordering::SeqCst);
        if matches!(self.hope, Hope::Beside) && answer.status == 500 && disk_failed {
            shared.count("hostile: snapshot or events of a disk that fails");
            return;
        }
        check_answer(answer, self.ask.method == "HEAD");
        shared.count("hostile: requests answered");
        match self.hope {
            Hope::Beside => {}
            Hope::Refused => assert!(answer.status >= 300, "{answer:?} to {:?}", self.ask),
            Hope::Noted(_) => {
                let said = said(answer);
                // A cursor must be one of its list, which its text alone does not tell.
                let is_refused = refuses_shape(&said.body) && !self.ask.path.contains("cursor=");
                let is_asked = match meaning(&self.ask) {
                    Meaning::Asks(asked) => may(self.who, &asked.command),
                    _ => false,
                };
                assert!(!(is_asked && is_refused), "{answer:?} to {:?}", self.ask);
                self.note(said, shared);
            }
        }
    }

    fn note(&self, said: crate::answers::Said, shared: &Shared) {
        let Hope::Noted(note) = self.hope else { return };
        shared.count(match said.status {
            200..300 => "hostile: accepted, and judged",
            _ if said.body.get("seq").is_some() => "hostile: refused by the rules, and judged",
            _ => "hostile: refused before",
        });
        shared.hear_note(note, said);
    }
}

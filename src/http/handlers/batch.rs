//! `POST /v1/batch`: many requests in one body, many answers in another (API 5).
//!
//! Owns the way of a batch: lines are read and asked while there is room, up to a quarter of the
//! ring; answers are rendered in the order of the lines as they come. A task of its own, so that a
//! client that sends all before it reads anything is read to the end; what it has not taken yet is
//! bounded for all batches of the IO thread together. Never decides what a line means: that is
//! `routes`. Next: `ndjson`, `routes::batch`.

use super::batch_times::BatchTimes;
use super::mode;
use super::submit::Submit;
use crate::http::admission::{Requester, Share, user};
use crate::http::connection::connection_state::ConnectionState;
use crate::http::operations::{labels, request_metrics};
use crate::http::request::ndjson::Lines;
use crate::http::response::answers::{self, OrderEcho};
use crate::http::response::json_writer::Json;
use crate::http::response::payload::Pieces;
use crate::http::response::problem::Refused;
use crate::http::routes::WriterRequest;
use crate::http::routes::batch::{BatchContext, question};
use crate::http::worker::Worker;
use crate::ring::{BATCH_WAITING_MAX, Rank, SubmitError};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::task::{JoinHandle, coop};

/// Handed to hyper at once, at most.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Begins to answer; the first line was read already.
pub(in crate::http) fn begin<A: Submit>(
    (worker, peer): (Rc<Worker<A>>, Rc<ConnectionState>),
    (asker, client, times): (BatchContext, IpAddr, BatchTimes),
    first: Bytes,
    lines: Lines,
) -> Answers {
    let out = Rc::new(Out::new(worker.answers_bytes.clone()));
    let batch = Batch {
        worker,
        peer,
        asker,
        client,
        lines,
        next: Next::Line(first),
        in_flight: VecDeque::new(),
        times,
        text: Json::new(),
        out: out.clone(),
    };
    Answers { out, task: tokio::task::spawn_local(batch) }
}

/// Rendered answers on their way to the client.
struct Out {
    bytes: RefCell<BytesMut>,
    ended: Cell<bool>,
    /// The response waits for bytes.
    taker: Cell<Option<Waker>>,
    /// The batch waits until some are taken.
    maker: Cell<Option<Waker>>,
    /// Of all batches of this IO thread.
    all_bytes: Rc<Cell<usize>>,
}

impl Out {
    fn new(all_bytes: Rc<Cell<usize>>) -> Self {
        Self {
            bytes: RefCell::default(),
            ended: Cell::new(false),
            taker: Cell::default(),
            maker: Cell::default(),
            all_bytes,
        }
    }

    fn push(&self, text: &[u8]) {
        self.bytes.borrow_mut().extend_from_slice(text);
        self.all_bytes.set(self.all_bytes.get() + text.len());
    }

    fn take(&self) -> Option<Bytes> {
        let mut bytes = self.bytes.borrow_mut();
        let taken = bytes.len().min(PIECE_BYTES_MAX);
        self.all_bytes.set(self.all_bytes.get() - taken);
        (taken > 0).then(|| bytes.split_to(taken).freeze())
    }

    fn len(&self) -> usize {
        self.bytes.borrow().len()
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.all_bytes.set(self.all_bytes.get() - self.bytes.get_mut().len());
    }
}

fn wake(waiting: &Cell<Option<Waker>>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

/// The response's body. Dropping it ends the batch: lines that were not asked yet never are.
pub(in crate::http) struct Answers {
    out: Rc<Out>,
    task: JoinHandle<()>,
}

impl Pieces for Answers {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(piece) = self.out.take() {
            wake(&self.out.maker);
            return Poll::Ready(Some(piece));
        }
        if self.out.ended.get() {
            return Poll::Ready(None);
        }
        self.out.taker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is read next.
enum Next {
    /// Whatever comes.
    Read,
    /// This line, not looked at yet.
    Line(Bytes),
    /// A line that found no room in the ring.
    Held(Box<WriterRequest>),
    /// Nothing; where the stream was at fault, or its client may not ask any more, that is told
    /// last.
    End(Option<Refused>),
}

/// A line that was read.
enum Entry<W> {
    OrderEcho(InFlightKeys<W>),
    Refused(Refused),
}

/// A line that the writer was asked.
struct InFlightKeys<W> {
    waiting: W,
    asked: Option<OrderEcho>,
    /// The number that it is counted by.
    command: usize,
    /// When it went into the ring, if it is timed.
    published_ns: u64,
}

/// The task of one batch.
struct Batch<A: Submit> {
    worker: Rc<Worker<A>>,
    /// Whose connection it comes on.
    peer: Rc<ConnectionState>,
    asker: BatchContext,
    /// Whose batch it is, by address.
    client: IpAddr,
    lines: Lines,
    next: Next,
    /// In the order of the lines.
    in_flight: VecDeque<Entry<A::PendingReply>>,
    times: BatchTimes,
    text: Json,
    out: Rc<Out>,
}

/// Its fields are never pinned.
impl<A: Submit> Unpin for Batch<A> {}

impl<A: Submit> Future for Batch<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let batch = &mut *self;
        batch.take_turn(context);
        let ended = batch.in_flight.is_empty() && batch.end();
        batch.out.ended.set(ended);
        if ended || batch.out.len() > 0 {
            wake(&batch.out.taker);
        }
        if ended { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<A: Submit> Batch<A> {
    fn is_full(&self) -> bool {
        self.in_flight.len() >= BATCH_WAITING_MAX
    }

    /// Reads lines and renders answers in turn, until something has to come first: bytes, room in
    /// the ring, an answer, or a client that takes answers. Each of them wakes the task. A turn is
    /// bounded by tokio's budget of a task, 128 steps: the task then goes on after the other
    /// connections of its IO thread, or a few unlimited batches would hold up each single request
    /// for thousands of lines.
    fn take_turn(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(step) = coop::poll_proceed(context) {
            let has_read = self.read(context);
            let has_rendered = self.render(context);
            if !has_read && !has_rendered {
                break;
            }
            step.made_progress();
        }
        self.times.told(&self.worker);
    }

    /// Reads or asks the next line; false if something has to come first.
    fn read(&mut self, context: &mut Context<'_>) -> bool {
        if self.is_full() || !self.may_read(context) {
            return false;
        }
        match std::mem::replace(&mut self.next, Next::Read) {
            Next::Read => self.read_line(context),
            Next::Line(line) => self.look(context, &line),
            Next::Held(question) => self.offer(context, *question),
            end @ Next::End(_) => {
                self.next = end;
                false
            }
        }
    }

    fn may_read(&self, context: &Context<'_>) -> bool {
        let limits = self.worker.limits.get();
        let may = self.out.len() <= limits.batch_answers_bytes
            || self.out.all_bytes.get() <= limits.answers_bytes_max;
        if !may {
            self.out.maker.set(Some(context.waker().clone()));
        }
        may
    }

    fn read_line(&mut self, context: &mut Context<'_>) -> bool {
        let Poll::Ready(line) = self.lines.poll_line(context) else { return false };
        self.next = match line {
            Ok(Some(line)) => Next::Line(line),
            Ok(None) => Next::End(None),
            Err(fault) => Next::End(Some(fault)),
        };
        true
    }

    fn look(&mut self, context: &Context<'_>, line: &[u8]) -> bool {
        // It may go on for as long as its client likes, and is one request to what was checked
        // before.
        if let Err(gone) = self.worker.still_admits(&self.peer, self.client) {
            self.next = Next::End(Some(gone));
            return true;
        }
        let front = &*self.worker.front;
        let looked = match mode::not_served(front, false) {
            Some(refused) => Err(refused),
            None => match question(line, &self.asker) {
                Ok(question) => mode::admits(front, &question.request.command)
                    .and_then(|()| self.charge(question)),
                // To its address it is a request like others.
                Err(refused) => {
                    Err(self.worker.charge_line(self.client, Share::Own).err().unwrap_or(refused))
                }
            },
        };
        match looked {
            Ok(question) => self.offer(context, question),
            Err(refused) => {
                self.in_flight.push_back(Entry::Refused(refused));
                true
            }
        }
    }

    /// A line is one request to the buckets, as it would be alone; what is too much for the server
    /// waits.
    fn charge(&self, question: WriterRequest) -> Result<WriterRequest, Refused> {
        let principal = self.asker.principal.name.as_str();
        let command = &question.request.command;
        let rank = Rank::of(command, false);
        self.worker.charge_line(self.client, Share::of_urgent(rank == Rank::Urgent))?;
        let requester = Requester { principal, user: user(command), rank };
        self.worker.charge(requester, None).map(|_| question)
    }

    /// Publishes a line; where there is no room, it waits for some.
    fn offer(&mut self, context: &Context<'_>, question: WriterRequest) -> bool {
        let WriterRequest { request, deadline_ms } = question;
        let asked = OrderEcho::of(&request);
        let command = labels::command_number(&request.command);
        let now_ns = self.worker.front.clock.elapsed_ns();
        let published_ns = if self.worker.front.timed { now_ns } else { 0 };
        let mut request = Some(request);
        let lane = &*self.worker.lane;
        let holds = || {
            let undecided = || lane.undecided();
            let looks = (undecided, || self.worker.front.cursors.syncs());
            self.worker.admission.holds_bulk(lane.load(), looks, now_ns / 1_000_000)
        };
        let mut offer = || match holds() {
            // Some are under way, and the next that comes home is room.
            true => Err(SubmitError::Overloaded),
            false => lane.offer(&mut request, deadline_ms),
        };
        let mut offered = offer();
        if matches!(offered, Err(SubmitError::Overloaded)) {
            lane.wake_when_room(context.waker());
            offered = offer();
        }
        match (offered, request) {
            (Ok(waiting), _) => {
                self.worker.meter().count_published();
                self.times.asked(published_ns);
                let in_flight = InFlightKeys { waiting, asked, command, published_ns };
                self.in_flight.push_back(Entry::OrderEcho(in_flight));
            }
            (Err(SubmitError::Overloaded), Some(request)) => {
                self.next = Next::Held(Box::new(WriterRequest { request, deadline_ms }));
                return false;
            }
            (Err(why), _) => self.in_flight.push_back(Entry::Refused(answers::not_taken(why))),
        }
        true
    }

    /// Renders the next answer; false if the first line still waits for its own.
    fn render(&mut self, context: &mut Context<'_>) -> bool {
        let outcome = match self.in_flight.front_mut() {
            None => return false,
            Some(Entry::Refused(_)) => None,
            Some(Entry::OrderEcho(line)) => {
                let Poll::Ready(arrived) = Pin::new(&mut line.waiting).poll(context) else {
                    return false;
                };
                self.times.arrived(&self.worker, line.published_ns, arrived.times);
                Some(arrived.outcome)
            }
        };
        self.text.clear();
        match (self.in_flight.pop_front(), outcome) {
            (Some(Entry::OrderEcho(InFlightKeys { asked, command, .. })), Some(outcome)) => {
                let front = &self.worker.front;
                request_metrics::count_hot(&self.worker, asked.as_ref(), &outcome);
                let told = answers::line(&mut self.text, front, asked.as_ref(), outcome);
                request_metrics::count_line(&self.worker, command, told);
            }
            (Some(Entry::Refused(refused)), _) => {
                answers::refused_line(&mut self.text, refused);
            }
            _ => return false,
        }
        self.out.push(self.text.bytes());
        true
    }

    /// Everything is read and answered; tells what was wrong with the stream.
    fn end(&mut self) -> bool {
        let Next::End(fault) = &mut self.next else { return false };
        if let Some(fault) = fault.take() {
            self.text.clear();
            answers::fault_line(&mut self.text, fault);
            self.out.push(self.text.bytes());
        }
        self.times.end(&self.worker);
        true
    }
}

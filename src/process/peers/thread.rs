//! The thread that keeps this node together with the others: it brings what happens to the one object
//! that decides, and does what that says.
//!
//! Owns the order in which things are done: what an output asks for is done before the next input is
//! taken. Never decides who writes, what is settled or what is sent: that is `copies`. Next:
//! `copies::node`, `links`, `arbiter_calls`.

use super::arbiter_calls::{ArbiterCalls, Call, Reply};
use super::digests::{Digested, Digests};
use super::error::ClusterError;
use super::event::{ClusterEvent, Order};
use super::link::LinkEvent;
use super::links::Links;
use super::register_watch::RegisterWatch;
use crate::cluster::arbiter::Arbiter;
use crate::cluster::node::Nodes;
use crate::cluster::role::EndReason;
use crate::copies::node::{ClusterNode, Input, LinkId, Output};
use crate::copies::replica::Replica;
use crate::domain::model::ids::Sequence;
use crate::ring::CopyProgress;
use crate::shared::clock::Clock;
use crate::shared::standing::{Standing, StandingCell};
use std::cell::Cell;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::task::yield_now;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Time passes in steps of this: beats, leases and silences are a few of them.
const TICK: Duration = Duration::from_millis(20);

/// The same reason of closed links is told so often.
const AGAIN_MS: u64 = 10_000;

/// What the thread works with.
pub(super) struct Parts<R, A> {
    pub(super) clock: Clock,
    pub(super) nodes: Nodes,
    pub(super) links: Links,
    pub(super) calls: ArbiterCalls<A>,
    pub(super) watch: RegisterWatch,
    pub(super) progress: CopyProgress,
    pub(super) standing: Arc<StandingCell>,
    pub(super) digests: Digests,
    pub(super) orders: Receiver<Order>,
    pub(super) events: Sender<ClusterEvent<R>>,
}

/// The thread's own.
pub(super) struct ClusterThread<R: Replica, A> {
    parts: Parts<R, A>,
    node: ClusterNode<PathBuf, R>,
    outputs: Vec<Output>,
    /// Links that others have asked for, counted.
    accepted: Cell<LinkId>,
    /// What of the own journal was told last; none while another thread does not write it.
    moved: Option<(Sequence, Sequence)>,
    /// Something came, and what can wait was not done since.
    is_busy: bool,
    /// Why a link was closed, and when that was told.
    told: Option<(String, u64)>,
    ended: bool,
}

/// What the thread has waited for.
enum Wakeup {
    Tick,
    Moved,
    Link(LinkEvent),
    Reply(Reply),
    Order(Option<Order>),
    Digested(Digested),
    /// Nothing, although others had their turn.
    Nothing,
}

fn ticks() -> Interval {
    let mut ticks = interval(TICK);
    // After a pause of the process one tick tells how late it is.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl<R: Replica, A: Arbiter + Send + Sync + 'static> ClusterThread<R, A> {
    pub(super) fn new(parts: Parts<R, A>, node: ClusterNode<PathBuf, R>) -> Self {
        Self {
            parts,
            node,
            outputs: Vec::new(),
            accepted: Cell::new(0),
            moved: None,
            is_busy: false,
            told: None,
            ended: false,
        }
    }

    /// Goes on until this node ends.
    pub(super) async fn run(mut self) {
        let mut ticks = ticks();
        while !self.ended {
            let happened = self.wait(&mut ticks).await;
            if let Err(error) = self.take(happened) {
                self.fail(error);
            }
        }
        self.parts.links.finish().await;
    }

    fn fail(&mut self, error: ClusterError) {
        self.ended = true;
        // Where nobody listens the process is about to end.
        let _ = self.parts.events.send(ClusterEvent::Ended(error));
    }

    async fn wait(&mut self, ticks: &mut Interval) -> Wakeup {
        let Self { parts, accepted, moved, is_busy, .. } = self;
        let next_link = || {
            accepted.set(accepted.get() + 1);
            accepted.get()
        };
        let progress = &parts.progress;
        tokio::select! {
            biased;
            order = parts.orders.recv() => Wakeup::Order(order),
            () = poll_fn(|context| journal_moved(progress, *moved, context)) => Wakeup::Moved,
            event = parts.links.next(next_link) => Wakeup::Link(event),
            reply = parts.calls.reply() => Wakeup::Reply(reply),
            digested = parts.digests.next() => Wakeup::Digested(digested),
            _ = ticks.tick() => Wakeup::Tick,
            // What is to be sent is sent meanwhile.
            () = yield_now(), if *is_busy => Wakeup::Nothing,
        }
    }

    fn take(&mut self, happened: Wakeup) -> Result<(), ClusterError> {
        self.is_busy = !matches!(happened, Wakeup::Nothing);
        match happened {
            Wakeup::Nothing => self.tell(Input::Idle),
            Wakeup::Tick => {
                if self.moved.is_none() {
                    // For the watchdog: whoever has the journal lives.
                    self.parts.progress.cursors().count_turn();
                }
                let settled = self.parts.progress.cursors().settled();
                self.parts.digests.look(self.moved.is_some(), settled);
                self.tell(Input::Tick)
            }
            Wakeup::Moved => self.tell_moved(),
            Wakeup::Link(LinkEvent::Opened(link, to)) => self.tell(Input::Opened { link, to }),
            Wakeup::Link(LinkEvent::Received(link, bytes)) => {
                self.tell(Input::Received { link, bytes: &bytes })
            }
            Wakeup::Link(LinkEvent::Drained(link)) => self.tell(Input::Writable { link }),
            Wakeup::Link(LinkEvent::Closed(link, why)) => {
                self.tell_closed(&why);
                self.tell(Input::Closed { link })
            }
            Wakeup::Digested(Digested::Taken(sequence, digest)) => {
                self.tell(Input::ImageTaken { sequence, digest })
            }
            Wakeup::Digested(Digested::Differs(sequence)) => {
                self.tell(Input::DigestDiffers { sequence })
            }
            Wakeup::Reply(reply) => self.take_reply(reply),
            Wakeup::Order(Some(order)) => self.carry_out(order),
            // The server stops.
            Wakeup::Order(None) => {
                self.ended = true;
                let replica = self.node.take_replica();
                self.event(ClusterEvent::Left { replica });
                Ok(())
            }
        }
    }

    fn take_reply(&mut self, reply: Reply) -> Result<(), ClusterError> {
        match reply {
            Reply::Read(read) => {
                if let Ok(held) = &read {
                    self.parts.watch.look_at(held.as_ref())?;
                }
                self.tell(Input::RegisterRead(read))
            }
            Reply::Swapped(operation, outcome) => {
                self.tell(Input::RegisterSwapped(operation, outcome))
            }
        }
    }

    fn carry_out(&mut self, order: Order) -> Result<(), ClusterError> {
        match order {
            Order::Began { journal, started, settled, history } => {
                self.moved = Some((0, 0));
                self.tell(Input::Began { journal, started, settled, history })
            }
            Order::HandOver { to } => {
                // All that was appended by now is to be told before.
                self.tell_moved()?;
                self.tell(Input::HandOver { to })
            }
        }
    }

    fn tell_moved(&mut self) -> Result<(), ClusterError> {
        let Some(before) = self.moved else { return Ok(()) };
        let cursors = self.parts.progress.cursors();
        let (appended, synced) = (cursors.appended(), cursors.synced());
        if (appended, synced) == before {
            return Ok(());
        }
        self.moved = Some((appended, synced));
        self.tell(Input::JournalMoved { appended, synced })
    }

    fn tell(&mut self, input: Input<'_>) -> Result<(), ClusterError> {
        let (now_ms, wall_ms) = (self.parts.clock.boottime_ms(), self.parts.clock.wall_ms());
        let mut outputs = std::mem::take(&mut self.outputs);
        let taken = self.node.handle(now_ms, wall_ms, input, &mut outputs);
        for output in outputs.drain(..) {
            self.do_as(output)?;
        }
        self.outputs = outputs;
        taken.map_err(|error| ClusterError::Failed(error.to_string()))
    }

    fn do_as(&mut self, output: Output) -> Result<(), ClusterError> {
        let parts = &mut self.parts;
        match output {
            Output::Connect { link, node } => match parts.nodes.address(node) {
                Some(address) => parts.links.dial(link, node, address),
                None => tracing::error!(?node, "a node that is not in the list is to be dialled"),
            },
            Output::Send { link, bytes } => parts.links.send(link, bytes),
            Output::Close { link, reason } => {
                if parts.links.close(link) {
                    self.tell_closed(&reason);
                }
            }
            Output::ReadRegister => parts.calls.ask(Call::Read),
            Output::SwapRegister { version, proposal, .. } => {
                parts.calls.ask(Call::Swap { version, proposal: Box::new(proposal) });
            }
            Output::Keep(seen) => parts.watch.keep(seen)?,
            Output::Publish { copied, good_until_ms } => {
                parts.progress.publish_with_lease(copied, good_until_ms);
            }
            Output::Standing(standing) => self.show(*standing),
            Output::Promote { epoch, lost_from } => {
                if let Some(replica) = self.node.take_replica() {
                    self.event(ClusterEvent::Promote { replica, epoch, lost_from });
                }
            }
            Output::StayWriter { reason } => self.event(ClusterEvent::StayWriter { reason }),
            Output::HandedOver { to } => {
                let to = parts.nodes.name(to).map(ToString::to_string).unwrap_or_default();
                tracing::info!(to, "the role of the writer was handed over");
            }
            Output::CompareImage { sequence, digest } => parts.digests.compare(sequence, digest),
            Output::Warn(told) => tracing::warn!("{told}"),
            Output::End(reason) => {
                let error = self.end(reason);
                self.fail(error);
            }
        }
        Ok(())
    }

    /// A node that is not there is dialled again and again: the same reason is told once in a while.
    fn tell_closed(&mut self, why: &str) {
        let now_ms = self.parts.clock.elapsed_ms();
        let is_old = |(text, at_ms): &(String, u64)| text == why && now_ms < at_ms + AGAIN_MS;
        if !self.told.as_ref().is_some_and(is_old) {
            tracing::info!(why, "a link to another node is closed");
            self.told = Some((why.to_owned(), now_ms));
        }
    }

    fn event(&self, event: ClusterEvent<R>) {
        // Where nobody listens the process is about to end.
        let _ = self.parts.events.send(event);
    }

    /// Its moments are of the clock that suspended time counts on; who looks has another.
    fn show(&self, mut standing: Standing) {
        let clock = self.parts.clock;
        let (boottime_ms, elapsed_ms) = (clock.boottime_ms(), clock.elapsed_ms());
        let moment = |at_ms: u64| elapsed_ms.saturating_sub(boottime_ms.saturating_sub(at_ms));
        standing.unreplicated_since_ms = standing.unreplicated_since_ms.map(moment);
        standing.arbiter_gone_since_ms = standing.arbiter_gone_since_ms.map(moment);
        self.parts.standing.store(standing);
    }

    fn end(&self, reason: EndReason) -> ClusterError {
        match reason {
            EndReason::Deposed => ClusterError::Deposed,
            EndReason::Surrendered => ClusterError::HandedOver,
            EndReason::RegisterForgot => self.parts.watch.forgot(),
            EndReason::ForeignHistory => self.parts.watch.foreign_history(),
        }
    }
}

/// Ready once the journal has moved beyond what was told; never while nobody writes it.
fn journal_moved(
    progress: &CopyProgress,
    told: Option<(Sequence, Sequence)>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let Some(told) = told else { return Poll::Pending };
    let cursors = progress.cursors();
    let has_moved = || (cursors.appended(), cursors.synced()) != told;
    if !has_moved() {
        cursors.wake_when_appended(context.waker());
        // What moved before that is not told.
        if !has_moved() {
            return Poll::Pending;
        }
    }
    Poll::Ready(())
}

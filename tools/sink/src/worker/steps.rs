//! Single steps of a target, tried until they succeed.
//!
//! Owns what a failure leads to: a wait and another try, or the end of the sink; and when an
//! operator hears of it. Next: `delivery`, which makes steps of events.

use super::standing::Phase;
use super::state::Worker;
use crate::event::Position;
use crate::failure::Failure;
use crate::sink::Sink;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// A target that says nothing for so long does not answer; lists are not held to it.
const STEP_MAX: Duration = Duration::from_secs(120);

/// Why a sink's work is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// The process stops.
    Shutdown,
    /// Until a person acts.
    Stopped(String),
}

impl<S: Sink> Worker<S> {
    /// Connects, and finds where the target stands.
    pub(super) async fn open(&mut self) -> Result<Option<Position>, Ended> {
        loop {
            let opened = within(self.sink.open()).await;
            match opened {
                Ok(position) => return Ok(position),
                Err(failure) => self.failed(failure).await?,
            }
        }
    }

    /// Connects to a target that has a position.
    pub(super) async fn reopen(&mut self) -> Result<Position, Ended> {
        let lost = "its position is gone from the target; start the sink again to begin anew";
        self.open().await?.ok_or_else(|| Ended::Stopped(lost.to_owned()))
    }

    /// The end of the feed.
    pub(super) async fn now(&mut self) -> Result<Position, Ended> {
        loop {
            match self.shared.source.now().await {
                Ok(now) => return Ok(now),
                Err(failure) => self.failed(at_the_source(failure)).await?,
            }
        }
    }

    /// Stores where a target without lists goes on.
    pub(super) async fn store(
        &mut self,
        mut from: Option<Position>,
        to: Position,
    ) -> Result<(), Ended> {
        loop {
            match within(self.sink.begin(from.as_ref(), &to)).await {
                Ok(()) => {
                    self.succeeded();
                    self.stand_at(to);
                    return Ok(());
                }
                Err(failure) => self.failed(failure).await?,
            }
            match self.open().await? {
                Some(at) if at == to => {
                    self.stand_at(to);
                    return Ok(());
                }
                at => from = at,
            }
        }
    }

    /// Fills the target from lists.
    pub(super) async fn rebuild(&mut self, mut from: Option<Position>) -> Result<(), Ended> {
        loop {
            self.standing.set(Phase::Rebuilding, "");
            let mut stop = self.shared.stop.clone();
            let rebuilt = tokio::select! {
                biased;
                () = asked(&mut stop) => return Err(Ended::Shutdown),
                rebuilt = self.sink.rebuild(from.as_ref(), &self.shared.source) => rebuilt,
            };
            match rebuilt {
                Ok(position) => {
                    self.succeeded();
                    self.standing.rebuilds.fetch_add(1, Ordering::Relaxed);
                    self.stand_at(position);
                    return Ok(());
                }
                Err(failure) => self.failed(failure).await?,
            }
            let at = self.open().await?;
            if let (Some(at), true) = (&at, from != at) {
                // The last try went well, and only its answer was lost.
                self.stand_at(at.clone());
                return Ok(());
            }
            from = at;
        }
    }

    /// Counts a failure and waits before the next try; some failures end the sink.
    pub(super) async fn failed(&mut self, failure: Failure) -> Result<(), Ended> {
        let (why, asked_ms) = match failure {
            Failure::Away { why, wait_ms } => (why, wait_ms),
            Failure::Refused(why) | Failure::Final(why) => return Err(Ended::Stopped(why)),
            Failure::Fenced(why) => return Err(Ended::Stopped(fenced(&why))),
        };
        self.wait(&why, asked_ms).await
    }

    pub(super) async fn wait(&mut self, why: &str, asked_ms: Option<u64>) -> Result<(), Ended> {
        let wait = self.retry.failed(asked_ms);
        self.standing.failures.fetch_add(1, Ordering::Relaxed);
        self.say_begun(None);
        if wait.alert {
            self.standing.set(Phase::Failing, why);
            let failures = self.retry.failures();
            tracing::warn!(sink = self.name, failures, "fails: {why}");
            if let Some(alert) = &self.shared.alert {
                drop(alert.call(&self.name, "failing", why));
            }
        }
        let mut stop = self.shared.stop.clone();
        tokio::select! {
            biased;
            () = asked(&mut stop) => Err(Ended::Shutdown),
            // What was read again may be the cure.
            changed = self.shared.config.changed() => {
                if changed.is_ok() {
                    self.reload();
                }
                Ok(())
            }
            () = tokio::time::sleep(Duration::from_millis(wait.ms)) => Ok(()),
        }
    }

    pub(super) fn succeeded(&mut self) {
        if self.retry.succeeded() {
            tracing::info!(sink = self.name, "works again");
            if let Some(alert) = &self.shared.alert {
                drop(alert.call(&self.name, "recovered", ""));
            }
        }
        if self.standing.phase() == Phase::Failing {
            self.standing.set(Phase::Following, "");
        }
    }

    /// Hands the sink its settings as they were read again.
    pub(super) fn reload(&mut self) {
        let config = self.shared.config.borrow_and_update().clone();
        if let Some(settings) = config.sink(&self.name) {
            self.sink.reload(settings);
        }
    }
}

fn fenced(why: &str) -> String {
    format!("another instance of this sink is at work ({why}); run one, or give them other names")
}

fn at_the_source(failure: Failure) -> Failure {
    match failure {
        Failure::Away { why, wait_ms } => Failure::Away { why: format!("source: {why}"), wait_ms },
        Failure::Refused(why) => Failure::away(format!("source: {why}")),
        other => other,
    }
}

/// Returns when the process is to stop.
pub(super) async fn asked(stop: &mut watch::Receiver<bool>) {
    // Whoever could ask is gone: nobody waits for this either.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A step, for as long as it may take.
pub(super) async fn within<T>(
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(STEP_MAX, step).await {
        Ok(done) => done,
        Err(_) => Err(Failure::away(format!("no answer within {} s", STEP_MAX.as_secs()))),
    }
}

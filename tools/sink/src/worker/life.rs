//! The life of a sink: where its target stands, the feed from there, and what ends it.
//!
//! Owns what a new target begins with, and what is done where the feed no longer has what the target
//! lacks, or never had what it has. Next: `delivery` for a batch, `steps`.

use super::standing::Phase;
use super::state::Worker;
use super::steps::Ended;
use crate::event::Position;
use crate::sink::{Beginning, Sink};
use crate::source::{End, Reading};
use std::sync::atomic::Ordering;

impl<S: Sink> Worker<S> {
    /// Works until a stop is asked for (none) or the sink cannot go on (why).
    pub(crate) async fn run(mut self) -> Option<String> {
        self.count_letters();
        let ended = self.work().await;
        self.say_begun(None);
        match ended {
            Ended::Shutdown => None,
            Ended::Stopped(why) => {
                self.standing.set(Phase::Stopped, &why);
                tracing::error!(sink = self.name, "stopped: {why}");
                if let Some(alert) = &self.shared.alert {
                    // The process may end with this.
                    let _ = alert.call(&self.name, "stopped", &why).await;
                }
                Some(why)
            }
        }
    }

    async fn work(&mut self) -> Ended {
        if let Err(ended) = self.begin().await {
            return ended;
        }
        loop {
            let source = self.shared.source.clone();
            let mut reading = Reading::start(source, &self.name, &self.position, self.ahead);
            self.standing.set(Phase::Following, "");
            self.say_begun(Some(self.position.clone()));
            let followed = match self.follow(&mut reading).await {
                Ok(Some(End::Compacted { oldest })) => self.go_on_from(&oldest).await,
                Ok(Some(End::Diverged(told))) => Err(self.diverged(&told)),
                // The target moved back, or settings were read again.
                Ok(None) => Ok(()),
                Err(ended) => Err(ended),
            };
            if let Err(ended) = followed {
                return ended;
            }
        }
    }

    /// Finds where the target stands, or where it begins.
    async fn begin(&mut self) -> Result<(), Ended> {
        if let Some(position) = self.open().await? {
            self.stand_at(position);
            return Ok(());
        }
        match self.sink.beginning() {
            Beginning::Lists => self.rebuild(None).await,
            Beginning::Oldest => self.store(None, Position::default()).await,
            Beginning::Now => {
                let now = self.now().await?;
                self.store(None, now).await
            }
        }
    }

    /// The events after the position are gone.
    async fn go_on_from(&mut self, oldest: &str) -> Result<(), Ended> {
        let from = self.position.clone();
        if self.sink.beginning() == Beginning::Lists {
            tracing::warn!(sink = self.name, "the feed begins after {oldest}: tables are rebuilt");
            return self.rebuild(Some(from)).await;
        }
        if from.seq > 0 {
            let why = format!(
                "events after {} up to {oldest} are no longer kept by the server and never reach \
                 the target; raise journal.retain_ms",
                from.id
            );
            tracing::error!(sink = self.name, "{why}");
            self.standing.gaps.fetch_add(1, Ordering::Relaxed);
            if let Some(alert) = &self.shared.alert {
                drop(alert.call(&self.name, "gap", &why));
            }
        }
        let seq = crate::event::sequence(oldest).unwrap_or_default();
        let to = Position { source: from.source.clone(), id: oldest.to_owned(), seq };
        self.store(Some(from), to).await
    }

    fn diverged(&self, told: &str) -> Ended {
        let Position { id, seq, .. } = &self.position;
        Ended::Stopped(format!(
            "diverged: the target has events up to {id} (sequence {seq}), which this server never \
             had ({told}). The server was put back to an older state, or is another one. Decide \
             what the target keeps, then delete this sink's position and start again: docs/SINKS.md, \
             \"Diverged\""
        ))
    }
}

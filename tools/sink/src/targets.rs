//! Which target each kind of sink is.
//!
//! Owns that choice, and what is said of a kind that this build leaves out. Next: `sink`.

use crate::config::{Config, Kind, SinkSettings};
use crate::dead::Letters;
use crate::failure::Failure;
use crate::file::NdjsonFile;
use crate::sink::Sink;
use crate::webhook::Webhook;
use crate::worker::{Shared, Standing, Worker};
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A sink under way: its name, and why it stopped.
pub(crate) type Running = JoinHandle<Option<String>>;

pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "postgres",
        Kind::Mysql => "mysql",
        Kind::Kafka => "kafka",
        Kind::Nats => "nats",
        Kind::Webhook => "webhook",
        Kind::File => "file",
    }
}

/// What is done with a target, whichever it is.
trait Use {
    type Out;
    fn with<S: Sink + 'static>(self, sink: S, batch: usize) -> Self::Out;
}

fn choose<U: Use>(settings: &SinkSettings, directory: &Path, work: U) -> Result<U::Out, String> {
    let batch = settings.batch();
    match settings.kind {
        Kind::File => Ok(work.with(NdjsonFile::new(settings, directory), batch)),
        Kind::Webhook => Ok(work.with(Webhook::new(settings, directory), Webhook::chunk(settings))),
        #[cfg(feature = "postgres")]
        Kind::Postgres => {
            let store = crate::postgres::Postgres::new(settings);
            Ok(work.with(crate::tables::Tables::new(store, settings), batch))
        }
        #[cfg(feature = "kafka")]
        Kind::Kafka => Ok(work.with(crate::kafka::Kafka::new(settings, directory), batch)),
        #[cfg(feature = "nats")]
        Kind::Nats => Ok(work.with(crate::nats::Nats::new(settings, directory), batch)),
        #[cfg(feature = "mysql")]
        Kind::Mysql => {
            let store = crate::mysql::Mysql::new(settings);
            Ok(work.with(crate::tables::Tables::new(store, settings), batch))
        }
        #[allow(unreachable_patterns, reason = "with all features there is no other kind")]
        kind => Err(format!("this build has no {}", kind_name(kind))),
    }
}

struct Start {
    standing: Arc<Standing>,
    letters: Letters,
    shared: Shared,
    ahead: usize,
}

impl Use for Start {
    type Out = Running;

    fn with<S: Sink + 'static>(self, sink: S, batch: usize) -> Running {
        let sizes = (batch, self.ahead.max(batch));
        tokio::spawn(Worker::new(sink, self.standing, self.letters, self.shared, sizes).run())
    }
}

/// Starts a sink.
pub(crate) fn start(
    config: &Config,
    settings: &SinkSettings,
    standing: Arc<Standing>,
    shared: Shared,
) -> Result<Running, String> {
    let directory = &config.state.directory;
    let failed = |cause| format!("{}: {cause}", directory.display());
    let letters = Letters::open(directory, &settings.name).map_err(failed)?;
    choose(settings, directory, Start { standing, letters, shared, ahead: settings.ahead() })
}

struct Check;

type Checked = std::pin::Pin<Box<dyn Future<Output = Result<String, Failure>>>>;

impl Use for Check {
    type Out = Checked;

    fn with<S: Sink + 'static>(self, mut sink: S, _: usize) -> Checked {
        Box::pin(async move { sink.check().await })
    }
}

/// Looks at a target.
pub(crate) async fn check(config: &Config, settings: &SinkSettings) -> Result<String, String> {
    let checked = choose(settings, &config.state.directory, Check)?;
    checked.await.map_err(|failure| failure.to_string())
}

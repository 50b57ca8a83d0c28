//! The process: all sinks, signals, the one line that says that it follows.
//!
//! Owns starting and stopping. SIGTERM and SIGINT let each sink finish its batch, a second one ends
//! at once; SIGHUP reads the configuration again: addresses, tokens, secrets, endpoints. Sinks that
//! are new in it, or gone from it, need a restart. Next: `targets`, `worker`.

use crate::alert::Alert;
use crate::config::Config;
use crate::event::Position;
use crate::listen;
use crate::source::Source;
use crate::targets::{self, Running};
use crate::worker::{Shared, Standing};
use doorbuster::process::{log, output};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Runs until it is stopped; says whether all sinks did their work to the end.
pub(crate) async fn run(config: Config, file: PathBuf) -> Result<bool, String> {
    let failed = |cause: std::io::Error| cause.to_string();
    let stops = [
        signal(SignalKind::terminate()).map_err(failed)?,
        signal(SignalKind::interrupt()).map_err(failed)?,
    ];
    let hangup = signal(SignalKind::hangup()).map_err(failed)?;
    // A limit on file sizes is an error of the write, not the end.
    drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map_err(failed)?);
    let config = Arc::new(config);
    let source = Arc::new(Source::new(config.source.clone()));
    let alert = config.alert.as_ref().map(|alert| Alert::new(&alert.url)).transpose()?;
    let (stop_sender, stop) = watch::channel(false);
    let (config_sender, config_reader) = watch::channel(config.clone());
    let (begun, begins) = mpsc::unbounded_channel();
    let shared = Shared { source: source.clone(), config: config_reader, stop, alert, begun };
    let mut standings = Vec::new();
    let mut sinks = JoinSet::new();
    for settings in &config.sinks {
        let standing = Standing::new(&settings.name, targets::kind_name(settings.kind));
        standings.push(standing.clone());
        let running = targets::start(&config, settings, standing, shared.clone());
        let running = running.map_err(|told| format!("sink {:?}: {told}", settings.name))?;
        sinks.spawn(ended(running));
    }
    drop(shared);
    if let Some(listen) = &config.listen {
        let listener = TcpListener::bind(&listen.metrics).await;
        let listener = listener.map_err(|cause| format!("{}: {cause}", listen.metrics))?;
        tokio::spawn(listen::serve(listener, standings));
    }
    tokio::spawn(say_following(source.clone(), begins, config.sinks.len()));
    tokio::spawn(read_again(hangup, file, source, config_sender));
    tokio::spawn(stop_when_asked(stops, stop_sender));
    let mut good = true;
    while let Some(stopped) = sinks.join_next().await {
        good &= matches!(stopped, Ok(None));
    }
    Ok(good)
}

async fn ended(running: Running) -> Option<String> {
    running.await.unwrap_or_else(|panic| {
        tracing::error!("a sink panicked: {panic}");
        Some(panic.to_string())
    })
}

/// One line on standard output, once each sink follows or has said that it does not yet.
async fn say_following(
    source: Arc<Source>,
    mut begins: mpsc::UnboundedReceiver<(String, Option<Position>)>,
    count: usize,
) {
    let mut heard: HashMap<String, Option<Position>> = HashMap::new();
    while let Some((sink, begun)) = begins.recv().await {
        let known = heard.entry(sink).or_default();
        *known = begun.or(known.take());
        let follow: Vec<&Position> = heard.values().flatten().collect();
        let lowest = follow.iter().min_by_key(|position| position.seq);
        if let (true, Some(lowest)) = (heard.len() == count, lowest) {
            let from = if lowest.id.is_empty() { "0" } else { &lowest.id };
            let line = format!("following {} from {from}, {} sinks\n", source.url(), follow.len());
            if let Err(cause) = output::print(&line) {
                tracing::error!("{}", output::reason(&cause));
            }
            return;
        }
    }
}

async fn read_again(
    mut hangup: Signal,
    file: PathBuf,
    source: Arc<Source>,
    config: watch::Sender<Arc<Config>>,
) {
    while hangup.recv().await.is_some() {
        match Config::read(&file) {
            Ok(read) => {
                tell_what_needs_a_restart(&config.borrow(), &read, &file);
                source.reload(read.source.clone());
                config.send_replace(Arc::new(read));
                tracing::info!("read {} again", file.display());
            }
            Err(told) => tracing::error!("nothing is changed: {told}"),
        }
    }
}

fn tell_what_needs_a_restart(old: &Config, new: &Config, file: &Path) {
    let names = |config: &Config| -> Vec<String> {
        config.sinks.iter().map(|sink| sink.name.clone()).collect()
    };
    let fixed = |config: &Config| (config.state.clone(), config.listen.clone(), config.retry);
    if names(old) != names(new) || fixed(old) != fixed(new) {
        let file = file.display();
        tracing::warn!("{file}: other sinks, and retry, state and listen, need a restart");
    }
}

async fn stop_when_asked([mut terminate, mut interrupt]: [Signal; 2], stop: watch::Sender<bool>) {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if *stop.borrow() {
            tracing::warn!("stopped by a second signal");
            log::flush();
            std::process::exit(1);
        }
        stop.send_replace(true);
    }
}

//! A nats-server of our own, from the PyPI package that `.ci/run` installs, and what its stream has.
//!
//! Next: `streams`.

use crate::programs::{Program, find, free_port, missing};
use async_nats::jetstream;
use doorbuster_test_support::wait;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(crate) struct Nats {
    folder: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    server: Option<Program>,
}

/// Where `.ci/run` puts it, or on the path.
fn program() -> Option<PathBuf> {
    let build = PathBuf::from(crate::child::FOLDER);
    let installed = build.parent()?.join("outside-sinks/bin/nats-server");
    let path = std::env::var("PATH").unwrap_or_default();
    let on_path = path.split(':').map(|folder| format!("{folder}/nats-server"));
    let places: Vec<String> =
        std::iter::once(installed.display().to_string()).chain(on_path).collect();
    find(&places.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

impl Nats {
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            missing("nats-server (tools/sink/tests/requirements.txt)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut nats = Self { folder, program, port: free_port(), server: None };
        nats.go_on();
        Some(nats)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    pub(crate) fn go_on(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]);
        command.arg(self.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.server = Some(Program(command.spawn().expect("it runs")));
        wait::until("a NATS that answers", || run(self.state()).map(drop));
    }

    async fn state(&self) -> Option<jetstream::Context> {
        let context = jetstream::new(async_nats::connect(self.url()).await.ok()?);
        context.query_account().await.ok()?;
        Some(context)
    }

    /// All messages of a stream, in their order, with the id that each was published with.
    pub(crate) fn messages(&self, stream: &str) -> Vec<(String, Value)> {
        run(async {
            let context = self.state().await.expect("it answers");
            let Ok(stream) = context.get_stream(stream).await else { return Vec::new() };
            let state = &stream.cached_info().state;
            let mut messages = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                let message = stream.get_raw_message(sequence).await.expect("it is kept");
                let id = message.headers.get("Nats-Msg-Id").expect("an id").to_string();
                let event: Value = serde_json::from_slice(&message.payload).expect("it is JSON");
                assert_eq!(message.subject.as_str(), event["type"].as_str().expect("a type"));
                messages.push((id, event));
            }
            messages
        })
    }

    /// How many messages a stream has.
    pub(crate) fn count(&self, stream: &str) -> u64 {
        run(async {
            let Some(context) = self.state().await else { return 0 };
            let stream = context.get_stream(stream).await;
            stream.map_or(0, |stream| stream.cached_info().state.messages)
        })
    }

    /// Something that is no event of ours.
    pub(crate) fn disturb(&self, subject: &'static str) {
        run(async {
            let context = self.state().await.expect("it answers");
            let publish = context.publish(subject, "hello".into()).await.expect("it is sent");
            publish.await.expect("it is taken");
        });
    }
}

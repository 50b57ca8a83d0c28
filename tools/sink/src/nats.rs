//! A NATS JetStream stream of events.
//!
//! Owns that each event stands in the stream once: the stream's last message says how far it is, and
//! every publish names the sequence that it must come after, so a second writer is refused and a
//! publish whose answer was lost cannot land twice. Many are in flight; when one fails, all behind it
//! do. The stream is made if it is missing; it must be this sink's alone. Next: `sink`, `place`.

use crate::config::{Begin, SinkSettings};
use crate::event::{Event, Position, sequence};
use crate::failure::Failure;
use crate::place::Place;
use crate::sink::{Batch, Beginning, Sink};
use crate::source::Source;
use crate::tls;
use async_nats::ConnectOptions;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, Context};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);
/// Publishes whose answers are not there yet.
const IN_FLIGHT: usize = 256;
/// So many conflicts are a second instance; one or two are what a killed one had in flight.
const CONFLICTS_MAX: u32 = 3;
const ID: &str = "Nats-Msg-Id";
/// Where the feed stood, where a message is a dead letter that was sent again.
const PLACE: &str = "Doorbuster-Position";

/// A stream as a target.
#[derive(Debug)]
pub(crate) struct Nats {
    settings: SinkSettings,
    directory: PathBuf,
    place: Option<Place>,
    stream: Option<Open>,
    conflicts: u32,
}

#[derive(Debug)]
struct Open {
    context: Context,
    /// Of the stream.
    last: u64,
}

impl Nats {
    pub(crate) fn new(settings: &SinkSettings, directory: &Path) -> Self {
        Self {
            settings: settings.clone(),
            directory: directory.to_owned(),
            place: None,
            stream: None,
            conflicts: 0,
        }
    }

    fn subject(&self) -> &str {
        self.settings.subject.as_deref().unwrap_or("doorbuster")
    }

    /// Letters, digits and lines of the subject, in capitals.
    fn stream_name(&self) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        self.subject().to_ascii_uppercase().chars().map(plain).collect()
    }

    async fn connect(&self) -> Result<Context, Failure> {
        let url = &self.settings.url;
        let mut options = ConnectOptions::new()
            .name(format!("doorbuster-sink {}", self.settings.name))
            .connection_timeout(WITHIN)
            .request_timeout(Some(WITHIN))
            .max_reconnects(Some(1));
        if let Some(secret) = self.settings.secret().map_err(Failure::away)? {
            options = match secret.split_once(':') {
                Some((user, password)) => {
                    options.user_and_password(user.to_owned(), password.to_owned())
                }
                None => options.token(secret),
            };
        }
        if !is_here(url) {
            let config = tls::client(self.settings.ca_file.as_deref()).map_err(Failure::Final)?;
            options = options.require_tls(true).tls_client_config(config);
        }
        let connected = options.connect(url.as_str()).await;
        let client =
            connected.map_err(|error| Failure::away(format!("{error}{}", remedy(&error))))?;
        Ok(jetstream::new(client))
    }

    async fn stream(&self, context: &Context) -> Result<Stream, Failure> {
        let (name, all) = (self.stream_name(), format!("{}.>", self.subject()));
        let config = Config { name, subjects: vec![all.clone()], ..Config::default() };
        let stream = context.get_or_create_stream(config).await;
        let stream = stream.map_err(|error| {
            Failure::away(format!("{error}; is JetStream on, and may this user make streams?"))
        })?;
        let subjects = &stream.cached_info().config.subjects;
        if subjects.contains(&all) {
            return Ok(stream);
        }
        Err(Failure::Final(format!(
            "the stream {} is not ours: it takes {subjects:?} and not {all}; use another subject",
            self.stream_name()
        )))
    }

    /// The position that the last message says.
    async fn stands(&self, stream: &Stream) -> Result<Option<Position>, Failure> {
        let state = &stream.cached_info().state;
        if state.messages == 0 {
            return Ok(None);
        }
        let message = stream.get_raw_message(state.last_sequence).await.map_err(Failure::away)?;
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
        let id = header(PLACE).or_else(|| header(ID));
        let event: Result<Event, _> = serde_json::from_slice(&message.payload);
        match (id.as_deref().map(|id| (id, sequence(id))), event) {
            (Some((id, Some(seq))), Ok(event)) => {
                Ok(Some(Position { source: event.source, id: id.to_owned(), seq }))
            }
            _ => Err(Failure::Final(format!(
                "the last message of the stream {} is no event of ours: something else publishes \
                 to {}; give the sink a subject of its own",
                self.stream_name(),
                self.subject()
            ))),
        }
    }

    fn message(event: &Event, batch: &Batch<'_>, after: u64) -> PublishMessage {
        let mut message = PublishMessage::build()
            .payload(event.text().into())
            .message_id(&event.id)
            .expected_last_sequence(after);
        for (name, value) in [
            ("ce-id", &event.id),
            ("ce-source", &event.source),
            ("ce-type", &event.kind),
            ("ce-subject", &event.subject),
            ("ce-time", &event.time),
        ] {
            message = message.header(name, value.as_str());
        }
        if batch.from == batch.to {
            message = message.header(PLACE, batch.to.id.as_str());
        }
        message
    }

    async fn publish(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let subject = self.subject().to_owned();
        let in_flight = self.settings.in_flight.unwrap_or(IN_FLIGHT);
        let Some(open) = &mut self.stream else { return Err(Failure::away("not connected")) };
        let mut sent: VecDeque<(u64, PublishAckFuture)> = VecDeque::new();
        for event in batch.events {
            if sent.len() >= in_flight {
                settle(&mut sent).await?;
            }
            let message = Self::message(event, batch, open.last);
            let to = format!("{subject}.{}", event.word());
            let publish = open.context.send_publish(to, message).await.map_err(judge)?;
            open.last += 1;
            sent.push_back((open.last, publish));
        }
        while !sent.is_empty() {
            settle(&mut sent).await?;
        }
        Ok(())
    }
}

/// Waits for the first of those in flight.
async fn settle(sent: &mut VecDeque<(u64, PublishAckFuture)>) -> Result<(), Failure> {
    let Some((expected, publish)) = sent.pop_front() else { return Ok(()) };
    let ack = publish.await.map_err(judge)?;
    if ack.sequence == expected {
        return Ok(());
    }
    Err(Failure::Fenced(format!("a message got the number {} and not {expected}", ack.sequence)))
}

fn judge(error: PublishError) -> Failure {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            Failure::refused(format!("{error}; raise max_payload of the NATS server"))
        }
        PublishErrorKind::WrongLastSequence => Failure::Fenced(error.to_string()),
        // The same under another number.
        _ if error.to_string().contains("wrong last sequence") => {
            Failure::Fenced(error.to_string())
        }
        _ => Failure::away(error),
    }
}

fn remedy(error: &async_nats::ConnectError) -> &'static str {
    match error.kind() {
        async_nats::ConnectErrorKind::AuthorizationViolation
        | async_nats::ConnectErrorKind::Authentication => {
            "; put the token, or user:password, into secret_file"
        }
        async_nats::ConnectErrorKind::Tls => "; name the authority in ca_file",
        _ => "",
    }
}

/// Whether the server is on this machine.
fn is_here(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("nats://") else { return false };
    let host = rest.rsplit('@').next().unwrap_or_default();
    ["127.", "[::1]", "localhost"].iter().any(|own| host.starts_with(own))
}

impl Sink for Nats {
    fn beginning(&self) -> Beginning {
        if self.settings.begin == Some(Begin::Now) { Beginning::Now } else { Beginning::Oldest }
    }

    async fn check(&mut self) -> Result<String, Failure> {
        let context = self.connect().await?;
        let account = context.query_account().await;
        account.map_err(|error| Failure::away(format!("{error}; is JetStream on?")))?;
        let version = context.client().server_info().version;
        Ok(format!("NATS {version}, stream {}", self.stream_name()))
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        self.stream = None;
        if self.place.is_none() {
            self.place = Some(Place::open(&self.directory, &self.settings.name)?);
        }
        let begun = self.place.as_ref().map_or(Ok(None), Place::read)?;
        let context = self.connect().await?;
        let stream = self.stream(&context).await?;
        let stands = self.stands(&stream).await?;
        let last = stream.cached_info().state.last_sequence;
        self.stream = Some(Open { context, last });
        // Where the stream let all its messages go, the file knows how far it was.
        Ok(stands.or(begun))
    }

    async fn begin(&mut self, _: Option<&Position>, to: &Position) -> Result<(), Failure> {
        self.place.as_ref().map_or(Ok(()), |place| place.write(to))
    }

    async fn rebuild(&mut self, _: Option<&Position>, _: &Source) -> Result<Position, Failure> {
        Err(Failure::refused("a stream has no tables"))
    }

    async fn apply(&mut self, batch: &Batch<'_>, _: &Source) -> Result<(), Failure> {
        match self.publish(batch).await {
            Ok(()) => {
                self.conflicts = 0;
                self.place.as_ref().map_or(Ok(()), |place| place.write(batch.to))
            }
            Err(Failure::Fenced(why)) if self.conflicts < CONFLICTS_MAX => {
                self.conflicts += 1;
                Err(Failure::away(why))
            }
            failed => failed,
        }
    }

    fn reload(&mut self, settings: &SinkSettings) {
        self.settings = settings.clone();
    }
}

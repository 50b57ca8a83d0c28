//! A Kafka topic of events.
//!
//! Owns that each event stands in the topic once: a batch is a transaction over all partitions, and
//! the last records that were committed say how far the topic is. The key is the subject, so events
//! of one subject keep their order. A start ends what a killed instance left open and fences one that
//! still runs. Consumers read with `isolation.level=read_committed`. Next: `sink`, `place`.

use crate::config::{Begin, SinkSettings};
use crate::event::{Event, Position, sequence};
use crate::failure::Failure;
use crate::place::Place;
use crate::sink::{Batch, Beginning, Sink};
use crate::source::Source;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::path::{Path, PathBuf};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(15);
/// Where the feed stood when a record was written.
const PLACE: &str = "doorbuster_position";
/// The last offsets of a partition may be marks of transactions; so far back is looked at first.
const BACK: i64 = 8;
const TLS: bool = cfg!(feature = "kafka-tls");

/// A topic as a target.
pub(crate) struct Kafka {
    settings: SinkSettings,
    directory: PathBuf,
    place: Option<Place>,
    producer: Option<ThreadedProducer<DefaultProducerContext>>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, form: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        form.debug_struct("Kafka").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Kafka {
    pub(crate) fn new(settings: &SinkSettings, directory: &Path) -> Self {
        Self {
            settings: settings.clone(),
            directory: directory.to_owned(),
            place: None,
            producer: None,
        }
    }

    fn topic(&self) -> &str {
        self.settings.topic.as_deref().unwrap_or("doorbuster")
    }

    /// What producers and consumers have in common.
    fn config(&self) -> Result<ClientConfig, Failure> {
        let brokers = self.settings.url.strip_prefix("kafka://").unwrap_or_default();
        let brokers = brokers.trim_end_matches('/');
        let is_here = brokers
            .split(',')
            .all(|broker| ["127.", "[::1]", "localhost"].iter().any(|own| broker.starts_with(own)));
        if !is_here && !TLS {
            return Err(Failure::Final(
                "this build speaks to Kafka in clear, which is for this machine only; build with \
                 --features kafka-tls"
                    .to_owned(),
            ));
        }
        let secret = self.settings.secret().map_err(Failure::away)?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        config.set("client.id", format!("doorbuster-sink-{}", self.settings.name));
        config.set("socket.timeout.ms", "10000");
        config.set("log.connection.close", "false");
        let protocol = match (is_here, secret.is_some()) {
            (true, false) => "plaintext",
            (true, true) => "sasl_plaintext",
            (false, false) => "ssl",
            (false, true) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(file) = &self.settings.ca_file {
            config.set("ssl.ca.location", file.display().to_string());
        }
        if let Some(secret) = secret {
            let (user, password) = secret.split_once(':').ok_or_else(|| {
                Failure::away("secret_file has user:password for Kafka; put that into it")
            })?;
            config.set("sasl.mechanisms", "SCRAM-SHA-256");
            config.set("sasl.username", user).set("sasl.password", password);
        }
        Ok(config)
    }

    /// Fences other instances, and ends what one of them left open.
    fn producer(&self) -> Result<ThreadedProducer<DefaultProducerContext>, Failure> {
        let mut config = self.config()?;
        config.set("transactional.id", format!("doorbuster-sink-{}", self.settings.name));
        config.set("transaction.timeout.ms", "60000");
        config.set("message.timeout.ms", "30000");
        config.set("linger.ms", "5");
        // As Java's clients place a key.
        config.set("partitioner", "murmur2_random");
        let producer: ThreadedProducer<DefaultProducerContext> =
            config.create().map_err(|error| judge(&error))?;
        producer.init_transactions(WITHIN).map_err(|error| judge(&error))?;
        Ok(producer)
    }

    /// The furthest position that a partition's last record has.
    fn stands(&self) -> Result<Option<Position>, Failure> {
        let mut config = self.config()?;
        config.set("group.id", format!("doorbuster-sink-{}", self.settings.name));
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        config.set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().map_err(|error| judge(&error))?;
        let topic = self.topic();
        let metadata =
            consumer.fetch_metadata(Some(topic), WITHIN).map_err(|error| judge(&error))?;
        let partitions = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
        if partitions.is_empty() {
            return Err(Failure::away(format!(
                "there is no topic {topic}; make it, with as many partitions as it is to have for ever"
            )));
        }
        let mut furthest: Option<Position> = None;
        for partition in partitions {
            let last = self.last_of(&consumer, partition.id())?;
            if last.as_ref().is_some_and(|last| {
                furthest.as_ref().is_none_or(|furthest| last.seq > furthest.seq)
            }) {
                furthest = last;
            }
        }
        Ok(furthest)
    }

    /// The position of a partition's last record, looked for further and further back.
    fn last_of(
        &self,
        consumer: &BaseConsumer,
        partition: i32,
    ) -> Result<Option<Position>, Failure> {
        let failed = |error: KafkaError| judge(&error);
        let topic = self.topic();
        let (low, high) = consumer.fetch_watermarks(topic, partition, WITHIN).map_err(failed)?;
        let mut back = BACK;
        loop {
            let from = (high - back).max(low);
            if from >= high {
                return Ok(None);
            }
            let mut places = TopicPartitionList::new();
            places.add_partition_offset(topic, partition, Offset::Offset(from)).map_err(failed)?;
            consumer.assign(&places).map_err(failed)?;
            let mut last = None;
            loop {
                match consumer.poll(WITHIN) {
                    Some(Ok(message)) => last = Some(self.position(&message)?),
                    Some(Err(KafkaError::PartitionEOF(_))) => break,
                    Some(Err(error)) => return Err(failed(error)),
                    None => return Err(Failure::away("the broker gives no records")),
                }
            }
            if last.is_some() || from == low {
                return Ok(last);
            }
            back *= 8;
        }
    }

    fn position(&self, message: &BorrowedMessage<'_>) -> Result<Position, Failure> {
        let headers = message.headers();
        let header = headers.and_then(|all| all.iter().find(|header| header.key == PLACE));
        let id = header.and_then(|header| std::str::from_utf8(header.value?).ok());
        let event: Option<Event> =
            message.payload().and_then(|payload| serde_json::from_slice(payload).ok());
        match (id.and_then(|id| Some((id, sequence(id)?))), event) {
            (Some((id, seq)), Some(event)) => {
                Ok(Position { source: event.source, id: id.to_owned(), seq })
            }
            _ => Err(Failure::Final(format!(
                "the last record of {} is no event of ours: something else writes there; give the \
                 sink a topic of its own",
                self.topic()
            ))),
        }
    }

    fn produce(&self, batch: &Batch<'_>) -> Result<(), Failure> {
        let Some(producer) = &self.producer else { return Err(Failure::away("not connected")) };
        if batch.events.is_empty() {
            return Ok(());
        }
        let failed = |error: KafkaError| judge(&error);
        producer.begin_transaction().map_err(failed)?;
        let done = self
            .send(producer, batch)
            .and_then(|()| producer.commit_transaction(WITHIN).map_err(|error| judge(&error)));
        if done.is_err() {
            let _ = producer.abort_transaction(WITHIN);
        }
        done
    }

    fn send(
        &self,
        producer: &ThreadedProducer<DefaultProducerContext>,
        batch: &Batch<'_>,
    ) -> Result<(), Failure> {
        for event in batch.events {
            // A dead letter that is sent again does not move the place.
            let place = if batch.from == batch.to { &batch.to.id } else { &event.id };
            let mut headers = OwnedHeaders::new();
            for (key, value) in [
                ("ce_id", &event.id),
                ("ce_source", &event.source),
                ("ce_type", &event.kind),
                ("ce_subject", &event.subject),
                ("ce_time", &event.time),
                (PLACE, place),
            ] {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let text = event.text();
            let record =
                BaseRecord::to(self.topic()).key(&event.subject).payload(&text).headers(headers);
            producer.send(record).map_err(|(error, _)| judge(&error))?;
        }
        Ok(())
    }
}

fn judge(error: &KafkaError) -> Failure {
    use RDKafkaErrorCode as Code;
    if let KafkaError::Transaction(inner) = error {
        let fenced = matches!(inner.code(), Code::Fenced | Code::ProducerFenced);
        if fenced || matches!(inner.code(), Code::InvalidProducerEpoch) {
            return Failure::Fenced(error.to_string());
        }
    }
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge) => {
            Failure::refused(format!("{error}; raise message.max.bytes of topic and brokers"))
        }
        Some(Code::Fenced | Code::ProducerFenced) => Failure::Fenced(error.to_string()),
        Some(Code::TopicAuthorizationFailed | Code::TransactionalIdAuthorizationFailed) => {
            Failure::away(format!("{error}; let the user write the topic and transactional ids"))
        }
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
            Failure::away(format!("{error}; put user:password into secret_file"))
        }
        _ => Failure::away(error),
    }
}

impl Sink for Kafka {
    fn beginning(&self) -> Beginning {
        if self.settings.begin == Some(Begin::Now) { Beginning::Now } else { Beginning::Oldest }
    }

    async fn check(&mut self) -> Result<String, Failure> {
        tokio::task::block_in_place(|| {
            let consumer: BaseConsumer = self.config()?.create().map_err(|error| judge(&error))?;
            let metadata = consumer.fetch_metadata(Some(self.topic()), WITHIN);
            let metadata = metadata.map_err(|error| judge(&error))?;
            let topic = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
            Ok(format!("Kafka, topic {} of {topic} partitions", self.topic()))
        })
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        self.producer = None;
        if self.place.is_none() {
            self.place = Some(Place::open(&self.directory, &self.settings.name)?);
        }
        let begun = self.place.as_ref().map_or(Ok(None), Place::read)?;
        let (producer, stands) = tokio::task::block_in_place(|| {
            // First the fence: afterwards nothing of an older instance comes.
            let producer = self.producer()?;
            Ok::<_, Failure>((producer, self.stands()?))
        })?;
        self.producer = Some(producer);
        Ok(match (stands, begun) {
            // All that was there was let go, or a dead letter came last.
            (Some(stands), Some(begun)) if begun.seq > stands.seq => Some(begun),
            (stands, begun) => stands.or(begun),
        })
    }

    async fn begin(&mut self, _: Option<&Position>, to: &Position) -> Result<(), Failure> {
        self.place.as_ref().map_or(Ok(()), |place| place.write(to))
    }

    async fn rebuild(&mut self, _: Option<&Position>, _: &Source) -> Result<Position, Failure> {
        Err(Failure::refused("a topic has no tables"))
    }

    async fn apply(&mut self, batch: &Batch<'_>, _: &Source) -> Result<(), Failure> {
        tokio::task::block_in_place(|| self.produce(batch))?;
        // A dead letter that came last is no record.
        let says = batch.events.last().is_some_and(|event| event.seq() == batch.to.seq);
        match &self.place {
            Some(place) if !says => place.write(batch.to),
            _ => Ok(()),
        }
    }

    fn reload(&mut self, settings: &SinkSettings) {
        self.settings = settings.clone();
    }
}

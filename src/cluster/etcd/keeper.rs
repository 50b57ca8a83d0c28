//! Reading and changing the register: a linearizable range, and a transaction that compares.
//!
//! Owns the two calls and what an outcome means. Next: `gateway`, `stored`.

use super::endpoints::Endpoints;
use super::gateway::{CallError, Gateway};
use super::health::{self, EtcdHealth};
use super::stored;
use crate::cluster::arbiter::{Arbiter, ArbiterError, Swapped, Versioned};
use crate::cluster::node::Name;
use crate::cluster::register::{Register, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

/// A register in etcd.
#[derive(Debug)]
pub struct Etcd {
    gateway: Gateway,
    key: String,
}

/// A number as the gateway writes it: 64 bits are text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    revision: String,
}

#[derive(Debug, Deserialize)]
struct Pair {
    mod_revision: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RangeAnswer {
    kvs: Vec<Pair>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TransactionAnswer {
    header: Header,
    succeeded: bool,
    responses: Vec<Branch>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Branch {
    response_range: Option<RangeAnswer>,
}

impl Etcd {
    /// The register of one shard of a cluster: the key `/doorbuster/<cluster>/<shard>`.
    #[must_use]
    pub fn new(endpoints: Endpoints, cluster: &Name, shard: u16) -> Self {
        Self { gateway: Gateway::new(endpoints), key: format!("/doorbuster/{cluster}/{shard}") }
    }

    /// Where the register is.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Asks each endpoint how it is.
    pub async fn health(&self) -> EtcdHealth {
        health::ask(&self.gateway).await
    }

    fn encoded_key(&self) -> String {
        STANDARD.encode(&self.key)
    }

    fn versioned(&self, answer: &RangeAnswer) -> Result<Option<Versioned>, ArbiterError> {
        let Some(pair) = answer.kvs.first() else { return Ok(None) };
        let unreadable = |why: String| {
            ArbiterError::Unreadable(format!("the key {} in etcd is no register: {why}", self.key))
        };
        let bytes = STANDARD.decode(&pair.value).map_err(|cause| unreadable(cause.to_string()))?;
        let register = stored::parse(&bytes).map_err(unreadable)?;
        let version = revision(&pair.mod_revision)
            .ok_or_else(|| unreadable(format!("its revision is {:?}", pair.mod_revision)))?;
        Ok(Some(Versioned { version, register }))
    }

    fn transaction(&self, expected: Option<Version>, proposal: &Register) -> Value {
        let key = self.encoded_key();
        let compare = match expected {
            Some(version) => json!({
                "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": version.to_string(),
            }),
            None => json!({
                "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0",
            }),
        };
        let value = STANDARD.encode(stored::text(proposal));
        json!({
            "compare": [compare],
            "success": [{ "request_put": { "key": key, "value": value } }],
            "failure": [{ "request_range": { "key": key } }],
        })
    }

    fn swapped(&self, body: &[u8]) -> Result<Swapped, ArbiterError> {
        // It was answered: what cannot be read of it may have been done.
        let unknown = |cause: String| ArbiterError::Unknown(format!("etcd's answer: {cause}"));
        let answer: TransactionAnswer =
            serde_json::from_slice(body).map_err(|cause| unknown(cause.to_string()))?;
        if answer.succeeded {
            let version = revision(&answer.header.revision);
            let none = || unknown(format!("the revision {:?}", answer.header.revision));
            return version.map(Swapped::Done).ok_or_else(none);
        }
        let found = answer.responses.first().and_then(|branch| branch.response_range.as_ref());
        let found = found.ok_or_else(|| unknown("nothing is said of the key".to_owned()))?;
        Ok(Swapped::Refused(self.versioned(found)?))
    }
}

fn revision(text: &str) -> Option<Version> {
    text.parse().ok().filter(|revision| *revision > 0)
}

impl Arbiter for Etcd {
    async fn read(&self) -> Result<Option<Versioned>, ArbiterError> {
        let ask = json!({ "key": self.encoded_key(), "serializable": false });
        let body = self.gateway.call("/v3/kv/range", &ask).await;
        let body = body.map_err(|error| ArbiterError::Unavailable(error.cause().to_owned()))?;
        let answer: RangeAnswer = serde_json::from_slice(&body)
            .map_err(|cause| ArbiterError::Unavailable(format!("etcd's answer: {cause}")))?;
        self.versioned(&answer)
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        proposal: &Register,
    ) -> Result<Swapped, ArbiterError> {
        let ask = self.transaction(expected, proposal);
        match self.gateway.call("/v3/kv/txn", &ask).await {
            Ok(body) => self.swapped(&body),
            Err(CallError::Refused(cause)) => Err(ArbiterError::Unavailable(cause)),
            Err(CallError::Unanswered(cause)) => Err(ArbiterError::Unknown(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etcd() -> Etcd {
        let endpoints = Endpoints::parse("etcd://127.0.0.1:2379", None).unwrap();
        Etcd::new(endpoints, &Name::parse("shop").unwrap(), 0)
    }

    #[test]
    fn the_key_names_cluster_and_shard() {
        assert_eq!(etcd().key(), "/doorbuster/shop/0");
    }

    #[test]
    fn a_value_that_is_no_register_is_told_with_its_key() {
        let value = STANDARD.encode("[]");
        let pair = Pair { mod_revision: "5".to_owned(), value };
        let told = etcd().versioned(&RangeAnswer { kvs: vec![pair] }).unwrap_err().to_string();
        assert!(told.starts_with("the key /doorbuster/shop/0 in etcd is no register: "), "{told}");
    }

    #[test]
    fn an_answer_that_cannot_be_read_leaves_the_outcome_unknown() {
        for body in [&b"{"[..], b"{}", br#"{"succeeded":true}"#] {
            let outcome = etcd().swapped(body);
            assert!(matches!(outcome, Err(ArbiterError::Unknown(_))), "{outcome:?}");
        }
    }

    #[test]
    fn a_swap_that_found_no_key_says_so() {
        let body = br#"{"header":{"revision":"7"},"responses":[{"response_range":{}}]}"#;
        assert_eq!(etcd().swapped(body), Ok(Swapped::Refused(None)));
    }

    #[test]
    fn a_swap_that_worked_gives_its_revision() {
        let body = br#"{"header":{"revision":"7"},"succeeded":true,"responses":[{}]}"#;
        assert_eq!(etcd().swapped(body), Ok(Swapped::Done(7)));
    }
}

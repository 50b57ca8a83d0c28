//! How an order is put to each server: the bytes of a request, where its answer ends, and what it
//! says. The loop that sends and reads is one for all of them, see `load`.
//!
//! Owns no sockets and waits for nothing. Next: `http`, `redis`, `postgres`.

mod http;
mod order;
mod postgres;
mod redis;

use std::time::Duration;

pub(crate) use http::whole as http_whole;
pub(crate) use order::{Order, Verdict};
pub(crate) use postgres::{SCHEMA, query};
pub(crate) use redis::{SCRIPT, bulk, command};

/// What a server speaks.
#[derive(Debug, Clone)]
pub(crate) enum Protocol {
    /// Doorbuster's contract.
    Http,
    /// RESP; each order is one `EVALSHA` of the script with this SHA-1.
    Redis {
        /// As `SCRIPT LOAD` said it.
        script: String,
    },
    /// PostgreSQL's protocol; each order is one call of a function.
    Postgres {
        /// The function is there: each connection prepares its call.
        prepared: bool,
    },
}

impl Protocol {
    /// What a connection says before its first order; an answer each.
    pub(crate) fn greetings(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Http | Self::Redis { .. } => Vec::new(),
            Self::Postgres { prepared: false } => vec![postgres::startup()],
            Self::Postgres { prepared: true } => vec![postgres::startup(), postgres::prepare()],
        }
    }

    /// Puts a request for an order in place of what was there.
    pub(crate) fn order(&self, bytes: &mut Vec<u8>, order: &Order<'_>) {
        bytes.clear();
        match self {
            Self::Http => http::order(bytes, order),
            Self::Redis { script } => redis::order(bytes, script, order),
            Self::Postgres { .. } => postgres::order(bytes, order),
        }
    }

    /// A request that creates a SKU of which each user may have one unit.
    pub(crate) fn put_sku(&self, sku: &str, stock: u64) -> Vec<u8> {
        match self {
            Self::Http => http::put_sku(sku, stock),
            Self::Redis { .. } => redis::put_sku(sku, stock),
            Self::Postgres { .. } => postgres::put_sku(sku, stock),
        }
    }

    /// The answer is there to its last byte.
    pub(crate) fn whole(&self, answer: &[u8]) -> bool {
        match self {
            Self::Http => http::whole(answer),
            Self::Redis { .. } => redis::whole(answer),
            Self::Postgres { .. } => postgres::whole(answer),
        }
    }

    /// What a whole answer says.
    pub(crate) fn verdict<'a>(&self, answer: &'a [u8]) -> Verdict<'a> {
        match self {
            Self::Http => http::verdict(answer),
            Self::Redis { .. } => redis::verdict(answer),
            Self::Postgres { .. } => postgres::verdict(answer),
        }
    }

    /// How long to wait before the same request is sent again, if the answer says that it may
    /// succeed then. Only Doorbuster's contract has such answers.
    pub(crate) fn retry_after(&self, answer: &[u8]) -> Option<Duration> {
        match self {
            Self::Http => http::retry_after(answer),
            Self::Redis { .. } | Self::Postgres { .. } => None,
        }
    }
}

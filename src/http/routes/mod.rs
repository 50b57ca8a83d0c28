//! Path to command, a file per family.
//!
//! Read `route` (the table of paths and methods), `parse` (what all families share), `input`,
//! `writer_request`, then the families: `orders` (`plain_order` is its fast way), `skus`, `draws`,
//! `requests`, `batch` (lines), `events` (the feed), `operations`.

pub(super) mod batch;
mod draws;
pub(super) mod events;
mod input;
mod operations;
mod orders;
mod parse;
mod plain_order;
mod requests;
mod route;
mod skus;
mod writer_request;

pub(super) use input::Input;
pub(super) use parse::{Parsed, check_head, parse};
pub(super) use route::{ROUTES, Route};
pub(super) use writer_request::WriterRequest;

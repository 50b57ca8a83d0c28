//! The bytes between two nodes: messages with a length before each, bounded before they are read.
//!
//! Owns their form in both directions. Any bytes give messages or an error, never a panic, and none
//! is taken that is longer than its time allows. Knows no socket. In reading order: `message`,
//! `encode`, `decoder`, `fields`.

mod decoder;
mod encode;
mod fields;
mod message;
#[cfg(test)]
mod tests;

pub use decoder::{Decoder, WireError};
pub use encode::encode;
pub use message::{
    Beat, Frames, HELLO_BYTES_MAX, MESSAGE_BYTES_MAX, Message, REASON_BYTES_MAX, Restart,
    SentSnapshot, Welcome,
};

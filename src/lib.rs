//! Doorbuster: one process that sells what thousands of people want in the same second.
#![forbid(unsafe_code)]

pub mod clock;
pub mod domain;
pub mod http;
pub mod ring;

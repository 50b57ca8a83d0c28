//! Bytes and sockets: a connection from its accept to its end.
//!
//! Owns what is there before a request and after its answer. Never looks at what a request asks.
//! Read `listener` (accepting, the sweep, the drain), `connection_state`, `stream` (its bytes),
//! `framing` (what hyper does not check), `tls` and `hello` (handshakes), `introduction` and
//! `proxy_protocol` (what a proxy says first), `reserve` (places for probes and operators),
//! `linger`, `accept_errors`, `limits`.

pub(in crate::http) mod accept_errors;
pub(in crate::http) mod connection_state;
pub(in crate::http) mod framing;
pub(in crate::http) mod hello;
pub(in crate::http) mod introduction;
pub(in crate::http) mod limits;
pub(in crate::http) mod linger;
pub(in crate::http) mod listener;
pub(in crate::http) mod proxy_protocol;
pub(in crate::http) mod reserve;
pub(in crate::http) mod stream;
pub(in crate::http) mod tls;

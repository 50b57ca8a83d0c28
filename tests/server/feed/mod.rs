//! Events as their followers read them: `GET /v1/events` (API 5).
//!
//! - `reading`: pages and streams, places and what becomes of them
//! - `answered`: the feed where answers come before the disk has them
//! - `crowd`: a thousand followers in bounded memory
//! - `kills`: a follower and the server killed again and again
//! - `rebuilt`: the stock as a follower rebuilds it

pub(crate) mod answered;
pub(crate) mod crowd;
pub(crate) mod kills;
pub(crate) mod reading;
pub(crate) mod rebuilt;

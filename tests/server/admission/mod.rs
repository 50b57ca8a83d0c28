//! Who is let in, and how much each of them may use.
//!
//! - `roles`: every route for every role
//! - `rotation`: tokens that come, go and run out
//! - `revoked`: streams and batches whose client may not go on
//! - `quotas`: addresses, rates, and what a hang-up changes of them
//! - `limits`: limits that change while the server runs
//! - `shares`: one principal among several at full tables
//! - `origins`: browsers: other origins, names, CORS

pub(crate) mod limits;
pub(crate) mod origins;
pub(crate) mod quotas;
pub(crate) mod revoked;
pub(crate) mod roles;
pub(crate) mod rotation;
pub(crate) mod shares;

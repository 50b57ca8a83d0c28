//! A typed client of the HTTP API for Rust: shops, tests and measurements.
//!
//! Owns asking: one key for all attempts of a request, how long to wait before the next attempt,
//! and when to stop. Repeats only what is safe to repeat, never what was decided, and never says
//! that nothing happened when it cannot know. Speaks HTTP/1.1, under TLS where the URL says
//! `https`. Next: `handle` for the client itself, `retry` for when to ask again, `servers` for
//! whom,
//! `origin` and `attempt` for the connection, `request`, `key`, `answer` and `error` for what goes
//! over it,
//! `orders`, `skus`, `draws` and `operations` for what can be asked, `batch` for much of it at
//! once, `events` for what happened.
//!
//! ```no_run
//! use doorbuster::client::{Action, Client, Error, Key, NewOrder, NewSku, Options, Precondition};
//!
//! # async fn sell() -> Result<(), Error> {
//! let client = Client::new("http://127.0.0.1:7070", Options::default())?;
//! client.put_sku("sneaker-42", &NewSku::of(1000), Precondition::IfAbsent).await?;
//!
//! // The key belongs to the purchase, not to the attempt: keep it with the cart, and a crash of
//! // this program changes nothing either.
//! let key = Key::new("cart-8f2a")?;
//! let order = match client.create_order(&NewOrder::of("ada", "sneaker-42", 1), &key).await {
//!     Ok(answer) => answer.body,
//!     Err(Error::Refused(problem)) if problem.code == "sold_out" => return Ok(()),
//!     // Perhaps it was created. Ask again with the same key, whenever: there will be one order.
//!     Err(error @ Error::OutcomeUnknown { .. }) => return Err(error),
//!     Err(error) => return Err(error),
//! };
//! client.act(&order.id, &Action::confirm(), None).await?;
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod answer;
mod attempt;
mod batch;
mod draws;
mod error;
mod events;
mod handle;
mod key;
mod operations;
mod orders;
mod origin;
mod request;
mod retry;
mod servers;
mod skus;

pub use answer::{Answer, Page};
pub use batch::{Line, LineAnswer};
pub use draws::{Draw, Entry, EntryPage, EntryReason, NewDraw, Prize};
pub use error::{Error, Problem};
pub use events::{Event, Events};
pub use handle::{Client, Options};
pub use key::Key;
pub use operations::{CopyStatus, Remembered, Status, Table};
pub use orders::{Action, LineUnits, NewOrder, Order, OrderFilter, OrderLine, OrderStatus};
pub use origin::{Duplex, Origin, Socket};
pub use retry::Policy;
pub use skus::{Adjustment, Change, NewSku, Precondition, Sku, SkuChanges, SkuSettings};

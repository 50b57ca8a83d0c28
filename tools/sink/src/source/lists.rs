//! The state of now, from lists (API 5: note `seq`, list, follow, drop what the lists show).
//!
//! Owns that what is not there is no failure, and that a page is asked for again a few times before
//! the whole list is given up. Next: `tables/rebuild`.

use super::addresses::Source;
use crate::event::{Position, sequence};
use crate::failure::Failure;
use doorbuster::client::{
    Client, Draw, EntryPage, Error, EventPage, Order, OrderFilter, Page, Policy, Sku,
};

/// The most that a page has.
const LIMIT: u32 = 100;

/// A thing that was looked up, and the sequence it was read at.
type Listed<T> = Option<T>;

fn patient(client: &Client) -> Client {
    client.with_policy(Policy::default())
}

/// None for what does not exist.
fn there<T>(found: Result<T, Error>, code: &str) -> Result<Listed<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some(code) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Source {
    /// The end of the feed as it is now: everything up to it shows in lists that are read later.
    pub(crate) async fn now(&self) -> Result<Position, Failure> {
        let mut turn = self.turn();
        let page = loop {
            let client = self.client()?;
            match end(&client).await {
                Ok(page) => break page,
                Err(error) => turn.failed(self, error)?,
            }
        };
        let source = page.events.first().map(|event| event.source.clone()).unwrap_or_default();
        let seq = sequence(&page.next_after).unwrap_or_default();
        Ok(Position { source, id: page.next_after, seq })
    }

    pub(crate) async fn orders(&self, cursor: Option<&str>) -> Result<Page<Order>, Failure> {
        let mut turn = self.turn();
        loop {
            let client = patient(&self.client()?);
            match client.orders(&OrderFilter::default(), LIMIT, cursor).await {
                Ok(found) => return Ok(found),
                Err(error) => turn.failed(self, error)?,
            }
        }
    }

    pub(crate) async fn skus(&self, cursor: Option<&str>) -> Result<Page<Sku>, Failure> {
        let mut turn = self.turn();
        loop {
            let client = patient(&self.client()?);
            match client.skus(LIMIT, cursor).await {
                Ok(found) => return Ok(found),
                Err(error) => turn.failed(self, error)?,
            }
        }
    }

    pub(crate) async fn entries(
        &self,
        draw: &str,
        after: Option<u64>,
    ) -> Result<Listed<EntryPage>, Failure> {
        let mut turn = self.turn();
        loop {
            let client = patient(&self.client()?);
            match there(client.entries(draw, None, LIMIT, after).await, "unknown_draw") {
                Ok(found) => return Ok(found),
                Err(error) => turn.failed(self, error)?,
            }
        }
    }

    pub(crate) async fn draw(&self, draw: &str) -> Result<Listed<Draw>, Failure> {
        let mut turn = self.turn();
        loop {
            let client = patient(&self.client()?);
            match there(client.draw(draw).await.map(|answer| answer.body), "unknown_draw") {
                Ok(found) => return Ok(found),
                Err(error) => turn.failed(self, error)?,
            }
        }
    }

    pub(crate) async fn sku(&self, sku: &str) -> Result<Listed<Sku>, Failure> {
        let mut turn = self.turn();
        loop {
            let client = patient(&self.client()?);
            match there(client.sku(sku).await.map(|answer| answer.body), "unknown_sku") {
                Ok(found) => return Ok(found),
                Err(error) => turn.failed(self, error)?,
            }
        }
    }
}

async fn end(client: &Client) -> Result<EventPage, Error> {
    let seq = client.skus(1, None).await?.seq;
    client.event_page(&seq.to_string(), 1).await
}

//! Deliveries that another program left behind.

use motia_core::Timestamp;
use motia_ports::queue::{Delivery, Failure};
use rusqlite::Connection;

use super::rows::{self, Result};
use super::subscriptions::{self, Subscriptions};

/// The queues, as far as that matters here.
pub(crate) struct Queues {
    subscriptions: Subscriptions,
}

impl Queues {
    pub(crate) fn look(connection: &Connection) -> Result<Self> {
        Ok(Self { subscriptions: Subscriptions::new(&subscriptions::stored(connection)?) })
    }

    /// Whether this is the first delivery of that name; remembers it for good.
    pub(crate) fn first(&self, connection: &Connection, name: &str) -> Result<bool> {
        // No topic is empty: these are beside the keys of emits.
        let new = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO event_keys (topic, key, event, until) VALUES ('', ?1, 'imported', ?2)",
            )?
            .execute((name, i64::MAX))?;
        Ok(new > 0)
    }

    /// Stores a delivery, as a dead letter if it failed for good.
    pub(crate) fn insert(
        &self,
        connection: &Connection,
        delivery: &Delivery,
        due: Timestamp,
        dead: Option<&Failure>,
    ) -> Result<()> {
        rows::insert(connection, delivery, due, self.subscriptions.rule(&delivery.step), None)?;
        match dead {
            Some(failure) => rows::bury(connection, delivery.id, failure).map(|_| ()),
            None => Ok(()),
        }
    }
}

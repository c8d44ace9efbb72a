//! `ctx.streams` in memory.

use bytes::Bytes;
use motia_core::{GroupId, StreamName, Timestamp};
use parking_lot::Mutex;

use super::{Writes, ready};
use crate::streams::{Change, ItemAddress};
use crate::{Mark, Pending, Streams, Write};

pub(super) struct MemoryStreams {
    writes: Writes,
    /// In the order in which they were first set.
    items: Mutex<Vec<(ItemAddress, Bytes, Timestamp)>>,
}

impl MemoryStreams {
    pub(super) fn new(writes: Writes) -> Self {
        Self { writes, items: Mutex::default() }
    }
}

impl Streams for MemoryStreams {
    fn get(&self, _after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        let items = self.items.lock();
        ready(items.iter().find(|(at, ..)| *at == address).map(|(_, item, _)| item.clone()))
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Change> {
        let mut items = self.items.lock();
        let change = match items.iter_mut().find(|(at, ..)| *at == address) {
            Some(known) => {
                (known.1, known.2) = (item, created);
                Change::Updated
            }
            None => {
                items.push((address, item, created));
                Change::Created
            }
        };
        self.writes.made(change)
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        let mut items = self.items.lock();
        let at = items.iter().position(|(at, ..)| *at == address);
        self.writes.made(at.map(|at| items.remove(at).1))
    }

    fn group(&self, _after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        let items = self.items.lock();
        let mut found: Vec<_> = items.iter().filter(|(at, ..)| at.stream == stream && at.group == group).collect();
        // Stable, so those of one instant stay in their order.
        found.sort_by_key(|(_, _, created)| *created);
        ready(found.into_iter().map(|(_, item, _)| item.clone()).collect())
    }
}

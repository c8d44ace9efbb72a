//! `ctx.streams` in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use motia_core::update::UpdateError;
use motia_core::{GroupId, ItemKey, StreamName, Timestamp};
use parking_lot::Mutex;

use super::{Writes, ready};
use crate::streams::{
    Change, Epoch, ItemAddress, Observer, Offset, Position, Published, Revise, Snapshot, Stored, What,
};
use crate::{Mark, Pending, Streams, Write};

pub(super) struct MemoryStreams {
    writes: Writes,
    kept: Mutex<Kept>,
    epoch: Epoch,
}

#[derive(Default)]
struct Kept {
    /// In the order in which they were first set.
    items: Vec<(ItemAddress, Bytes, Timestamp)>,
    /// All that ever changed.
    changes: Vec<Published>,
    observers: Vec<Observer>,
    stamped_until: Timestamp,
}

impl MemoryStreams {
    pub(super) fn new(writes: Writes) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let epoch = format!("memory-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        Self { writes, kept: Mutex::default(), epoch: epoch.into() }
    }
}

impl Kept {
    fn publish(&mut self, published: Published) {
        if published.what.offset().is_some() {
            self.changes.push(published.clone());
        }
        for observer in &self.observers {
            observer(published.clone());
        }
    }

    fn next(&self) -> Offset {
        Offset(self.changes.len() as u64 + 1)
    }

    fn changed(&mut self, address: ItemAddress, what: What) {
        let ItemAddress { stream, group, id } = address;
        self.publish(Published { stream, group, id: Some(id), what });
    }

    fn of_group(&self, stream: &StreamName, group: &GroupId) -> Vec<(ItemAddress, Bytes)> {
        let mut found: Vec<_> =
            self.items.iter().filter(|(at, ..)| at.stream == *stream && at.group == *group).collect();
        // Stable, so those of one instant stay in their order.
        found.sort_by_key(|(_, _, created)| *created);
        found.into_iter().map(|(at, item, _)| (at.clone(), item.clone())).collect()
    }

    fn last(&self, stream: &StreamName, group: &GroupId) -> Offset {
        let of_group = self.changes.iter().rev().find(|change| change.stream == *stream && change.group == *group);
        of_group.and_then(|change| change.what.offset()).unwrap_or_default()
    }
}

impl Kept {
    fn set(&mut self, address: ItemAddress, item: Bytes, created: Timestamp) -> Change {
        let offset = self.next();
        let (change, what) = match self.items.iter_mut().find(|(at, ..)| *at == address) {
            Some(known) => {
                (known.1, known.2) = (item.clone(), created);
                (Change::Updated, What::Updated(offset, item))
            }
            None => {
                self.items.push((address.clone(), item.clone(), created));
                (Change::Created, What::Created(offset, item))
            }
        };
        self.changed(address, what);
        change
    }

    fn delete(&mut self, address: ItemAddress) -> Option<Bytes> {
        let at = self.items.iter().position(|(at, ..)| *at == address)?;
        let removed = self.items.remove(at).1;
        let what = What::Deleted(self.next(), removed.clone());
        self.changed(address, what);
        Some(removed)
    }
}

impl Streams for MemoryStreams {
    fn get(&self, _after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        let kept = self.kept.lock();
        ready(kept.items.iter().find(|(at, ..)| *at == address).map(|(_, item, _)| item.clone()))
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Stored> {
        let change = self.kept.lock().set(address, item.clone(), created);
        self.writes.made(Stored { change, item })
    }

    fn update(&self, address: ItemAddress, revise: Revise) -> Write<Result<Option<Bytes>, UpdateError>> {
        let mut kept = self.kept.lock();
        let there = kept.items.iter().find(|(at, ..)| *at == address).map(|(_, item, _)| item.clone());
        let revised = revise(there.as_deref()).map(|revised| match revised {
            Some((item, created)) => {
                kept.set(address, item.clone(), created);
                Some(item)
            }
            None => {
                kept.delete(address);
                None
            }
        });
        self.writes.made(revised)
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        self.writes.made(self.kept.lock().delete(address))
    }

    fn clear(&self, stream: StreamName, group: GroupId) -> Write<usize> {
        let mut kept = self.kept.lock();
        let all: Vec<_> = kept.of_group(&stream, &group).into_iter().map(|(at, _)| at).collect();
        let count = all.len();
        for address in all {
            kept.delete(address);
        }
        self.writes.made(count)
    }

    fn all(&self, stream: StreamName, id: Option<ItemKey>, most: usize) -> Pending<Vec<Bytes>> {
        let kept = self.kept.lock();
        let wanted = |at: &ItemAddress| at.stream == stream && id.as_ref().is_none_or(|id| at.id == *id);
        let mut found: Vec<_> = kept.items.iter().filter(|(at, ..)| wanted(at)).collect();
        found.sort_by_key(|(_, _, created)| *created);
        ready(found.into_iter().take(most).map(|(_, item, _)| item.clone()).collect())
    }

    fn group(&self, _after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        ready(self.kept.lock().of_group(&stream, &group).into_iter().map(|(_, item)| item).collect())
    }

    fn send(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>, message: Bytes) -> Write<()> {
        self.kept.lock().publish(Published { stream, group, id, what: What::Sent(message) });
        self.writes.made(())
    }

    fn snapshot(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>) -> Pending<Snapshot> {
        let kept = self.kept.lock();
        let items = kept.of_group(&stream, &group).into_iter();
        let wanted = items.filter(|(at, _)| id.as_ref().is_none_or(|id| at.id == *id));
        ready(Snapshot { upto: kept.last(&stream, &group), items: wanted.map(|(_, item)| item).collect() })
    }

    fn epoch(&self) -> Epoch {
        // What is in memory is lost with its process, and all of it.
        self.epoch.clone()
    }

    fn since(&self, stream: StreamName, group: GroupId, position: Position) -> Pending<Option<Vec<Published>>> {
        let kept = self.kept.lock();
        let offset = position.offset;
        if position.epoch != self.epoch || offset > kept.last(&stream, &group) {
            return ready(None);
        }
        let later = kept.changes.iter().filter(|change| {
            change.stream == stream && change.group == group && change.what.offset().is_some_and(|at| at > offset)
        });
        ready(Some(later.cloned().collect()))
    }

    fn stamped_until(&self) -> Timestamp {
        self.kept.lock().stamped_until
    }

    fn stamp_until(&self, at: Timestamp) -> Write<()> {
        let mut kept = self.kept.lock();
        kept.stamped_until = kept.stamped_until.max(at);
        self.writes.made(())
    }

    fn observe(&self, observer: Observer) {
        self.kept.lock().observers.push(observer);
    }
}

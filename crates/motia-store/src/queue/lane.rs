//! What of one step's deliveries is in memory: a bounded window of those that run next, and those that were handed out.
//!
//! A standard lane holds deliveries; a fifo lane holds the head of each group, and a group with a head in the window or handed out
//! has nothing else in memory. What does not fit stays on disk, and the lane knows that there is more.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use motia_core::{GroupId, StepName, Timestamp};
use motia_ports::queue::{Delivery, DeliveryId};

use super::INLINE;

/// Most deliveries of a step that wait in memory.
pub(super) const WINDOW: usize = 1024;
/// More than ever run at a time: a refill reads past those that are handed out.
pub(super) const MOST_HELD: usize = 1024;

/// A delivery in memory.
#[derive(Clone)]
pub(super) struct Entry {
    delivery: Delivery,
    not_before: Timestamp,
    /// Whether `delivery.data` is here, or still on disk.
    loaded: bool,
}

impl Entry {
    /// A delivery that was just emitted.
    pub(super) fn new(mut delivery: Delivery, not_before: Timestamp) -> Self {
        let loaded = delivery.data.len() <= INLINE;
        if !loaded {
            delivery.data = Bytes::new();
        }
        Self { delivery, not_before, loaded }
    }

    /// A delivery as read from disk.
    pub(super) fn read(delivery: Delivery, not_before: Timestamp, loaded: bool) -> Self {
        Self { delivery, not_before, loaded }
    }

    pub(super) fn id(&self) -> DeliveryId {
        self.delivery.id
    }

    pub(super) fn step(&self) -> &StepName {
        &self.delivery.step
    }

    /// The delivery, and whether its data is here.
    pub(super) fn into_delivery(self) -> (Delivery, bool) {
        (self.delivery, self.loaded)
    }

    fn key(&self) -> Key {
        (self.not_before, self.delivery.id)
    }
}

type Key = (Timestamp, DeliveryId);

/// One step's deliveries in memory.
pub(super) struct Lane {
    fifo: bool,
    ready: BTreeMap<Key, Entry>,
    held: HashMap<DeliveryId, Entry>,
    /// Groups of a fifo lane that have their head in `ready` or `held`.
    groups: HashSet<Option<GroupId>>,
    /// There may be deliveries on disk that are not in memory.
    more: bool,
    refilling: bool,
}

impl Lane {
    /// A lane that has not looked at the disk yet.
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            fifo,
            ready: BTreeMap::new(),
            held: HashMap::new(),
            groups: HashSet::new(),
            more: true,
            refilling: false,
        }
    }

    /// The step's queue changed its kind: forget the window and read it anew by the other rule.
    pub(super) fn set_fifo(&mut self, fifo: bool) {
        if self.fifo != fifo {
            self.fifo = fifo;
            self.ready.clear();
            self.groups = self.held.values().map(|entry| entry.delivery.group.clone()).collect();
            self.more = true;
        }
    }

    /// In a fifo lane, the group that a handed-out delivery blocks.
    #[expect(clippy::option_option, reason = "outer: whether groups matter; inner: the group of events without one")]
    pub(super) fn group_of(&self, id: DeliveryId) -> Option<Option<GroupId>> {
        if self.fifo { self.held.get(&id).map(|entry| entry.delivery.group.clone()) } else { None }
    }

    /// Whether the window runs low while there is more on disk. The caller must refill if so.
    pub(super) fn wants_refill(&mut self) -> bool {
        let wants = self.more && !self.refilling && self.ready.len() < WINDOW / 2;
        self.refilling |= wants;
        wants
    }

    /// A new delivery was committed.
    pub(super) fn emitted(&mut self, entry: Entry) {
        if self.fifo && self.groups.contains(&entry.delivery.group) {
            return; // Its turn comes when the one before it is finished.
        }
        // While there is more on disk, only what comes before the end of the window may jump in: the rest has its turn.
        // In a fifo lane not even that: what is on disk may be of the same group, and older.
        let in_window = !self.fifo && self.ready.last_key_value().is_some_and(|(last, _)| entry.key() < *last);
        if in_window || (!self.more && self.ready.len() < WINDOW) {
            self.insert(entry);
        } else {
            self.more = true;
        }
    }

    fn insert(&mut self, entry: Entry) {
        if self.fifo {
            self.groups.insert(entry.delivery.group.clone());
        }
        self.ready.insert(entry.key(), entry);
        if self.ready.len() > WINDOW
            && let Some((_, last)) = self.ready.pop_last()
        {
            self.groups.remove(&last.delivery.group);
            self.more = true;
        }
    }

    /// The refill failed; another may be asked for.
    pub(super) fn refill_failed(&mut self) {
        self.refilling = false;
    }

    /// What the disk holds next. `more`: and there is more than that.
    pub(super) fn refilled(&mut self, entries: impl Iterator<Item = Entry>, more: bool) {
        self.refilling = false;
        self.more = more;
        for entry in entries {
            let known = self.held.contains_key(&entry.id()) || self.ready.contains_key(&entry.key());
            let blocked = self.fifo && self.groups.contains(&entry.delivery.group);
            if !known && !blocked {
                self.insert(entry);
            }
        }
    }

    /// Hands out what may run now.
    pub(super) fn take(&mut self, now: Timestamp, max: usize) -> Vec<Entry> {
        let mut taken = Vec::new();
        while taken.len() < max
            && self.held.len() < MOST_HELD
            && let Some(first) = self.ready.first_entry()
            && first.key().0 <= now
        {
            let entry = first.remove();
            let mut kept = entry.clone();
            kept.delivery.data = Bytes::new();
            kept.loaded = entry.loaded && entry.delivery.data.is_empty();
            self.held.insert(entry.id(), kept);
            taken.push(entry);
        }
        taken
    }

    /// When the next delivery may run, if one waits in memory.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.ready.first_key_value().map(|((at, _), _)| *at)
    }

    /// A handed-out delivery left the queue. `successor`: the next of its group.
    pub(super) fn finished(&mut self, id: DeliveryId, successor: Option<Entry>) {
        if let Some(entry) = self.held.remove(&id) {
            self.groups.remove(&entry.delivery.group);
        }
        if let Some(successor) = successor
            && !self.held.contains_key(&successor.id())
        {
            self.insert(successor);
        }
    }

    /// A handed-out delivery failed and is to run again. It stays the head of its group.
    pub(super) fn retried(&mut self, id: DeliveryId, due: Timestamp) {
        if let Some(mut entry) = self.held.remove(&id) {
            entry.delivery.failures += 1;
            entry.not_before = due;
            self.insert(entry);
        }
    }

    /// A handed-out delivery was given back.
    pub(super) fn released(&mut self, id: DeliveryId) {
        if let Some(entry) = self.held.remove(&id) {
            self.insert(entry);
        }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;

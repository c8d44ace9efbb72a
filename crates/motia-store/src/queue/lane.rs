//! What of one step's deliveries is in memory: a bounded window of those that may run now, and those that are out.
//!
//! What is not due stays on disk, and the lane knows when the first of it will be. What is due and does not fit stays on disk too, and the
//! lane knows that there is more. In a queue that keeps groups apart, a group has no more deliveries in memory than may be out at a time; whenever
//! one of them goes, or one comes that may go first, the group is *filled* again from disk.
//!
//! A lane only ever gains deliveries from the writer thread, so what that reads is what is missing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;

use bytes::Bytes;
use motia_core::step::{QueueConfig, QueueKind};
use motia_core::{GroupId, Priority, StepName, Timestamp};
use motia_ports::queue::{Delivery, DeliveryId};

use super::INLINE;

/// Most deliveries of a step that wait in memory.
pub(super) const WINDOW: usize = 1024;
/// More than ever run at a time: a refill reads past those that are out.
pub(super) const MOST_HELD: usize = 1024;

/// What a queue keeps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    Plain,
    /// No more deliveries of one group are out than this.
    Limited(NonZeroU32),
    /// The deliveries of one group are in order.
    Fifo,
}

impl Rule {
    pub(super) fn of(queue: &QueueConfig) -> Self {
        match (queue.kind, queue.group_concurrency) {
            (QueueKind::Fifo, _) => Self::Fifo,
            (QueueKind::Standard, Some(limit)) => Self::Limited(limit),
            (QueueKind::Standard, None) => Self::Plain,
        }
    }

    /// How many deliveries of a group may be out, if that is limited.
    fn most_out(self, group: &Group) -> Option<usize> {
        match (self, group) {
            (Self::Fifo, _) => Some(1),
            (Self::Limited(limit), Some(_)) => Some(limit.get() as usize),
            (Self::Limited(_), None) | (Self::Plain, _) => None,
        }
    }
}

/// The group of a delivery. Events without one are a group in a fifo queue.
pub(super) type Group = Option<GroupId>;

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

    pub(super) fn group(&self) -> &Group {
        &self.delivery.group
    }

    /// The delivery, and whether its data is here.
    pub(super) fn into_delivery(self) -> (Delivery, bool) {
        (self.delivery, self.loaded)
    }

    fn key(&self) -> Key {
        (Reverse(self.delivery.priority), self.not_before, self.delivery.id)
    }
}

/// What runs first is less.
type Key = (Reverse<Priority>, Timestamp, DeliveryId);

/// What of a group is in memory.
#[derive(Default)]
struct InMemory {
    due: BTreeSet<Key>,
    out: usize,
}

/// What a refill has to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refill {
    /// The first `most` that are due.
    First { most: usize },
    /// Those that became due after an instant.
    Since(Timestamp),
    /// Those that became due after an instant, and with `look` the groups behind a name.
    Groups { since: Timestamp, look: bool, behind: Option<String> },
}

/// One step's deliveries in memory.
pub(super) struct Lane {
    rule: Rule,
    paused: bool,
    due: BTreeMap<Key, Entry>,
    held: HashMap<DeliveryId, Entry>,
    /// Those that are limited.
    groups: HashMap<Group, InMemory>,
    /// There may be deliveries on disk that are due and not in memory.
    more: bool,
    /// Everything on disk that was due then is in memory, or counts as `more`.
    seen: Timestamp,
    /// When the first delivery on disk becomes due that was not at `seen`.
    next: Option<Timestamp>,
    /// Where the look through all groups goes on.
    groups_behind: Option<String>,
    /// Something had to stay on disk since that look began.
    overflowed: bool,
    refilling: bool,
}

impl Lane {
    /// A lane that has not looked at the disk yet.
    pub(super) fn new(rule: Rule, paused: bool) -> Self {
        Self {
            rule,
            paused,
            due: BTreeMap::new(),
            held: HashMap::new(),
            groups: HashMap::new(),
            more: true,
            seen: Timestamp(i64::MIN),
            next: None,
            groups_behind: None,
            overflowed: false,
            refilling: false,
        }
    }

    /// The step's queue got another rule: forget the window and read it anew.
    pub(super) fn set_rule(&mut self, rule: Rule) {
        if self.rule != rule {
            self.rule = rule;
            self.reread();
        }
    }

    /// What is on disk changed behind the lane's back.
    pub(super) fn reread(&mut self) {
        self.due.clear();
        self.groups.clear();
        for entry in self.held.values().filter(|entry| self.rule.most_out(entry.group()).is_some()) {
            self.groups.entry(entry.group().clone()).or_default().out += 1;
        }
        (self.more, self.groups_behind, self.overflowed) = (true, None, false);
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether the window runs low while there is more on disk, or something there became due. The caller must refill if so.
    pub(super) fn wants_refill(&mut self, now: Timestamp) -> bool {
        let wants = !self.refilling && !self.paused && (self.is_low() || self.next.is_some_and(|next| next <= now));
        self.refilling |= wants;
        wants
    }

    fn is_low(&self) -> bool {
        self.more && self.due.len() < WINDOW / 2
    }

    /// What the refill that was asked for should read.
    pub(super) fn refill(&self) -> Refill {
        match self.rule {
            Rule::Plain if self.is_low() => Refill::First { most: WINDOW + self.held.len() },
            Rule::Plain => Refill::Since(self.seen),
            Rule::Limited(_) | Rule::Fifo => {
                Refill::Groups { since: self.seen, look: self.is_low(), behind: self.groups_behind.clone() }
            }
        }
    }

    /// The refill failed; another may be asked for.
    pub(super) fn refill_failed(&mut self) {
        self.refilling = false;
    }

    /// The refill is over. `next`: when the first delivery on disk becomes due that is not at `now`.
    pub(super) fn refilled(&mut self, now: Timestamp, next: Option<Timestamp>) {
        (self.refilling, self.seen, self.next) = (false, now, next);
    }

    /// The first deliveries on disk that are due.
    pub(super) fn first(&mut self, entries: Vec<Entry>, most: usize) {
        self.more = entries.len() >= most;
        self.insert_all(entries, usize::MAX);
    }

    /// More became due than a refill reads.
    pub(super) fn overflow(&mut self) {
        (self.more, self.overflowed) = (true, true);
    }

    /// The look through all groups came to the name `behind`; `None`: to their end.
    pub(super) fn looked_through(&mut self, behind: Option<String>) {
        self.groups_behind = behind;
        if self.groups_behind.is_none() {
            self.more = std::mem::take(&mut self.overflowed);
        }
    }

    /// A delivery on disk that is due at `at`: nothing of it is in memory.
    pub(super) fn later(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
        // The clock may have been put back.
        self.seen = self.seen.min(Timestamp(at.0.saturating_sub(1)));
    }

    /// A new delivery is on disk, or one that was there became due. Answers with a group that must be filled.
    pub(super) fn emitted(&mut self, entry: Entry, now: Timestamp) -> Option<Group> {
        if entry.not_before > now {
            self.later(entry.not_before);
            // In a fifo queue it may come before a head that is due even later.
            return None;
        }
        let group = entry.group();
        let Some(room) = self.room(group) else {
            self.offer(entry);
            return None;
        };
        let (known, waiting) = (self.groups.get(group), self.waiting(group));
        // The order of a fifo group is another one, but what comes first there is due first here.
        let precedes = known.and_then(|known| known.due.last()).is_some_and(|last| entry.key() < *last);
        (room > 0 && (waiting < room || precedes)).then(|| group.clone())
    }

    /// How many deliveries of a group may be in memory besides those that are out, if that is limited.
    fn room(&self, group: &Group) -> Option<usize> {
        let out = self.groups.get(group).map_or(0, |known| known.out);
        Some(self.rule.most_out(group)?.saturating_sub(out))
    }

    /// Whether deliveries of the group may be on disk that should be in memory.
    pub(super) fn has_room(&self, group: &Group) -> bool {
        self.room(group).is_none_or(|room| room > self.waiting(group))
    }

    /// How many deliveries of a group wait in memory.
    fn waiting(&self, group: &Group) -> usize {
        self.groups.get(group).map_or(0, |known| known.due.len())
    }

    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    /// How many of the first deliveries of a group, out or not, are enough to fill it.
    pub(super) fn most_in_memory(&self, group: &Group) -> usize {
        self.rule.most_out(group).unwrap_or(WINDOW + self.held.len())
    }

    /// The first deliveries of a group that are due, out or not; of a fifo group the head. They take the place of those in memory that are
    /// not out. Of a group that is not limited they come besides.
    pub(super) fn fill(&mut self, group: &Group, entries: Vec<Entry>) {
        let Some(room) = self.room(group) else {
            if entries.len() >= self.most_in_memory(group) {
                self.overflow();
            }
            return self.insert_all(entries, usize::MAX);
        };
        if let Some(known) = self.groups.get_mut(group) {
            for key in std::mem::take(&mut known.due) {
                self.due.remove(&key);
            }
        }
        self.insert_all(entries, room);
        self.forget_if_empty(group);
    }

    /// Those that are not in memory already, `most` at most.
    fn insert_all(&mut self, entries: Vec<Entry>, most: usize) {
        let fresh: Vec<_> = entries.into_iter().filter(|entry| !self.has(entry)).take(most).collect();
        fresh.into_iter().for_each(|entry| self.insert(entry));
    }

    fn forget_if_empty(&mut self, group: &Group) {
        if self.groups.get(group).is_some_and(|known| known.out == 0 && known.due.is_empty()) {
            self.groups.remove(group);
        }
    }

    fn has(&self, entry: &Entry) -> bool {
        self.held.contains_key(&entry.id()) || self.due.contains_key(&entry.key())
    }

    /// A delivery that may run now, of no limited group.
    fn offer(&mut self, entry: Entry) {
        // While there is more on disk, only what comes before the end of the window may jump in: the rest has its turn.
        let in_window = self.due.last_key_value().is_some_and(|(last, _)| entry.key() < *last);
        if (in_window || !self.more) && !self.has(&entry) {
            self.insert(entry);
        }
    }

    fn insert(&mut self, entry: Entry) {
        if self.rule.most_out(entry.group()).is_some() {
            self.groups.entry(entry.group().clone()).or_default().due.insert(entry.key());
        }
        self.due.insert(entry.key(), entry);
        if self.due.len() > WINDOW
            && let Some((key, last)) = self.due.pop_last()
        {
            if let Some(known) = self.groups.get_mut(last.group()) {
                known.due.remove(&key);
            }
            self.forget_if_empty(last.group());
            self.overflow();
        }
    }

    /// Hands out what may run now.
    pub(super) fn take(&mut self, max: usize) -> Vec<Entry> {
        let mut taken = Vec::new();
        while !self.paused
            && taken.len() < max
            && self.held.len() < MOST_HELD
            && let Some((key, entry)) = self.due.pop_first()
        {
            if let Some(known) = self.groups.get_mut(entry.group()) {
                known.due.remove(&key);
                known.out += 1;
            }
            let mut kept = entry.clone();
            kept.delivery.data = Bytes::new();
            kept.loaded = entry.loaded && entry.delivery.data.is_empty();
            self.held.insert(entry.id(), kept);
            taken.push(entry);
        }
        taken
    }

    /// When the next delivery on disk may run; none while there is nothing to wait for.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.next.filter(|_| !self.paused)
    }

    /// A delivery that was out is finished. Answers with the group that must be filled.
    pub(super) fn finished(&mut self, id: DeliveryId) -> Option<Group> {
        let entry = self.came_back(id)?;
        self.rule.most_out(entry.group()).map(|_| entry.group().clone())
    }

    /// A delivery that was out failed and is to run again at `due`. Answers with the group that must be filled.
    pub(super) fn retried(&mut self, id: DeliveryId, due: Timestamp) -> Option<Group> {
        let group = self.finished(id);
        self.later(due);
        group
    }

    /// A delivery that was out was given back. Of a limited group another one on disk may come first by now: the next refill decides.
    pub(super) fn released(&mut self, id: DeliveryId) {
        match self.came_back(id) {
            Some(entry) if self.rule.most_out(entry.group()).is_some() => self.later(entry.not_before),
            Some(entry) => self.insert(entry),
            None => {}
        }
    }

    fn came_back(&mut self, id: DeliveryId) -> Option<Entry> {
        let entry = self.held.remove(&id)?;
        if let Some(known) = self.groups.get_mut(entry.group()) {
            known.out = known.out.saturating_sub(1);
        }
        self.forget_if_empty(entry.group());
        Some(entry)
    }

    /// Whether a delivery is out.
    pub(super) fn is_out(&self, id: DeliveryId) -> bool {
        self.held.contains_key(&id)
    }

    /// How many deliveries are out.
    pub(super) fn count_out(&self) -> u64 {
        self.held.len() as u64
    }

    /// Takes a delivery back that is to be removed from disk. `false`: it is out.
    pub(super) fn withdraw(&mut self, id: DeliveryId) -> bool {
        if self.held.contains_key(&id) {
            return false;
        }
        if let Some(key) = self.due.iter().find(|(_, entry)| entry.id() == id).map(|(key, _)| *key)
            && let Some(entry) = self.due.remove(&key)
        {
            if let Some(known) = self.groups.get_mut(entry.group()) {
                known.due.remove(&key);
            }
            self.forget_if_empty(entry.group());
        }
        true
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;

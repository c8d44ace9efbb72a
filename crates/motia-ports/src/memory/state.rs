//! `ctx.state` in memory.

use std::sync::Arc;

use bytes::Bytes;
use motia_core::update::{self, Change, UpdateError};
use motia_core::{Clock, GroupId, ItemKey, Timestamp};
use parking_lot::Mutex;

use super::{Writes, ready};
use crate::state::{Conditional, Entry, Revision};
use crate::{Mark, Pending, State, Write};

pub(super) struct MemoryState {
    clock: Arc<dyn Clock>,
    writes: Writes,
    values: Mutex<Values>,
}

#[derive(Default)]
struct Values {
    /// In the order in which they were first set.
    rows: Vec<(GroupId, ItemKey, Entry)>,
    last: u64,
}

impl MemoryState {
    pub(super) fn new(clock: Arc<dyn Clock>, writes: Writes) -> Self {
        Self { clock, writes, values: Mutex::default() }
    }

    /// What is there now.
    fn with<T>(&self, act: impl FnOnce(&mut Values) -> T) -> T {
        let (mut values, now) = (self.values.lock(), self.clock.now());
        values.rows.retain(|(_, _, entry)| entry.expires.is_none_or(|expires| expires > now));
        act(&mut values)
    }
}

impl Values {
    fn find(&mut self, group: &GroupId, key: &ItemKey) -> Option<&mut Entry> {
        let row = self.rows.iter_mut().find(|(in_group, at_key, _)| in_group == group && at_key == key);
        row.map(|(_, _, entry)| entry)
    }

    fn write(&mut self, group: GroupId, key: ItemKey, value: Bytes, expires: Option<Timestamp>) -> Revision {
        self.last += 1;
        let revision = Revision(self.last);
        let entry = Entry { value, revision, expires };
        match self.find(&group, &key) {
            Some(known) => *known = entry,
            None => self.rows.push((group, key, entry)),
        }
        revision
    }

    fn remove(&mut self, group: &GroupId, key: &ItemKey) -> Option<Bytes> {
        let at = self.rows.iter().position(|(in_group, at_key, _)| in_group == group && at_key == key)?;
        Some(self.rows.remove(at).2.value)
    }
}

impl State for MemoryState {
    fn get(&self, _after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Bytes>> {
        ready(self.with(|values| values.find(&group, &key).map(|entry| entry.value.clone())))
    }

    fn entry(&self, _after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Entry>> {
        ready(self.with(|values| values.find(&group, &key).cloned()))
    }

    fn set(&self, group: GroupId, key: ItemKey, value: Bytes, expires: Option<Timestamp>) -> Write<()> {
        self.with(|values| values.write(group, key, value, expires));
        self.writes.made(())
    }

    fn set_if(
        &self,
        group: GroupId,
        key: ItemKey,
        value: Bytes,
        expected: Option<Revision>,
        expires: Option<Timestamp>,
    ) -> Write<Conditional> {
        self.writes.made(self.with(|values| {
            let there = values.find(&group, &key).map(|entry| entry.revision);
            if there == expected {
                Conditional::Written(values.write(group, key, value, expires))
            } else {
                Conditional::Changed(there)
            }
        }))
    }

    fn update(&self, group: GroupId, key: ItemKey, changes: Vec<Change>) -> Write<Result<Option<Bytes>, UpdateError>> {
        self.writes.made(self.with(|values| {
            let there = values.find(&group, &key).cloned();
            let changed = update::apply(there.as_ref().map(|entry| &*entry.value), &changes)?.map(Bytes::from);
            match &changed {
                Some(value) => {
                    values.write(group, key, value.clone(), there.and_then(|entry| entry.expires));
                }
                None => drop(values.remove(&group, &key)),
            }
            Ok(changed)
        }))
    }

    fn delete(&self, group: GroupId, key: ItemKey) -> Write<Option<Bytes>> {
        self.writes.made(self.with(|values| values.remove(&group, &key)))
    }

    fn group(&self, _after: Mark, group: GroupId) -> Pending<Vec<Bytes>> {
        let of_group = |(in_group, _, entry): &(GroupId, _, Entry)| (*in_group == group).then(|| entry.value.clone());
        ready(self.with(|values| values.rows.iter().filter_map(of_group).collect()))
    }

    fn keys(&self, _after: Mark, group: GroupId) -> Pending<Vec<ItemKey>> {
        let of_group = |(in_group, key, _): &(GroupId, ItemKey, _)| (*in_group == group).then(|| key.clone());
        ready(self.with(|values| values.rows.iter().filter_map(of_group).collect()))
    }

    fn groups(&self, _after: Mark) -> Pending<Vec<GroupId>> {
        let mut groups: Vec<_> = self.with(|values| values.rows.iter().map(|(group, ..)| group.clone()).collect());
        groups.sort();
        groups.dedup();
        ready(groups)
    }

    fn clear(&self, group: GroupId) -> Write<()> {
        self.with(|values| values.rows.retain(|(in_group, ..)| *in_group != group));
        self.writes.made(())
    }
}

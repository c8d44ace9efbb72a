//! `ctx.state` on SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use motia_core::update::{self, Change, UpdateError};
use motia_core::{Clock, GroupId, ItemKey, Timestamp};
use motia_ports::state::{Conditional, Entry, Revision};
use motia_ports::{Mark, Pending, State, Write};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::joined;
use crate::reader::Reader;
use crate::sequence::Sequence;
use crate::writer::Writer;

type Result<T> = std::result::Result<T, rusqlite::Error>;

#[derive(Clone)]
pub(crate) struct SqliteState {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) revisions: Sequence,
    pub(crate) special: Arc<Special>,
}

/// What most projects have none of, and what is not looked for then.
#[derive(Default)]
pub(crate) struct Special {
    /// Values that go by themselves.
    pub(crate) expiring: AtomicBool,
    /// Values of the original, whose keys cannot be told apart.
    pub(crate) joined: AtomicBool,
}

impl Special {
    pub(crate) fn look(connection: &Connection) -> Result<Self> {
        let exists =
            |sql: &str| connection.query_row(&format!("SELECT EXISTS ({sql})"), [], |row| row.get::<_, bool>(0));
        Ok(Self {
            expiring: exists("SELECT 1 FROM state WHERE expires IS NOT NULL")?.into(),
            joined: exists("SELECT 1 FROM joined_state UNION ALL SELECT 1 FROM joined_items")?.into(),
        })
    }

    fn expiring(&self) -> bool {
        self.expiring.load(Ordering::Relaxed)
    }

    pub(crate) fn joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }
}

/// One key, at one moment.
struct Place<'a> {
    group: &'a GroupId,
    key: &'a ItemKey,
    now: Timestamp,
    special: &'a Special,
}

impl Place<'_> {
    fn read(&self, connection: &Connection) -> Result<Option<Entry>> {
        let found = connection
            .prepare_cached(
                "SELECT revision, expires, value FROM state WHERE grp = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
            )?
            .query_row((self.group.as_str(), self.key.as_str(), self.now.as_millis()), |row| {
                Ok(Entry {
                    revision: Revision(row.get::<_, i64>(0)?.cast_unsigned()),
                    expires: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                    value: text(row, 2)?,
                })
            })
            .optional()?;
        if found.is_some() || !self.special.joined() {
            return Ok(found);
        }
        let value = joined::value(connection, self.group, self.key)?;
        Ok(value.map(|value| Entry { value, revision: Revision(0), expires: None }))
    }

    /// Forgets what is there and does not count any more.
    fn clear_away(&self, connection: &Connection) -> Result<()> {
        if self.special.expiring() {
            connection.prepare_cached("DELETE FROM state WHERE grp = ?1 AND key = ?2 AND expires <= ?3")?.execute((
                self.group.as_str(),
                self.key.as_str(),
                self.now.as_millis(),
            ))?;
        }
        if self.special.joined() {
            joined::forget(connection, self.group, self.key)?;
        }
        Ok(())
    }

    fn write(
        &self,
        connection: &Connection,
        value: &Bytes,
        revision: Revision,
        expires: Option<Timestamp>,
    ) -> Result<()> {
        if expires.is_some() {
            self.special.expiring.store(true, Ordering::Relaxed);
        }
        self.clear_away(connection)?;
        connection
            .prepare_cached(
                "INSERT INTO state (grp, key, revision, expires, value) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (grp, key) DO UPDATE
                 SET revision = excluded.revision, expires = excluded.expires, value = excluded.value",
            )?
            .execute((
                self.group.as_str(),
                self.key.as_str(),
                revision.0.cast_signed(),
                expires.map(Timestamp::as_millis),
                json(value)?,
            ))
            .map(|_| ())
    }

    fn remove(&self, connection: &Connection) -> Result<Option<Bytes>> {
        let joined = if self.special.joined() { joined::value(connection, self.group, self.key)? } else { None };
        self.clear_away(connection)?;
        let removed = connection
            .prepare_cached("DELETE FROM state WHERE grp = ?1 AND key = ?2 RETURNING value")?
            .query_row((self.group.as_str(), self.key.as_str()), |row| text(row, 0))
            .optional()?;
        Ok(removed.or(joined))
    }
}

impl SqliteState {
    /// Hands in an operation on one key.
    fn at<T: Send + 'static>(
        &self,
        group: GroupId,
        key: ItemKey,
        act: impl FnOnce(&Connection, &Place<'_>, Revision) -> Result<T> + Send + 'static,
    ) -> Write<T> {
        let (now, revisions, special) = (self.clock.now(), self.revisions.clone(), Arc::clone(&self.special));
        let several = special.joined();
        let act = move |connection: &Connection| {
            // Taken here, in the order of the writes.
            let revision = Revision(revisions.next());
            act(connection, &Place { group: &group, key: &key, now, special: &special }, revision)
        };
        // Of the statements of an operation only the last changes what anybody can see, unless a value of the original is there.
        if several { self.writer.submit_atomic(act, |_, _| {}) } else { self.writer.submit(act) }
    }
}

impl State for SqliteState {
    fn get(&self, after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Bytes>> {
        let entry = self.entry(after, group, key);
        Box::pin(async move { entry.await.map(|entry| entry.map(|entry| entry.value)) })
    }

    fn entry(&self, after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Entry>> {
        let (now, special) = (self.clock.now(), Arc::clone(&self.special));
        self.reader
            .read(after, move |connection| Place { group: &group, key: &key, now, special: &special }.read(connection))
    }

    fn set(&self, group: GroupId, key: ItemKey, value: Bytes, expires: Option<Timestamp>) -> Write<()> {
        self.at(group, key, move |connection, place, revision| place.write(connection, &value, revision, expires))
    }

    fn set_if(
        &self,
        group: GroupId,
        key: ItemKey,
        value: Bytes,
        expected: Option<Revision>,
        expires: Option<Timestamp>,
    ) -> Write<Conditional> {
        self.at(group, key, move |connection, place, revision| {
            let there = place.read(connection)?.map(|entry| entry.revision);
            if there != expected {
                return Ok(Conditional::Changed(there));
            }
            place.write(connection, &value, revision, expires)?;
            Ok(Conditional::Written(revision))
        })
    }

    fn update(
        &self,
        group: GroupId,
        key: ItemKey,
        changes: Vec<Change>,
    ) -> Write<std::result::Result<Option<Bytes>, UpdateError>> {
        self.at(group, key, move |connection, place, revision| {
            let there = place.read(connection)?;
            let changed = match update::apply(there.as_ref().map(|entry| &*entry.value), &changes) {
                Ok(changed) => changed.map(Bytes::from),
                Err(error) => return Ok(Err(error)),
            };
            match &changed {
                Some(value) => place.write(connection, value, revision, there.and_then(|entry| entry.expires))?,
                None => drop(place.remove(connection)?),
            }
            Ok(Ok(changed))
        })
    }

    fn delete(&self, group: GroupId, key: ItemKey) -> Write<Option<Bytes>> {
        self.at(group, key, move |connection, place, _| place.remove(connection))
    }

    fn group(&self, after: Mark, group: GroupId) -> Pending<Vec<Bytes>> {
        let (now, special) = (self.clock.now(), Arc::clone(&self.special));
        self.reader.read(after, move |connection| {
            let mut values: Vec<Bytes> = connection
                .prepare_cached(
                    "SELECT value FROM state WHERE grp = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY rowid",
                )?
                .query_map((group.as_str(), now.as_millis()), |row| text(row, 0))?
                .collect::<Result<_>>()?;
            if special.joined() {
                values.extend(joined::group(connection, &group)?.into_iter().map(|(_, value)| value));
            }
            Ok(values)
        })
    }

    fn keys(&self, after: Mark, group: GroupId) -> Pending<Vec<ItemKey>> {
        let (now, special) = (self.clock.now(), Arc::clone(&self.special));
        self.reader.read(after, move |connection| {
            let mut keys: Vec<ItemKey> = connection
                .prepare_cached(
                    "SELECT key FROM state WHERE grp = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY rowid",
                )?
                .query_map((group.as_str(), now.as_millis()), |row| Ok(row.get::<_, String>(0)?.into()))?
                .collect::<Result<_>>()?;
            if special.joined() {
                keys.extend(joined::group(connection, &group)?.into_iter().map(|(key, _)| key));
            }
            Ok(keys)
        })
    }

    fn groups(&self, after: Mark) -> Pending<Vec<GroupId>> {
        let (now, special) = (self.clock.now(), Arc::clone(&self.special));
        self.reader.read(after, move |connection| {
            let mut groups = groups(connection, now)?;
            if special.joined() {
                groups.extend(joined::groups(connection)?);
                groups.sort();
                groups.dedup();
            }
            Ok(groups)
        })
    }

    fn clear(&self, group: GroupId) -> Write<()> {
        let special = Arc::clone(&self.special);
        self.writer.submit_atomic(
            move |connection| {
                connection.prepare_cached("DELETE FROM state WHERE grp = ?1")?.execute([group.as_str()])?;
                if special.joined() {
                    joined::clear(connection, &group)?;
                }
                Ok(())
            },
            |_, ()| {},
        )
    }
}

/// Each group costs a look at the index, however many keys it has; only where all first ones have expired the others are read.
fn groups(connection: &Connection, now: Timestamp) -> Result<Vec<GroupId>> {
    let mut first = connection.prepare_cached("SELECT min(grp) FROM state")?;
    let mut behind = connection.prepare_cached("SELECT min(grp) FROM state WHERE grp > ?1")?;
    let mut has_value = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM state WHERE grp = ?1 AND (expires IS NULL OR expires > ?2))")?;
    let mut groups: Vec<GroupId> = Vec::new();
    let mut next: Option<String> = first.query_row([], |row| row.get(0))?;
    while let Some(name) = next {
        if has_value.query_row((&name, now.as_millis()), |row| row.get(0))? {
            groups.push(name.as_str().into());
        }
        next = behind.query_row([&name], |row| row.get(0))?;
    }
    Ok(groups)
}

/// A column of JSON text.
pub(crate) fn text(row: &Row<'_>, column: usize) -> Result<Bytes> {
    Ok(Bytes::from(row.get::<_, String>(column)?.into_bytes()))
}

/// JSON as it is bound: text, so that it must be UTF-8.
pub(crate) fn json(bytes: &Bytes) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

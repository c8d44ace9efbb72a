//! The queue's rows: each function is part of one operation of the writer, or a read.

use bytes::Bytes;
use motia_core::step::{QueueConfig, QueueKind};
use motia_core::{GroupId, SourcePath, StepName, Timestamp, TraceId};
use motia_ports::queue::{Delivery, DeliveryId, Failure, QueueDepth, Subscription};
use rusqlite::{Connection, OptionalExtension, Row};

use super::lane::Entry;
use super::{INLINE, bytes};
use crate::state::json;

type Result<T> = std::result::Result<T, rusqlite::Error>;

fn key(id: DeliveryId) -> i64 {
    id.0.cast_signed()
}

pub(super) fn declare(
    connection: &Connection,
    active: &[Subscription],
    broken: &[SourcePath],
) -> Result<Vec<Subscription>> {
    let mut stored = stored(connection)?;
    for new in active {
        let before = stored.iter().find(|old| old.step == new.step);
        if before.is_some_and(|old| old.queue.kind != new.queue.kind) {
            change_kind(connection, new)?;
        }
    }
    stored.retain(|old| broken.contains(&old.source) && !active.iter().any(|new| new.step == old.step));
    stored.extend(active.iter().cloned());
    connection.execute("DELETE FROM subscriptions", [])?;
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO subscriptions (step, topic, source, queue) VALUES (?1, ?2, ?3, ?4)")?;
    for subscription in &stored {
        let queue = serde_json::to_string(&subscription.queue).map_err(invalid)?;
        for topic in &subscription.topics {
            insert.execute((subscription.step.as_str(), topic.as_str(), subscription.source.as_str(), &queue))?;
        }
    }
    Ok(stored)
}

/// Deliveries that wait in a queue whose kind changed follow the new rule.
fn change_kind(connection: &Connection, subscription: &Subscription) -> Result<()> {
    let sequence = match subscription.queue.kind {
        QueueKind::Standard => "NULL",
        QueueKind::Fifo => "coalesce('=' || grp, '')",
    };
    connection
        .execute(&format!("UPDATE deliveries SET sequence = {sequence} WHERE step = ?1"), [subscription.step.as_str()])
        .map(|_| ())
}

/// What a fifo queue keeps in order: see the schema.
fn sequence(group: Option<&GroupId>) -> String {
    group.map(|group| format!("={group}")).unwrap_or_default()
}

fn stored(connection: &Connection) -> Result<Vec<Subscription>> {
    let mut select =
        connection.prepare_cached("SELECT step, topic, source, queue FROM subscriptions ORDER BY step, topic")?;
    let mut rows = select.query([])?;
    let mut subscriptions: Vec<Subscription> = Vec::new();
    while let Some(row) = rows.next()? {
        let step = StepName::from(row.get::<_, String>(0)?);
        let topic = row.get::<_, String>(1)?.into();
        match subscriptions.last_mut().filter(|last| last.step == step) {
            Some(last) => last.topics.push(topic),
            None => subscriptions.push(Subscription {
                step,
                source: row.get::<_, String>(2)?.into(),
                topics: vec![topic],
                // A row of another version with settings that are unknown here: the defaults are safe.
                queue: serde_json::from_str::<QueueConfig>(&row.get::<_, String>(3)?).unwrap_or_default(),
            }),
        }
    }
    Ok(subscriptions)
}

fn invalid(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

pub(super) fn insert_payload(connection: &Connection, data: &Bytes, uses: usize) -> Result<i64> {
    connection
        .prepare_cached("INSERT INTO payloads (data, uses) VALUES (?1, ?2) RETURNING id")?
        .query_row((json(data)?, i64::try_from(uses).unwrap_or(i64::MAX)), |row| row.get(0))
}

pub(super) fn insert(
    connection: &Connection,
    delivery: &Delivery,
    due: Timestamp,
    fifo: bool,
    payload: Option<i64>,
) -> Result<()> {
    let sequence = fifo.then(|| sequence(delivery.group.as_ref()));
    let data = if payload.is_some() || delivery.data.is_empty() { None } else { Some(json(&delivery.data)?) };
    connection
        .prepare_cached(
            "INSERT INTO deliveries (id, step, topic, grp, due, not_before, trace, parent, emitted, data, payload, sequence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            key(delivery.id),
            delivery.step.as_str(),
            delivery.topic.as_str(),
            delivery.group.as_ref().map(GroupId::as_str),
            due.as_millis(),
            delivery.trace.as_str(),
            delivery.parent.as_deref(),
            delivery.emitted.as_millis(),
            data,
            payload,
            sequence,
        ))
        .map(|_| ())
}

pub(super) fn delete(connection: &Connection, id: DeliveryId) -> Result<()> {
    let row: Option<(Option<i64>, u32)> = connection
        .prepare_cached("DELETE FROM deliveries WHERE id = ?1 RETURNING payload, failures")?
        .query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (payload, failures) = row.unwrap_or_default();
    if let Some(payload) = payload {
        connection.prepare_cached("UPDATE payloads SET uses = uses - 1 WHERE id = ?1")?.execute([payload])?;
        connection.prepare_cached("DELETE FROM payloads WHERE id = ?1 AND uses <= 0")?.execute([payload])?;
    }
    if failures > 0 {
        connection.prepare_cached("DELETE FROM failures WHERE delivery = ?1")?.execute([key(id)])?;
    }
    Ok(())
}

pub(super) fn postpone(connection: &Connection, id: DeliveryId, failure: &Failure, due: Timestamp) -> Result<()> {
    let failures: u32 = connection
        .prepare_cached(
            "UPDATE deliveries SET failures = failures + 1, not_before = ?2 WHERE id = ?1 RETURNING failures",
        )?
        .query_row((key(id), due.as_millis()), |row| row.get(0))?;
    record(connection, id, failures, failure)
}

pub(super) fn bury(connection: &Connection, id: DeliveryId, failure: &Failure) -> Result<()> {
    let failures: u32 = connection
        .prepare_cached("UPDATE deliveries SET failures = failures + 1, state = 1 WHERE id = ?1 RETURNING failures")?
        .query_row([key(id)], |row| row.get(0))?;
    record(connection, id, failures, failure)
}

fn record(connection: &Connection, id: DeliveryId, attempt: u32, failure: &Failure) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO failures (delivery, attempt, at, error) VALUES (?1, ?2, ?3, ?4)")?
        .execute((key(id), attempt, failure.at.as_millis(), &failure.error))
        .map(|_| ())
}

/// Data up to [`INLINE`] comes along; the rest is read when it is handed out.
const COLUMNS: &str =
    "id, topic, grp, not_before, failures, trace, parent, emitted, payload IS NULL, length(data), data";

/// The next deliveries of a step: of a fifo queue, the heads of its groups.
pub(super) fn next(connection: &Connection, step: &StepName, fifo: bool, most: usize) -> Result<Vec<Entry>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = if fifo {
        format!(
            "WITH RECURSIVE sequences (sequence) AS (
                 SELECT min(sequence) FROM deliveries WHERE step = ?1 AND state = 0 AND sequence IS NOT NULL
                 UNION ALL
                 SELECT (SELECT min(sequence) FROM deliveries
                         WHERE step = ?1 AND state = 0 AND sequence IS NOT NULL AND sequence > s.sequence)
                 FROM sequences AS s WHERE s.sequence IS NOT NULL
             )
             SELECT {COLUMNS} FROM deliveries WHERE id IN (
                 SELECT (SELECT id FROM deliveries WHERE step = ?1 AND state = 0 AND sequence = s.sequence
                         ORDER BY due, id LIMIT 1)
                 FROM sequences AS s WHERE s.sequence IS NOT NULL
             ) ORDER BY not_before, id LIMIT ?2"
        )
    } else {
        format!("SELECT {COLUMNS} FROM deliveries WHERE step = ?1 AND state = 0 ORDER BY not_before, id LIMIT ?2")
    };
    connection.prepare_cached(&sql)?.query_map((step.as_str(), most), |row| entry(row, step))?.collect()
}

/// The first of a group that is still there.
pub(super) fn head_of_group(
    connection: &Connection,
    step: &StepName,
    group: Option<&GroupId>,
) -> Result<Option<Entry>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM deliveries WHERE step = ?1 AND state = 0 AND sequence = ?2 ORDER BY due, id LIMIT 1"
        ))?
        .query_row((step.as_str(), sequence(group)), |row| entry(row, step))
        .optional()
}

fn entry(row: &Row<'_>, step: &StepName) -> Result<Entry> {
    let inline: bool =
        row.get::<_, bool>(8)? && row.get::<_, Option<i64>>(9)?.unwrap_or(0) <= INLINE.try_into().unwrap_or(0);
    let data = if inline { bytes(row.get(10)?) } else { Bytes::new() };
    let trace: String = row.get(5)?;
    let delivery = Delivery {
        id: DeliveryId(row.get::<_, i64>(0)?.cast_unsigned()),
        step: step.clone(),
        topic: row.get::<_, String>(1)?.into(),
        group: row.get::<_, Option<String>>(2)?.map(Into::into),
        failures: row.get(4)?,
        trace: trace.parse::<TraceId>().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(error))
        })?,
        parent: row.get(6)?,
        emitted: Timestamp(row.get(7)?),
        data,
    };
    let not_before = Timestamp(row.get(3)?);
    Ok(Entry::read(delivery, not_before, inline))
}

pub(super) fn data(connection: &Connection, id: DeliveryId) -> Result<Bytes> {
    connection
        .prepare_cached(
            "SELECT coalesce(d.data, p.data) FROM deliveries AS d LEFT JOIN payloads AS p ON p.id = d.payload WHERE d.id = ?1",
        )?
        .query_row([key(id)], |row| Ok(bytes(row.get(0)?)))
}

pub(super) fn depths(connection: &Connection) -> Result<Vec<QueueDepth>> {
    connection
        .prepare_cached("SELECT step, sum(state = 0), sum(state = 1) FROM deliveries GROUP BY step ORDER BY step")?
        .query_map([], |row| {
            Ok(QueueDepth {
                step: row.get::<_, String>(0)?.into(),
                waiting: row.get::<_, i64>(1)?.cast_unsigned(),
                dead: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })?
        .collect()
}

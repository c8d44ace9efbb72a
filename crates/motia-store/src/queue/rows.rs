//! The queue's rows: each function is part of one operation of the writer, or a read.

use std::ops::Range;

use bytes::Bytes;
use motia_core::{EventId, GroupId, Priority, StepName, Timestamp, Topic, TraceId};
use motia_ports::queue::{Delivery, DeliveryId, Failure, NewEvent};
use rusqlite::{Connection, OptionalExtension, Row};

use super::INLINE;
use super::lane::{Entry, Group, Rule};
use crate::state::json;

pub(super) type Result<T> = std::result::Result<T, rusqlite::Error>;

pub(super) fn key(id: DeliveryId) -> i64 {
    id.0.cast_signed()
}

/// An absent text stands for "no data".
pub(super) fn bytes(text: Option<String>) -> Bytes {
    text.map(|text| Bytes::from(text.into_bytes())).unwrap_or_default()
}

/// What a queue that keeps groups apart calls a group; nothing in other queues. See the schema.
pub(super) fn sequence(rule: Rule, group: &Group) -> Option<String> {
    match (rule, group) {
        (Rule::Plain, _) => None,
        (_, Some(group)) => Some(format!("={group}")),
        (_, None) => Some(String::new()),
    }
}

/// The group behind such a name.
pub(super) fn group_of(sequence: &str) -> Group {
    sequence.strip_prefix('=').map(GroupId::from)
}

/// The same as [`sequence`], in SQL: what an `UPDATE` sets where a delivery comes under a rule. A fifo queue knows no priorities.
pub(super) fn placed(rule: Rule) -> &'static str {
    match rule {
        Rule::Plain => "sequence = NULL",
        Rule::Limited(_) => "sequence = coalesce('=' || grp, '')",
        Rule::Fifo => "sequence = coalesce('=' || grp, ''), priority = 0",
    }
}

/// The queue of a step came under another rule.
pub(super) fn resequence(connection: &Connection, step: &StepName, rule: Rule) -> Result<()> {
    let set = placed(rule);
    connection
        .execute(&format!("UPDATE deliveries SET {set} WHERE step = ?1 AND state = 0"), [step.as_str()])
        .map(|_| ())
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
    rule: Rule,
    payload: Option<i64>,
) -> Result<()> {
    let data = if payload.is_some() || delivery.data.is_empty() { None } else { Some(json(&delivery.data)?) };
    connection
        .prepare_cached(
            "INSERT INTO deliveries
                 (id, step, topic, grp, due, not_before, trace, parent, emitted, data, payload, sequence, priority)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
            sequence(rule, &delivery.group),
            delivery.priority.number(),
        ))
        .map(|_| ())
}

/// An event that is remembered under the key of a new one.
pub(super) fn remembered(connection: &Connection, event: &NewEvent, key: &str) -> Result<Option<EventId>> {
    connection
        .prepare_cached("SELECT event FROM event_keys WHERE topic = ?1 AND key = ?2 AND until > ?3")?
        .query_row((event.topic.as_str(), key, event.at.as_millis()), |row| Ok(row.get::<_, String>(0)?.into()))
        .optional()
}

pub(super) fn remember(
    connection: &Connection,
    topic: &Topic,
    key: &str,
    event: &EventId,
    until: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO event_keys (topic, key, event, until) VALUES (?1, ?2, ?3, ?4)")?
        .execute((topic.as_str(), key, event.as_str(), until.as_millis()))
        .map(|_| ())
}

/// What an event is called: the ids of its deliveries.
pub(super) fn event_id(deliveries: &Range<u64>) -> EventId {
    format!("{}-{}", deliveries.start, deliveries.end - deliveries.start).into()
}

/// The deliveries that an event had. None, if it is the name of none.
pub(super) fn deliveries_of(event: &EventId) -> Option<Range<i64>> {
    let (first, count) = event.as_str().split_once('-')?;
    let (first, count): (i64, i64) = (first.parse().ok()?, count.parse().ok()?);
    Some(first..first.checked_add(count.max(0))?)
}

/// Those of an event that wait or run. What was delivered again by somebody is none of it.
pub(super) fn waiting_of(connection: &Connection, event: &EventId) -> Result<Vec<DeliveryId>> {
    let Some(Range { start, end }) = deliveries_of(event) else { return Ok(Vec::new()) };
    connection
        .prepare_cached("SELECT id FROM deliveries WHERE id >= ?1 AND id < ?2 AND state = 0 AND replays IS NULL")?
        .query_map((start, end), |row| Ok(DeliveryId(row.get::<_, i64>(0)?.cast_unsigned())))?
        .collect()
}

/// The step and the group of a delivery.
pub(super) fn lane_of(connection: &Connection, id: DeliveryId) -> Result<Option<(StepName, Group)>> {
    connection
        .prepare_cached("SELECT step, grp FROM deliveries WHERE id = ?1")?
        .query_row([key(id)], |row| {
            Ok((row.get::<_, String>(0)?.into(), row.get::<_, Option<String>>(1)?.map(Into::into)))
        })
        .optional()
}

/// Removes a delivery.
pub(super) fn delete(connection: &Connection, id: DeliveryId) -> Result<()> {
    let row: Option<(Option<i64>, u32)> = connection
        .prepare_cached("DELETE FROM deliveries WHERE id = ?1 RETURNING payload, failures")?
        .query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((payload, failures)) = row else { return Ok(()) };
    if let Some(payload) = payload {
        connection.prepare_cached("UPDATE payloads SET uses = uses - 1 WHERE id = ?1")?.execute([payload])?;
        connection.prepare_cached("DELETE FROM payloads WHERE id = ?1 AND uses <= 0")?.execute([payload])?;
    }
    if failures > 0 {
        connection.prepare_cached("DELETE FROM failures WHERE delivery = ?1")?.execute([key(id)])?;
    }
    Ok(())
}

/// The head of a fifo group keeps its place, whatever else is due by now.
pub(super) fn postpone(
    connection: &Connection,
    id: DeliveryId,
    failure: &Failure,
    due: Timestamp,
    rule: Rule,
) -> Result<()> {
    let place = if rule == Rule::Fifo { "0" } else { "?2" };
    let failures: u32 = connection
        .prepare_cached(&format!(
            "UPDATE deliveries SET failures = failures + 1, not_before = ?2, due = {place} WHERE id = ?1 RETURNING failures"
        ))?
        .query_row((key(id), due.as_millis()), |row| row.get(0))?;
    record(connection, id, failures, failure)
}

pub(super) fn bury(connection: &Connection, id: DeliveryId, failure: &Failure) -> Result<()> {
    let failures: u32 = connection
        .prepare_cached(
            "UPDATE deliveries SET failures = failures + 1, state = 1, not_before = ?2 WHERE id = ?1 RETURNING failures",
        )?
        .query_row((key(id), failure.at.as_millis()), |row| row.get(0))?;
    record(connection, id, failures, failure)
}

fn record(connection: &Connection, id: DeliveryId, attempt: u32, failure: &Failure) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO failures (delivery, attempt, at, error) VALUES (?1, ?2, ?3, ?4)")?
        .execute((key(id), attempt, failure.at.as_millis(), &failure.error))
        .map(|_| ())
}

/// Data up to [`INLINE`] comes along; the rest is read when it is handed out. `octet_length` does not read the text itself.
const COLUMNS: &str = "id, topic, grp, not_before, failures, trace, parent, emitted, priority, payload IS NULL AND coalesce(octet_length(data), 0) <= ?2";

/// What of a step became due after `since` and up to `now`, at most `most`, in the order in which it may run.
pub(super) fn due(
    connection: &Connection,
    step: &StepName,
    since: Timestamp,
    now: Timestamp,
    most: usize,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut level = highest_priority(connection, step, i64::MAX)?;
    while let Some(priority) = level.filter(|_| entries.len() < most) {
        let left = i64::try_from(most - entries.len()).unwrap_or(i64::MAX);
        let mut select = connection.prepare_cached(&format!(
            "SELECT {COLUMNS}, CASE WHEN octet_length(data) <= ?2 THEN data END FROM deliveries
             WHERE step = ?1 AND state = 0 AND priority = ?3 AND not_before > ?4 AND not_before <= ?5
             ORDER BY not_before, id LIMIT ?6"
        ))?;
        let bounds = (step.as_str(), inline(), priority, since.as_millis(), now.as_millis(), left);
        for entry in select.query_map(bounds, |row| entry(row, step))? {
            entries.push(entry?);
        }
        level = highest_priority(connection, step, priority)?;
    }
    Ok(entries)
}

/// The highest priority below another one among what waits.
fn highest_priority(connection: &Connection, step: &StepName, below: i64) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT max(priority) FROM deliveries WHERE step = ?1 AND state = 0 AND priority < ?2")?
        .query_row((step.as_str(), below), |row| row.get(0))
}

/// When the first delivery becomes due that is not at `now`.
pub(super) fn next_due(connection: &Connection, step: &StepName, now: Timestamp) -> Result<Option<Timestamp>> {
    let mut next: Option<i64> = None;
    let mut level = highest_priority(connection, step, i64::MAX)?;
    while let Some(priority) = level {
        let of_level: Option<i64> = connection
            .prepare_cached(
                "SELECT min(not_before) FROM deliveries WHERE step = ?1 AND state = 0 AND priority = ?2 AND not_before > ?3",
            )?
            .query_row((step.as_str(), priority, now.as_millis()), |row| row.get(0))?;
        next = match (next, of_level) {
            (Some(next), Some(of_level)) => Some(next.min(of_level)),
            (next, of_level) => next.or(of_level),
        };
        level = highest_priority(connection, step, priority)?;
    }
    Ok(next.map(Timestamp))
}

/// The names of the next groups that have something.
pub(super) fn groups(
    connection: &Connection,
    step: &StepName,
    behind: Option<&str>,
    most: usize,
) -> Result<Vec<String>> {
    let mut select = connection.prepare_cached(
        "SELECT min(sequence) FROM deliveries WHERE step = ?1 AND state = 0 AND sequence IS NOT NULL",
    )?;
    let mut select_behind = connection.prepare_cached(
        "SELECT min(sequence) FROM deliveries WHERE step = ?1 AND state = 0 AND sequence IS NOT NULL AND sequence > ?2",
    )?;
    let mut names: Vec<String> = Vec::new();
    while names.len() < most {
        let behind = names.last().map(String::as_str).or(behind);
        let next: Option<String> = match behind {
            None => select.query_row([step.as_str()], |row| row.get(0))?,
            Some(behind) => select_behind.query_row((step.as_str(), behind), |row| row.get(0))?,
        };
        match next {
            Some(next) => names.push(next),
            None => break,
        }
    }
    Ok(names)
}

/// The first of a group that are due, out or not: of a fifo group its head alone, if that is due; else when it will be.
pub(super) fn in_group(
    connection: &Connection,
    step: &StepName,
    group: &Group,
    rule: Rule,
    now: Timestamp,
    most: usize,
) -> Result<(Vec<Entry>, Option<Timestamp>)> {
    let Some(sequence) = sequence(rule, group) else { return Ok((Vec::new(), None)) };
    let (due, most) = match rule {
        Rule::Fifo => ("", 1),
        _ => ("AND not_before <= ?5", i64::try_from(most).unwrap_or(i64::MAX)),
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, CASE WHEN octet_length(data) <= ?2 THEN data END FROM deliveries
         WHERE step = ?1 AND state = 0 AND sequence = ?3 {due} ORDER BY priority DESC, due, id LIMIT ?4"
    ))?;
    let read = |row: &Row<'_>| Ok((entry(row, step)?, Timestamp(row.get(3)?)));
    let rows = match rule {
        Rule::Fifo => select.query_map((step.as_str(), inline(), sequence, most), read)?.collect::<Result<Vec<_>>>()?,
        _ => select
            .query_map((step.as_str(), inline(), sequence, most, now.as_millis()), read)?
            .collect::<Result<Vec<_>>>()?,
    };
    let later = rows.iter().map(|(_, not_before)| *not_before).find(|not_before| *not_before > now);
    Ok((rows.into_iter().filter(|(_, not_before)| *not_before <= now).map(|(entry, _)| entry).collect(), later))
}

/// One delivery that waits.
pub(super) fn read(connection: &Connection, id: DeliveryId, step: &StepName) -> Result<Entry> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, CASE WHEN octet_length(data) <= ?2 THEN data END FROM deliveries WHERE id = ?1"
        ))?
        .query_row((key(id), inline()), |row| entry(row, step))
}

fn inline() -> i64 {
    i64::try_from(INLINE).unwrap_or(i64::MAX)
}

/// A row of [`COLUMNS`] and the data.
fn entry(row: &Row<'_>, step: &StepName) -> Result<Entry> {
    let inline: bool = row.get(9)?;
    let delivery = Delivery {
        id: DeliveryId(row.get::<_, i64>(0)?.cast_unsigned()),
        step: step.clone(),
        topic: row.get::<_, String>(1)?.into(),
        group: row.get::<_, Option<String>>(2)?.map(Into::into),
        failures: row.get(4)?,
        trace: trace(row, 5)?,
        parent: row.get(6)?,
        emitted: Timestamp(row.get(7)?),
        priority: Priority::new(row.get(8)?).unwrap_or_default(),
        data: if inline { bytes(row.get(10)?) } else { Bytes::new() },
    };
    Ok(Entry::read(delivery, Timestamp(row.get(3)?), inline))
}

pub(super) fn trace(row: &Row<'_>, column: usize) -> Result<TraceId> {
    row.get::<_, String>(column)?.parse::<TraceId>().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(super) fn data(connection: &Connection, id: DeliveryId) -> Result<Bytes> {
    connection
        .prepare_cached(
            "SELECT coalesce(d.data, p.data) FROM deliveries AS d LEFT JOIN payloads AS p ON p.id = d.payload WHERE d.id = ?1",
        )?
        .query_row([key(id)], |row| Ok(bytes(row.get(0)?)))
}

//! What is kept no longer.

use std::time::Duration;

use motia_core::Timestamp;
use motia_core::project::Retention;
use motia_core::project::retention::Limits;
use motia_core::record::Level;
use motia_ports::Error;
use motia_ports::queue::DeliveryId;
use rusqlite::Connection;

use super::Upkeep;
use crate::writer::failed;
use crate::{queue, streams};

/// Rows that one operation of the writer removes.
const AT_A_TIME: usize = 500;
/// How long changes of streams are kept.
const CHANGES: Duration = Duration::from_secs(3600);
/// What a tick takes besides its texts.
const TICK_BYTES: i64 = 100;

pub(super) fn run(upkeep: &Upkeep, retention: &Retention) -> Result<(), Error> {
    let now = upkeep.clock.now();
    expired(upkeep, "DELETE FROM state WHERE rowid IN (SELECT rowid FROM state WHERE expires <= ?1 LIMIT ?2)", now)?;
    expired(
        upkeep,
        "DELETE FROM event_keys WHERE (topic, key) IN (SELECT topic, key FROM event_keys WHERE until <= ?1 LIMIT ?2)",
        now,
    )?;
    stream_changes(upkeep, now)?;
    dead_letters(upkeep, &retention.dead_letters, now)?;
    ticks(upkeep, &retention.ticks, now)
}

/// What changed in streams, for watchers that were away: who was away for longer reads everything anew.
fn stream_changes(upkeep: &Upkeep, now: Timestamp) -> Result<(), Error> {
    let old = before(now, CHANGES);
    loop {
        let dropped = upkeep
            .wait(upkeep.writer.submit_atomic(move |c| streams::changes::drop_old(c, old, AT_A_TIME), |_, _| {}))?;
        if dropped < AT_A_TIME {
            return Ok(());
        }
    }
}

/// Removes rows that are of no use any more, until there are none. `sql` has the time and the number of rows.
fn expired(upkeep: &Upkeep, sql: &'static str, before: Timestamp) -> Result<(), Error> {
    loop {
        let removed = upkeep.wait(upkeep.writer.submit(move |connection| {
            connection.prepare_cached(sql)?.execute((before.as_millis(), AT_A_TIME as i64))
        }))?;
        if removed < AT_A_TIME {
            return Ok(());
        }
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
}

/// Dead letters are somebody's data: that they go is said.
fn dead_letters(upkeep: &Upkeep, limits: &Limits, now: Timestamp) -> Result<(), Error> {
    let (old, bytes) = (before(now, limits.age), i64::try_from(limits.bytes).unwrap_or(i64::MAX));
    let victims = past_dead_letters(&upkeep.connection, old, bytes).map_err(|error| failed(&error))?;
    for some in victims.chunks(AT_A_TIME) {
        let some = some.to_vec();
        upkeep.wait(upkeep.writer.submit_atomic(
            move |connection| some.iter().try_for_each(|id| queue::remove_finished(connection, *id)),
            |_, ()| {},
        ))?;
    }
    if !victims.is_empty() {
        let text = format!(
            "{} dead letters were removed for good: they were older than retention.deadLetters.age, or together larger than its bytes",
            victims.len()
        );
        (upkeep.report)(Level::Warn, text);
    }
    Ok(())
}

/// Those that became so before `old`, and from the newest on those that are beyond `bytes`.
fn past_dead_letters(connection: &Connection, old: Timestamp, bytes: i64) -> Result<Vec<DeliveryId>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT id FROM (
                 SELECT d.id, d.not_before, sum(coalesce(octet_length(d.data), octet_length(p.data), 0)
                        + (SELECT coalesce(sum(octet_length(error)), 0) FROM failures WHERE delivery = d.id))
                     OVER (ORDER BY d.not_before DESC, d.id DESC) AS bytes
                 FROM deliveries AS d LEFT JOIN payloads AS p ON p.id = d.payload WHERE d.state > 0
             ) WHERE not_before < ?1 OR bytes > ?2",
        )?
        .query_map((old.as_millis(), bytes), |row| Ok(DeliveryId(row.get::<_, i64>(0)?.cast_unsigned())))?
        .collect()
}

fn ticks(upkeep: &Upkeep, limits: &Limits, now: Timestamp) -> Result<(), Error> {
    let by_age =
        "DELETE FROM ticks WHERE (step, due) IN (SELECT step, due FROM ticks WHERE ended < ?1 ORDER BY ended LIMIT ?2)";
    expired(upkeep, by_age, before(now, limits.age))?;
    let bytes = i64::try_from(limits.bytes).unwrap_or(i64::MAX);
    // The first that is beyond the bytes, counted from the newest: it and those before it go.
    let last: Option<i64> = upkeep
        .connection
        .prepare_cached(
            "SELECT max(ended) FROM (
                 SELECT ended, sum(?2 + coalesce(octet_length(reason), 0) + octet_length(step))
                     OVER (ORDER BY ended DESC) AS bytes FROM ticks WHERE ended IS NOT NULL
             ) WHERE bytes > ?1",
        )
        .and_then(|mut select| select.query_row((bytes, TICK_BYTES), |row| row.get(0)))
        .map_err(|error| failed(&error))?;
    match last {
        Some(last) => expired(upkeep, by_age, Timestamp(last.saturating_add(1))),
        None => Ok(()),
    }
}

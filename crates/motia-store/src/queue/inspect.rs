//! What people look at: how much waits, dead letters, single deliveries.

use motia_core::{Priority, StepName, Timestamp};
use motia_ports::queue::{DeliveryDetails, DeliveryId, DeliveryInfo, DeliveryState, Failure, QueueDepth};
use rusqlite::{Connection, OptionalExtension, Row};

use super::rows::{Result, key, trace};

pub(super) fn depths(connection: &Connection) -> Result<Vec<QueueDepth>> {
    // Each count is of an index that has nothing else in it.
    connection
        .prepare_cached(
            "WITH waiting AS (SELECT step, count(*) AS count FROM deliveries WHERE state = 0 GROUP BY step),
                  dead AS (SELECT step, count(*) AS count FROM deliveries WHERE state > 0 AND state = 1 GROUP BY step),
                  steps AS (SELECT step FROM waiting UNION SELECT step FROM dead UNION SELECT step FROM paused)
             SELECT step, coalesce(waiting.count, 0), coalesce(dead.count, 0),
                    step IN (SELECT step FROM paused), step NOT IN (SELECT step FROM subscriptions)
             FROM steps LEFT JOIN waiting USING (step) LEFT JOIN dead USING (step) ORDER BY step",
        )?
        .query_map([], |row| {
            Ok(QueueDepth {
                step: row.get::<_, String>(0)?.into(),
                waiting: row.get::<_, i64>(1)?.cast_unsigned(),
                running: 0,
                dead: row.get::<_, i64>(2)?.cast_unsigned(),
                paused: row.get(3)?,
                orphan: row.get(4)?,
            })
        })?
        .collect()
}

const INFO: &str =
    "d.id, d.step, d.state, d.topic, d.trace, d.grp, d.priority, d.emitted, d.not_before, d.failures, d.replays,
    (SELECT error FROM failures WHERE delivery = d.id ORDER BY attempt DESC LIMIT 1),
    coalesce(octet_length(d.data), (SELECT octet_length(data) FROM payloads WHERE id = d.payload), 0)";

pub(super) fn list(
    connection: &Connection,
    step: &StepName,
    state: DeliveryState,
    after: Option<DeliveryId>,
    most: usize,
) -> Result<Vec<DeliveryInfo>> {
    // As it is written in the indexes, so that they are used.
    let of_state = match state {
        DeliveryState::Waiting => "d.state = 0",
        DeliveryState::Dead => "d.state > 0 AND d.state = 1",
        DeliveryState::Replayed => "d.state > 0 AND d.state = 2",
    };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!(
            "SELECT {INFO} FROM deliveries AS d WHERE d.step = ?1 AND {of_state} AND d.id > ?2 ORDER BY d.id LIMIT ?3"
        ))?
        .query_map((step.as_str(), after.map_or(-1, key), most), info)?
        .collect()
}

pub(super) fn show(connection: &Connection, id: DeliveryId) -> Result<Option<DeliveryDetails>> {
    let found = connection
        .prepare_cached(&format!("SELECT {INFO} FROM deliveries AS d WHERE d.id = ?1"))?
        .query_row([key(id)], info)
        .optional()?;
    let Some(info) = found else { return Ok(None) };
    let attempts = connection
        .prepare_cached("SELECT at, error FROM failures WHERE delivery = ?1 ORDER BY attempt")?
        .query_map([key(id)], |row| Ok(Failure { at: Timestamp(row.get(0)?), error: row.get(1)? }))?
        .collect::<Result<_>>()?;
    Ok(Some(DeliveryDetails { info, data: super::rows::data(connection, id)?, attempts }))
}

fn info(row: &Row<'_>) -> Result<DeliveryInfo> {
    let id = |number: i64| DeliveryId(number.cast_unsigned());
    Ok(DeliveryInfo {
        id: id(row.get(0)?),
        step: row.get::<_, String>(1)?.into(),
        state: match row.get::<_, i64>(2)? {
            0 => DeliveryState::Waiting,
            1 => DeliveryState::Dead,
            _ => DeliveryState::Replayed,
        },
        // Memory knows.
        running: false,
        topic: row.get::<_, String>(3)?.into(),
        trace: trace(row, 4)?,
        group: row.get::<_, Option<String>>(5)?.map(Into::into),
        priority: Priority::new(row.get(6)?).unwrap_or_default(),
        emitted: Timestamp(row.get(7)?),
        at: Timestamp(row.get(8)?),
        failures: row.get(9)?,
        replays: row.get::<_, Option<i64>>(10)?.map(id),
        last_error: row.get(11)?,
        bytes: row.get::<_, i64>(12)?.cast_unsigned(),
    })
}

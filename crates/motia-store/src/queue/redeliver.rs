//! What people do with what a queue holds: deliver dead letters again, hand over what a renamed step left behind.

use motia_core::{StepName, Timestamp};
use motia_ports::queue::DeliveryId;
use rusqlite::{Connection, OptionalExtension};

use super::lane::{Entry, MOST_HELD, Rule};
use super::rows::{self, Result, key};

/// A dead letter as a new delivery, which is stored; none if it is no dead letter.
pub(super) fn replay(
    connection: &Connection,
    dead: DeliveryId,
    again: DeliveryId,
    at: Timestamp,
    rule: impl Fn(&StepName) -> Rule,
) -> Result<Option<Entry>> {
    let marked: Option<String> = connection
        .prepare_cached("UPDATE deliveries SET state = 2 WHERE id = ?1 AND state = 1 RETURNING step")?
        .query_row([key(dead)], |row| row.get(0))
        .optional()?;
    let Some(step) = marked.map(StepName::from) else { return Ok(None) };
    connection
        .prepare_cached(
            "INSERT INTO deliveries
                 (id, step, topic, grp, due, not_before, trace, parent, emitted, data, payload, priority, replays)
             SELECT ?2, step, topic, grp, ?3, ?3, trace, parent, emitted, data, payload, priority, id
             FROM deliveries WHERE id = ?1",
        )?
        .execute((key(dead), key(again), at.as_millis()))?;
    connection
        .prepare_cached(
            "UPDATE payloads SET uses = uses + 1 WHERE id = (SELECT payload FROM deliveries WHERE id = ?1)",
        )?
        .execute([key(dead)])?;
    connection
        .prepare_cached(&format!("UPDATE deliveries SET {} WHERE id = ?1", rows::placed(rule(&step))))?
        .execute([key(again)])?;
    rows::read(connection, again, &step).map(Some)
}

/// Hands over what a step holds, but for what is out; answers with how many that were. Ids stay, and with them the order.
pub(super) fn transfer(
    connection: &Connection,
    (from, to): (&StepName, &StepName),
    rule: Rule,
    most: usize,
    is_out: impl Fn(DeliveryId) -> bool,
) -> Result<usize> {
    let placed = rows::placed(rule);
    let mut update = connection.prepare_cached(&format!("UPDATE deliveries SET step = ?2, {placed} WHERE id = ?1"))?;
    let mut moved = 0;
    for states in ["state = 0", "state > 0"] {
        // What is out is passed over.
        let left = i64::try_from(most - moved + MOST_HELD).unwrap_or(i64::MAX);
        let ids: Vec<DeliveryId> = connection
            .prepare_cached(&format!("SELECT id FROM deliveries WHERE step = ?1 AND {states} LIMIT ?2"))?
            .query_map((from.as_str(), left), |row| Ok(DeliveryId(row.get::<_, i64>(0)?.cast_unsigned())))?
            .collect::<Result<_>>()?;
        for id in ids.into_iter().filter(|id| !is_out(*id)).take(most - moved) {
            moved += update.execute((key(id), to.as_str()))?;
        }
    }
    Ok(moved)
}

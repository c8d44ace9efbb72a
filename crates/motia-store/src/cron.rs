//! Schedules and their ticks on SQLite.

use motia_core::step::Overlap;
use motia_core::{SourcePath, StepName, Timestamp};
use motia_ports::cron::{Begun, CronLock, Known, Missed, STILL_RUNNING, Schedule, Tick, TickInfo, TickOutcome};
use motia_ports::{Mark, Pending, Write};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::reader::Reader;
use crate::writer::Writer;

type Result<T> = std::result::Result<T, rusqlite::Error>;

pub(crate) struct SqliteCron {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
}

impl CronLock for SqliteCron {
    fn declare(&self, active: Vec<Schedule>, broken: Vec<SourcePath>, at: Timestamp) -> Pending<Vec<Known>> {
        self.writer.submit_atomic(move |connection| declare(connection, &active, &broken, at), |_, _| {}).done
    }

    fn begin(&self, tick: Tick, overlap: Overlap, at: Timestamp) -> Write<Begun> {
        self.writer.submit_atomic(move |connection| begin(connection, &tick, overlap, at), |_, _| {})
    }

    fn end(&self, tick: Tick, outcome: TickOutcome, at: Timestamp) -> Pending<()> {
        let write = self.writer.submit_atomic(
            move |connection| {
                account(connection, &tick)?;
                let (outcome, reason) = stored(outcome);
                connection
                    .prepare_cached(
                        "INSERT INTO ticks (step, due, outcome, reason, ended, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, ended = excluded.ended",
                    )?
                    .execute((
                        tick.step.as_str(),
                        tick.due.as_millis(),
                        outcome,
                        reason,
                        at.as_millis(),
                        tick.asked,
                    ))
                    .map(|_| ())
            },
            |_, ()| {},
        );
        write.done
    }

    fn miss(&self, missed: Missed, at: Timestamp) -> Pending<()> {
        let write = self.writer.submit_atomic(
            move |connection| {
                let Missed { step, first, last, count, reason } = missed;
                let known: Option<i64> = connection
                    .prepare_cached("SELECT accounted FROM schedules WHERE step = ?1")?
                    .query_row([step.as_str()], |row| row.get(0))
                    .optional()?;
                if known.is_some_and(|accounted| last.as_millis() <= accounted) {
                    return Ok(());
                }
                account(connection, &Tick { step: step.clone(), due: last, asked: false })?;
                let through = (count > 1).then_some(last.as_millis());
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO ticks (step, due, outcome, reason, ended, through, count)
                         VALUES (?1, ?2, 'skipped', ?3, ?4, ?5, ?6)",
                    )?
                    .execute((
                        step.as_str(),
                        first.as_millis(),
                        reason,
                        at.as_millis(),
                        through,
                        i64::try_from(count).unwrap_or(i64::MAX),
                    ))
                    .map(|_| ())
            },
            |_, ()| {},
        );
        write.done
    }

    fn history(&self, step: StepName, most: usize) -> Pending<Vec<TickInfo>> {
        self.reader.read(Mark::NONE, move |connection| {
            connection
                .prepare_cached(
                    "SELECT due, outcome, reason, began, ended, through, count, asked FROM ticks WHERE step = ?1
                     ORDER BY due DESC LIMIT ?2",
                )?
                .query_map((step.as_str(), i64::try_from(most).unwrap_or(i64::MAX)), |row| info(row, &step))?
                .collect()
        })
    }
}

fn begin(connection: &Connection, tick: &Tick, overlap: Overlap, at: Timestamp) -> Result<Begun> {
    // The clock was put back.
    connection
        .prepare_cached("UPDATE schedules SET accounted = min(?2, ?3) WHERE step = ?1 AND accounted > ?3")?
        .execute((tick.step.as_str(), tick.due.as_millis(), at.as_millis()))?;
    account(connection, tick)?;
    let (step, due) = (tick.step.as_str(), tick.due.as_millis());
    let taken = "SELECT EXISTS (SELECT 1 FROM ticks WHERE step = ?1 AND due = ?2)";
    if connection.prepare_cached(taken)?.query_row((step, due), |row| row.get(0))? {
        return Ok(Begun::Taken);
    }
    let runs = "SELECT EXISTS (SELECT 1 FROM ticks WHERE step = ?1 AND outcome = 'running')";
    if overlap == Overlap::Skip && connection.prepare_cached(runs)?.query_row([step], |row| row.get(0))? {
        if !tick.asked {
            connection
                .prepare_cached(
                    "INSERT INTO ticks (step, due, outcome, reason, ended) VALUES (?1, ?2, 'skipped', ?3, ?4)",
                )?
                .execute((step, due, STILL_RUNNING, at.as_millis()))?;
        }
        return Ok(Begun::Busy);
    }
    connection
        .prepare_cached("INSERT INTO ticks (step, due, outcome, began, asked) VALUES (?1, ?2, 'running', ?3, ?4)")?
        .execute((step, due, at.as_millis(), tick.asked))?;
    Ok(Begun::Yes)
}

fn declare(connection: &Connection, active: &[Schedule], broken: &[SourcePath], at: Timestamp) -> Result<Vec<Known>> {
    let known: Vec<(String, String)> = connection
        .prepare_cached("SELECT step, source FROM schedules")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (step, source) in known {
        let stays = active.iter().any(|schedule| schedule.step.as_str() == step)
            || broken.iter().any(|broken| broken.as_str() == source);
        if !stays {
            connection.prepare_cached("DELETE FROM schedules WHERE step = ?1")?.execute([&step])?;
        }
    }
    connection.execute("DELETE FROM ticks WHERE step NOT IN (SELECT step FROM schedules)", [])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO schedules (step, source, rule, accounted) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET source = excluded.source, rule = excluded.rule,
             accounted = CASE WHEN rule = excluded.rule THEN min(accounted, excluded.accounted) ELSE excluded.accounted END",
    )?;
    for schedule in active {
        insert.execute((schedule.step.as_str(), schedule.source.as_str(), &schedule.rule, at.as_millis()))?;
    }
    connection
        .prepare_cached("SELECT step, accounted FROM schedules ORDER BY step")?
        .query_map([], |row| Ok(Known { step: row.get::<_, String>(0)?.into(), accounted: Timestamp(row.get(1)?) }))?
        .collect()
}

/// Instants up to this tick are accounted for.
fn account(connection: &Connection, tick: &Tick) -> Result<()> {
    if tick.asked {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE schedules SET accounted = ?2 WHERE step = ?1 AND accounted < ?2")?
        .execute((tick.step.as_str(), tick.due.as_millis()))
        .map(|_| ())
}

fn stored(outcome: TickOutcome) -> (&'static str, Option<String>) {
    match outcome {
        TickOutcome::Succeeded => ("succeeded", None),
        TickOutcome::Failed(reason) => ("failed", Some(reason)),
        TickOutcome::Skipped(reason) => ("skipped", Some(reason)),
        TickOutcome::Interrupted(reason) => ("interrupted", Some(reason)),
    }
}

fn info(row: &Row<'_>, step: &StepName) -> Result<TickInfo> {
    let reason = row.get::<_, Option<String>>(2)?.unwrap_or_default();
    let count = row.get::<_, i64>(6)?.cast_unsigned();
    Ok(TickInfo {
        tick: Tick { step: step.clone(), due: Timestamp(row.get(0)?), asked: row.get(7)? },
        through: row.get::<_, Option<i64>>(5)?.map(|through| (Timestamp(through), count)),
        outcome: match row.get::<_, String>(1)?.as_str() {
            "running" => None,
            "succeeded" => Some(TickOutcome::Succeeded),
            "skipped" => Some(TickOutcome::Skipped(reason)),
            "interrupted" => Some(TickOutcome::Interrupted(reason)),
            _ => Some(TickOutcome::Failed(reason)),
        },
        began: row.get::<_, Option<i64>>(3)?.map(Timestamp),
        ended: row.get::<_, Option<i64>>(4)?.map(Timestamp),
    })
}

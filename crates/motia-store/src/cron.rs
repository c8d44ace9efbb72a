//! Cron ticks on SQLite.

use motia_core::Timestamp;
use motia_ports::Pending;
use motia_ports::cron::{CronLock, Tick, TickOutcome};

use crate::writer::Writer;

pub(crate) struct SqliteCron {
    pub(crate) writer: Writer,
}

impl CronLock for SqliteCron {
    fn begin(&self, tick: Tick, at: Timestamp) -> Pending<bool> {
        let write = self.writer.submit(move |connection| {
            let begun = connection
                .prepare_cached(
                    "INSERT INTO ticks (step, due, outcome, began) VALUES (?1, ?2, 'running', ?3) ON CONFLICT DO NOTHING",
                )?
                .execute((tick.step.as_str(), tick.due.as_millis(), at.as_millis()))?;
            Ok(begun > 0)
        });
        write.done
    }

    fn end(&self, tick: Tick, outcome: TickOutcome, at: Timestamp) -> Pending<()> {
        let write = self.writer.submit(move |connection| {
            let (outcome, reason) = match outcome {
                TickOutcome::Succeeded => ("succeeded", None),
                TickOutcome::Failed(reason) => ("failed", Some(reason)),
                TickOutcome::Skipped(reason) => ("skipped", Some(reason)),
                TickOutcome::Interrupted(reason) => ("interrupted", Some(reason)),
            };
            connection
                .prepare_cached(
                    "INSERT INTO ticks (step, due, outcome, reason, ended) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, ended = excluded.ended",
                )?
                .execute((tick.step.as_str(), tick.due.as_millis(), outcome, reason, at.as_millis()))
                .map(|_| ())
        });
        write.done
    }
}

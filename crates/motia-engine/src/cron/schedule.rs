//! When a schedule is due: expressions, zones, and what a clock that stood still or jumped means for them. No clock is read here.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use motia_core::Timestamp;
use motia_core::step::CronTrigger;

/// How late an instant may be and still count as met: a busy machine wakes us late.
pub(super) const LATE: Duration = Duration::from_secs(10);
/// The most instants that are caught up with. The newest ones are.
pub(super) const MOST_CAUGHT_UP: usize = 1000;
/// Missed instants are counted up to here: a schedule of every second has millions of them in a month.
const MOST_COUNTED: usize = 10_000;

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// The schedule cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum BadSchedule {
    /// Its expression.
    #[error(
        "cron: '{expression}' is not understood: {reason}. Write 5 fields (minute hour day month weekday) or 6 (second first)"
    )]
    Expression {
        /// As written.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its time zone.
    #[error("timezone: there is no time zone '{0}'. Write a name of the IANA list, such as Europe/Berlin or UTC")]
    Zone(String),
}

/// What is to be done about a schedule at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Instants to run, in order. Those of the past are caught up with.
    pub(super) run: Vec<Timestamp>,
    /// Instants before those, which nobody runs any more.
    pub(super) missed: Option<MissedInstants>,
    /// The first instant after this moment.
    pub(super) next: Option<Timestamp>,
}

/// Instants in a row that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MissedInstants {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
}

impl Schedule {
    /// Reads what a step says. Without a zone, that of the machine counts.
    pub fn of(trigger: &CronTrigger) -> Result<Self, BadSchedule> {
        let zone = match &trigger.timezone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| BadSchedule::Zone(name.clone()))?,
        };
        Self::new(&trigger.cron, zone)
    }

    /// Reads 5 or 6 fields, in a time zone. Where day of month and weekday are both set, both must match, as the original's scheduler
    /// had it (design.md section 6).
    pub fn new(expression: &str, zone: TimeZone) -> Result<Self, BadSchedule> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).dom_and_dow(true).build();
        let bad = |reason: String| BadSchedule::Expression { expression: expression.to_owned(), reason };
        let cron =
            parser.parse(expression.trim()).map_err(|error| bad(error.to_string().trim_end_matches('.').to_owned()))?;
        Ok(Self { cron, zone })
    }

    /// The first instant after `after`; `None` if there is none.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.zoned(after)?, false).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }

    /// The last instant up to `upto`.
    fn last(&self, upto: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&self.zoned(upto)?, true).ok()?;
        Some(Timestamp(last.timestamp().as_millisecond()))
    }

    fn zoned(&self, at: Timestamp) -> Option<jiff::Zoned> {
        Some(jiff::Timestamp::from_millisecond(at.as_millis()).ok()?.to_zoned(self.zone.clone()))
    }

    /// What is to be done about the instants after `accounted`, up to `now`. `catch_up`: how far back they are caught up with.
    pub(super) fn due(&self, accounted: Timestamp, now: Timestamp, catch_up: Duration) -> Due {
        let window = catch_up.max(LATE).saturating_add(Duration::from_millis(1));
        let opens = Timestamp(now.0.saturating_sub(i64::try_from(window.as_millis()).unwrap_or(i64::MAX)));
        let mut due = Due { next: self.next(now), ..Due::default() };
        let mut at = accounted;
        if opens > accounted {
            due.missed = self.missed(accounted, opens);
            at = opens;
        }
        while let Some(next) = self.next(at).filter(|next| *next <= now) {
            due.run.push(next);
            at = next;
        }
        if let Some(too_many) = due.run.len().checked_sub(MOST_CAUGHT_UP).filter(|too_many| *too_many > 0) {
            let dropped: Vec<_> = due.run.drain(..too_many).collect();
            let (first, last, count) = (dropped[0], dropped[too_many - 1], too_many as u64);
            due.missed = Some(match due.missed {
                None => MissedInstants { first, last, count },
                Some(earlier) => MissedInstants { first: earlier.first, last, count: earlier.count + count },
            });
        }
        due
    }

    fn missed(&self, after: Timestamp, upto: Timestamp) -> Option<MissedInstants> {
        let first = self.next(after).filter(|first| *first <= upto)?;
        let (mut last, mut count) = (first, 1);
        while let Some(next) = self.next(last).filter(|next| *next <= upto) {
            (last, count) = (next, count + 1);
            if count >= MOST_COUNTED {
                last = self.last(upto).unwrap_or(last);
                break;
            }
        }
        Some(MissedInstants { first, last, count: count as u64 })
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;

//! When a schedule is due: expressions, zones, and what a clock that stood still or jumped means for them. No clock is read here.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{AmbiguousOffset, TimeZone};
use motia_core::Timestamp;
use motia_core::step::CronTrigger;

/// How late an instant may be and still count as met: a busy machine wakes us late.
pub(super) const LATE: Duration = Duration::from_secs(10);
/// The most instants that are caught up with. The newest ones are.
pub(super) const MOST_CAUGHT_UP: usize = 1000;
/// Missed instants are counted up to here: a schedule of every second has millions of them in a month.
const MOST_COUNTED: usize = 10_000;

/// How long after a change of the clocks a time of day may be that the change left out.
const GAP: Duration = Duration::from_secs(3 * 3600);

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    by: By,
}

/// What a schedule goes by when the clocks change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The hands of the clock: hours are named. Each time of day is met once, also one that is left out or comes twice.
    TimeOfDay,
    /// The time that passes: every hour, every few minutes.
    ElapsedTime,
}

impl By {
    /// The hour is the third field from the end of five or six without the weekday's.
    fn of(expression: &str) -> Self {
        let fields: Vec<_> = expression.split_whitespace().collect();
        let hour = fields.len().checked_sub(4).and_then(|at| fields.get(at));
        match hour {
            Some(hour) if !hour.contains('*') && *hour != "0-23" => Self::TimeOfDay,
            Some(_) => Self::ElapsedTime,
            // A nickname such as @daily.
            None if expression.eq_ignore_ascii_case("@hourly") => Self::ElapsedTime,
            None => Self::TimeOfDay,
        }
    }
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
        Ok(Self { cron, zone, by: By::of(expression) })
    }

    /// The first instant after `after`; `None` if there is none.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self.by {
            By::ElapsedTime => {
                let next = self.cron.find_next_occurrence(&self.zoned(after)?, false).ok()?;
                Some(Timestamp(next.timestamp().as_millisecond()))
            }
            // Times of day that were left out come at the end of the gap: they lie before it on the face of the clock.
            By::TimeOfDay => self.times_of_day(Timestamp(after.0 - GAP.as_millis() as i64)).find(|at| *at > after),
        }
    }

    /// The last instant up to `upto`, if there is one in the years before.
    fn last(&self, upto: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&self.zoned(upto)?, true).ok()?;
        let last = Timestamp(last.timestamp().as_millisecond());
        match self.by {
            By::ElapsedTime => Some(last),
            By::TimeOfDay => {
                let from = Timestamp(last.0 - 2 * GAP.as_millis() as i64);
                self.times_of_day(from).take_while(|at| *at <= upto).last()
            }
        }
    }

    /// The instants of a schedule that goes by the hands of the clock: those that it would have in a place where no clock is ever changed,
    /// as they are here. They only go forward.
    fn times_of_day(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> {
        let mut at = self.zoned(from).and_then(|from| from.datetime().to_zoned(TimeZone::UTC).ok());
        std::iter::from_fn(move || {
            let next = self.cron.find_next_occurrence(at.as_ref()?, false).ok()?;
            let here = self.zone.to_ambiguous_timestamp(next.datetime());
            let met = match here.offset() {
                AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => here.earlier(),
                // The moment at which the clocks went forward.
                AmbiguousOffset::Gap { .. } => here
                    .earlier()
                    .map(|before| self.zone.following(before).next().map_or(before, |change| change.timestamp())),
            };
            at = Some(next);
            Some(Timestamp(met.ok()?.as_millisecond()))
        })
    }

    fn zoned(&self, at: Timestamp) -> Option<jiff::Zoned> {
        Some(jiff::Timestamp::from_millisecond(at.as_millis()).ok()?.to_zoned(self.zone.clone()))
    }

    /// What is to be done about the instants after `accounted`, up to `now`. `catch_up`: how far back they are caught up with. `since`: from
    /// when on somebody looked; what is a little late but not older than that is met.
    pub(super) fn due(&self, accounted: Timestamp, now: Timestamp, catch_up: Duration, since: Timestamp) -> Due {
        let back = |by: Duration| Timestamp(now.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)));
        let met = back(LATE).max(Timestamp(since.0.saturating_sub(1)));
        let opens = Timestamp(back(catch_up).min(met).0.saturating_sub(1)).min(now);
        let opens = self.most_worth(opens.max(accounted), now);
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
        due
    }

    /// From when on there are no more instants up to `now` than are caught up with, but not before `opens`.
    fn most_worth(&self, opens: Timestamp, now: Timestamp) -> Timestamp {
        let before = |at: Timestamp| self.last(Timestamp(at.0 - 1)).filter(|before| *before > opens);
        let newest = self.last(now).filter(|last| *last > opens);
        let mut all = std::iter::successors(newest, |at| before(*at));
        // One instant fewer than are too many: that one is where it opens.
        all.nth(MOST_CAUGHT_UP).unwrap_or(opens)
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

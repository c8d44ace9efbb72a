use proptest::prelude::*;

use super::*;

fn berlin(expression: &str) -> Schedule {
    Schedule::new(expression, TimeZone::get("Europe/Berlin").expect("a zone")).expect("understood")
}

fn at(text: &str) -> Timestamp {
    let zoned: jiff::Zoned = format!("{text}[Europe/Berlin]").parse().expect("a time");
    Timestamp(zoned.timestamp().as_millisecond())
}

fn shown(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).expect("in range");
    at.to_zoned(TimeZone::get("Europe/Berlin").expect("a zone")).strftime("%a %F %T%z").to_string()
}

/// The instants of a schedule, one after the other.
fn instants(expression: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = berlin(expression);
    let mut last = at(after);
    let mut next = || {
        last = schedule.next(last)?;
        Some(shown(last))
    };
    (0..count).map_while(|_| next()).collect()
}

#[test]
fn the_expressions_of_the_documentation_are_understood() {
    let after = "2026-11-23T11:20:30";
    for (expression, expected) in [
        ("0 9 * * *", "Tue 2026-11-24 09:00:00+0100"),
        ("*/5 * * * *", "Mon 2026-11-23 11:25:00+0100"),
        ("0 * * * *", "Mon 2026-11-23 12:00:00+0100"),
        ("0 9 * * 1", "Mon 2026-11-30 09:00:00+0100"),
        ("* 9-17 * * 1-5", "Mon 2026-11-23 11:21:00+0100"),
        ("0 0 * * * *", "Mon 2026-11-23 12:00:00+0100"),
        ("*/10 * * * * *", "Mon 2026-11-23 11:20:40+0100"),
        ("* * 1 * *", "Tue 2026-12-01 00:00:00+0100"),
        ("0 12 * JAN SUN", "Sun 2027-01-03 12:00:00+0100"),
    ] {
        assert_eq!(instants(expression, after, 1), [expected], "{expression}");
    }
}

#[test]
fn day_of_month_and_weekday_must_both_match() {
    assert_eq!(instants("0 0 13 * 5", "2026-11-23T00:00:00", 1), ["Fri 2027-08-13 00:00:00+0200"]);
}

#[test]
fn a_daily_job_is_neither_lost_nor_doubled_when_the_clocks_change() {
    // Spring: 02:00 to 03:00 does not exist.
    assert_eq!(
        instants("30 2 * * *", "2027-03-27T12:00:00", 2),
        ["Sun 2027-03-28 03:00:00+0200", "Mon 2027-03-29 02:30:00+0200"]
    );
    // Autumn: 02:00 to 03:00 comes twice.
    assert_eq!(
        instants("30 2 * * *", "2027-10-30T12:00:00", 2),
        ["Sun 2027-10-31 02:30:00+0200", "Mon 2027-11-01 02:30:00+0100"]
    );
    assert_eq!(
        instants("15 2 * * 0", "2027-10-30T12:00:00", 2),
        ["Sun 2027-10-31 02:15:00+0200", "Sun 2027-11-07 02:15:00+0100"]
    );
}

#[test]
fn several_times_of_day_are_each_met_once_when_the_clocks_change() {
    assert_eq!(
        instants("30 2,14 * * *", "2027-03-27T15:00:00", 3),
        ["Sun 2027-03-28 03:00:00+0200", "Sun 2027-03-28 14:30:00+0200", "Mon 2027-03-29 02:30:00+0200"]
    );
    assert_eq!(
        instants("30 2,14 * * *", "2027-10-30T15:00:00", 3),
        ["Sun 2027-10-31 02:30:00+0200", "Sun 2027-10-31 14:30:00+0100", "Mon 2027-11-01 02:30:00+0100"]
    );
    // All that was left out is made good at once.
    assert_eq!(
        instants("*/15 2 * * *", "2027-03-27T12:00:00", 2),
        ["Sun 2027-03-28 03:00:00+0200", "Mon 2027-03-29 02:00:00+0200"]
    );
    assert_eq!(
        instants("*/30 2-3 * * *", "2027-10-30T12:00:00", 5),
        [
            "Sun 2027-10-31 02:00:00+0200",
            "Sun 2027-10-31 02:30:00+0200",
            "Sun 2027-10-31 03:00:00+0100",
            "Sun 2027-10-31 03:30:00+0100",
            "Mon 2027-11-01 02:00:00+0100",
        ]
    );
    assert_eq!(
        instants("0 30 2 * * *", "2027-03-28T01:59:59", 2),
        ["Sun 2027-03-28 03:00:00+0200", "Mon 2027-03-29 02:30:00+0200"]
    );
}

#[test]
fn hourly_and_minute_jobs_go_by_elapsed_time_when_the_clocks_change() {
    assert_eq!(
        instants("0 * * * *", "2027-03-28T00:30:00", 3),
        ["Sun 2027-03-28 01:00:00+0100", "Sun 2027-03-28 03:00:00+0200", "Sun 2027-03-28 04:00:00+0200"]
    );
    assert_eq!(
        instants("0 * * * *", "2027-10-31T01:30:00", 3),
        ["Sun 2027-10-31 02:00:00+0200", "Sun 2027-10-31 02:00:00+0100", "Sun 2027-10-31 03:00:00+0100"]
    );
    assert_eq!(
        instants("*/30 * * * *", "2027-10-31T02:00:00+02:00", 4),
        [
            "Sun 2027-10-31 02:30:00+0200",
            "Sun 2027-10-31 02:00:00+0100",
            "Sun 2027-10-31 02:30:00+0100",
            "Sun 2027-10-31 03:00:00+0100",
        ]
    );
}

#[test]
fn nonsense_is_refused_with_the_expression() {
    for bad in ["", "hello", "* * *", "61 * * * *", "* * * * * * * *"] {
        let error = Schedule::new(bad, TimeZone::UTC).expect_err("refused").to_string();
        assert!(error.contains(&format!("'{bad}'")) && error.contains("5 fields"), "{error}");
    }
    let zoned = |timezone: &str| {
        let trigger = CronTrigger {
            cron: "0 9 * * *".into(),
            timezone: Some(timezone.into()),
            overlap: motia_core::step::Overlap::Skip,
            catch_up: Duration::ZERO,
        };
        Schedule::of(&trigger)
    };
    assert!(zoned("America/New_York").is_ok());
    assert_eq!(
        zoned("Mars/Olympus").expect_err("refused").to_string(),
        "timezone: there is no time zone 'Mars/Olympus'. Write a name of the IANA list, such as Europe/Berlin or UTC"
    );
}

#[test]
fn what_passed_while_nobody_looked_is_missed_or_caught_up_with() {
    let schedule = berlin("0 * * * *");
    let (accounted, now) = (at("2027-01-05T08:00:00"), at("2027-01-05T13:00:03"));
    let hour = |hour: u8| at(&format!("2027-01-05T{hour:02}:00:00"));
    let missed = |first, last, count| Some(MissedInstants { first: hour(first), last: hour(last), count });
    let looked = at("2027-01-05T12:59:00");

    let due = schedule.due(accounted, now, Duration::ZERO, now);
    assert_eq!((due.run, due.missed), (vec![], missed(9, 13, 5)), "nobody looked, not even for the last one");
    let due = schedule.due(accounted, now, Duration::ZERO, looked);
    assert_eq!((due.run, due.missed, due.next), (vec![hour(13)], missed(9, 12, 4), Some(hour(14))));
    let due = schedule.due(accounted, now, Duration::from_secs(2 * 3600 + 60), looked);
    assert_eq!((due.run, due.missed), (vec![hour(11), hour(12), hour(13)], missed(9, 10, 2)));
    let due = schedule.due(accounted, now, Duration::from_secs(24 * 3600), now);
    assert_eq!((due.run.len(), due.missed), (5, None));
    let due = schedule.due(hour(13), now, Duration::from_secs(24 * 3600), looked);
    assert_eq!((due.run, due.missed), (vec![], None), "what is accounted for is done with");
    let due = schedule.due(at("2028-01-01T00:00:00"), now, Duration::ZERO, looked);
    assert_eq!((due.run, due.missed, due.next), (vec![], None, Some(hour(14))), "the clock was put back");
}

#[test]
fn a_month_of_seconds_is_counted_no_further_than_it_is_worth() {
    let schedule = berlin("* * * * * *");
    let now = at("2027-02-01T00:00:00");
    let due = schedule.due(at("2027-01-01T00:00:00"), now, Duration::from_secs(30 * 86400), now);
    assert_eq!(due.run.len(), MOST_CAUGHT_UP);
    assert_eq!(due.run.last(), Some(&now));
    let missed = due.missed.expect("most of them");
    assert_eq!(missed.first, at("2027-01-01T00:00:01"));
    assert_eq!(missed.last.0 + 1000, due.run[0].0, "without a gap");
    assert!(missed.count >= MOST_COUNTED as u64);
}

proptest! {
    /// However often one looks, each instant is run or missed exactly once.
    #[test]
    fn every_instant_is_accounted_for_once(
        expression in prop::sample::select(vec!["*/7 * * * *", "0 3 * * *", "30 2 * * *", "*/20 * * * * *", "15 */2 * * 1-5", "*/20 1-3 * * *"]),
        catch_up in prop::sample::select(vec![0_u64, 30, 3600]),
        steps in prop::collection::vec(1_i64..20_000, 1..30),
        start in prop::sample::select(vec!["2027-03-28T00:00:00", "2027-10-31T00:00:00", "2027-06-01T00:00:00"]),
    ) {
        let schedule = berlin(expression);
        let mut accounted = at(start);
        let (mut now, mut seen, mut missed) = (accounted, Vec::new(), 0);
        for step in steps {
            now = Timestamp(now.0 + step * 500);
            let since = Timestamp(now.0 - 5000);
            let due = schedule.due(accounted, now, Duration::from_secs(catch_up), since);
            if let Some(instants) = due.missed {
                prop_assert!(instants.first > accounted && instants.last >= instants.first);
                missed += instants.count;
                accounted = instants.last;
            }
            for instant in due.run {
                prop_assert!(instant > accounted && instant <= now);
                seen.push(instant);
                accounted = instant;
            }
            prop_assert!(due.next.is_none_or(|next| next > now));
        }
        let mut all = 0;
        let mut last = at(start);
        while let Some(next) = schedule.next(last).filter(|next| *next <= now) {
            (last, all) = (next, all + 1);
        }
        prop_assert_eq!(seen.len() as u64 + missed, all);
    }
}

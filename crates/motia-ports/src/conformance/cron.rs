//! The suite of [`CronLock`].

use motia_core::Timestamp;
use motia_core::step::Overlap;

use crate::CronLock;
use crate::cron::{Begun, Known, Missed, Schedule, Tick, TickInfo, TickOutcome};

fn tick(step: &str, due: i64) -> Tick {
    Tick { step: step.into(), due: Timestamp(due), asked: false }
}

fn schedule(step: &str, rule: &str) -> Schedule {
    Schedule { step: step.into(), source: format!("steps/{step}.step.ts").into(), rule: rule.into() }
}

/// Asks for the right to run a tick, whatever else runs.
async fn begin(lock: &dyn CronLock, tick: Tick, at: Timestamp) -> Begun {
    lock.begin(tick, Overlap::Allow, at).done.await.expect("begin")
}

/// The rules of [`CronLock`]. The backend must be empty.
pub async fn cron(lock: &dyn CronLock) {
    schedules(lock).await;
    ticks(lock).await;
    overlaps(lock).await;
    clock_put_back(lock).await;
}

async fn schedules(lock: &dyn CronLock) {
    let declare = |active: Vec<Schedule>, broken: &[&str], at| {
        let broken = broken.iter().map(|step| format!("steps/{step}.step.ts").into()).collect();
        lock.declare(active, broken, Timestamp(at))
    };
    let known = |step: &str, accounted| Known { step: step.into(), accounted: Timestamp(accounted) };
    let both = || vec![schedule("a", "hourly"), schedule("b", "daily")];
    let first = declare(both(), &[], 500).await.expect("declare");
    assert_eq!(first, [known("a", 500), known("b", 500)], "rule 3: a new one is accounted for up to now");

    assert_eq!(begin(lock, tick("a", 1000), Timestamp(1001)).await, Begun::Yes);
    lock.end(tick("a", 2000), TickOutcome::Skipped("busy".into()), Timestamp(2001)).await.expect("end");
    let again = declare(both(), &[], 9000).await.expect("declare");
    assert_eq!(again, [known("a", 2000), known("b", 500)], "rule 5: ticks move it on, a declaration does not");
    lock.end(tick("a", 1000), TickOutcome::Succeeded, Timestamp(2500)).await.expect("end");
    let again = declare(both(), &[], 9000).await.expect("declare");
    assert_eq!(again[0], known("a", 2000), "rule 5: never back");

    let missed = |last| Missed {
        step: "b".into(),
        first: Timestamp(600),
        last: Timestamp(last),
        count: 3,
        reason: "no engine ran".into(),
    };
    lock.miss(missed(800), Timestamp(9001)).await.expect("miss");
    lock.miss(missed(700), Timestamp(9002)).await.expect("miss");
    let history = lock.history("b".into(), 10).await.expect("history");
    let info = TickInfo {
        tick: tick("b", 600),
        through: Some((Timestamp(800), 3)),
        outcome: Some(TickOutcome::Skipped("no engine ran".into())),
        began: None,
        ended: Some(Timestamp(9001)),
    };
    assert_eq!(history, [info], "rule 4: recorded once");

    let changed = declare(vec![schedule("a", "weekly")], &["b"], 9500).await.expect("declare");
    assert_eq!(changed, [known("a", 9500), known("b", 800)], "rule 3: another rule, and a file that is broken");
    assert_eq!(lock.history("b".into(), 10).await.expect("history").len(), 1, "what a broken file had stays");
    let fewer = declare(vec![schedule("a", "weekly")], &[], 9600).await.expect("declare");
    assert_eq!(fewer, [known("a", 9500)], "rule 3: what is not declared is forgotten");
    assert!(lock.history("b".into(), 10).await.expect("history").is_empty(), "rule 3: and its ticks");
    declare(Vec::new(), &[], 9700).await.expect("declare");
}

async fn ticks(lock: &dyn CronLock) {
    let all = ["a", "b", "c"].map(|step| schedule(step, "hourly"));
    lock.declare(all.to_vec(), Vec::new(), Timestamp(0)).await.expect("declare");
    assert_eq!(begin(lock, tick("a", 1000), Timestamp(1001)).await, Begun::Yes, "rule 1: the first gets it");
    assert_eq!(begin(lock, tick("a", 1000), Timestamp(1002)).await, Begun::Taken, "rule 1: the second does not");
    assert_eq!(begin(lock, tick("a", 2000), Timestamp(2001)).await, Begun::Yes, "another instant");
    assert_eq!(begin(lock, tick("b", 1000), Timestamp(1001)).await, Begun::Yes, "another step");
    lock.end(tick("a", 1000), TickOutcome::Succeeded, Timestamp(1500)).await.expect("end");
    assert_eq!(begin(lock, tick("a", 1000), Timestamp(3000)).await, Begun::Taken, "rule 1: not after it ended either");
    lock.end(tick("c", 1000), TickOutcome::Skipped("the run before had not ended".into()), Timestamp(1))
        .await
        .expect("end");
    assert_eq!(begin(lock, tick("c", 1000), Timestamp(3000)).await, Begun::Taken, "a skipped tick is not run later");

    let asked = Tick { asked: true, ..tick("b", 5000) };
    assert_eq!(begin(lock, asked.clone(), Timestamp(5000)).await, Begun::Yes, "somebody asks for a run");
    lock.end(asked.clone(), TickOutcome::Failed("boom".into()), Timestamp(5100)).await.expect("end");
    let known = lock.declare(all.to_vec(), Vec::new(), Timestamp(9000)).await.expect("declare");
    assert_eq!(known[1].accounted, Timestamp(1000), "rule 5: which is none of the schedule's own");
    let history = lock.history("b".into(), 1).await.expect("history");
    let info = TickInfo {
        tick: asked,
        through: None,
        outcome: Some(TickOutcome::Failed("boom".into())),
        began: Some(Timestamp(5000)),
        ended: Some(Timestamp(5100)),
    };
    assert_eq!(history, [info], "the newest first, and no more than asked for");
    let running = lock.history("b".into(), 9).await.expect("history").pop().expect("the one before");
    assert_eq!((running.outcome, running.ended), (None, None), "one that runs has no outcome");
}

/// The clock was ahead for a while.
async fn clock_put_back(lock: &dyn CronLock) {
    let all = vec![schedule("k", "hourly")];
    lock.declare(all.clone(), Vec::new(), Timestamp(0)).await.expect("declare");
    assert_eq!(begin(lock, tick("k", 9000), Timestamp(9001)).await, Begun::Yes);
    lock.end(tick("k", 9000), TickOutcome::Succeeded, Timestamp(9002)).await.expect("end");
    assert_eq!(begin(lock, tick("k", 1000), Timestamp(1001)).await, Begun::Yes, "rule 5: it goes on from there");
    lock.end(tick("k", 1000), TickOutcome::Succeeded, Timestamp(1002)).await.expect("end");
    let known = lock.declare(all.clone(), Vec::new(), Timestamp(1500)).await.expect("declare");
    assert_eq!(known[0].accounted, Timestamp(1000), "rule 5: and is accounted for up to there");
    assert_eq!(begin(lock, tick("k", 9000), Timestamp(9001)).await, Begun::Taken, "rule 5: nothing runs twice");
    let known = lock.declare(all, Vec::new(), Timestamp(500)).await.expect("declare");
    assert_eq!(known[0].accounted, Timestamp(500), "rule 3: no schedule is ahead of the clock");
}

async fn overlaps(lock: &dyn CronLock) {
    let all = vec![schedule("o", "hourly"), schedule("p", "hourly")];
    lock.declare(all.clone(), Vec::new(), Timestamp(0)).await.expect("declare");
    let skip = |tick: Tick| async move {
        let at = Timestamp(tick.due.0 + 1);
        lock.begin(tick, Overlap::Skip, at).done.await.expect("begin")
    };
    assert_eq!(skip(tick("o", 100)).await, Begun::Yes);
    assert_eq!(skip(tick("o", 200)).await, Begun::Busy, "rule 1: the one before runs");
    assert_eq!(skip(tick("p", 200)).await, Begun::Yes, "rule 1: which is nothing to other schedules");
    assert_eq!(skip(Tick { asked: true, ..tick("o", 250) }).await, Begun::Busy);
    let history = lock.history("o".into(), 9).await.expect("history");
    assert_eq!(history.len(), 2, "rule 1: what somebody asked for is not recorded as skipped");
    assert!(matches!(&history[0].outcome, Some(TickOutcome::Skipped(_))) && history[0].tick == tick("o", 200));
    let known = lock.declare(all, Vec::new(), Timestamp(250)).await.expect("declare");
    assert_eq!(known[0].accounted, Timestamp(200), "rule 5: a skipped tick is accounted for");
    lock.end(tick("o", 100), TickOutcome::Succeeded, Timestamp(260)).await.expect("end");
    assert_eq!(skip(tick("o", 200)).await, Begun::Taken, "a skipped tick is not run later");
    assert_eq!(skip(tick("o", 300)).await, Begun::Yes, "rule 1: it has ended");
}

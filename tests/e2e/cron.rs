//! Schedules as their users see them.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Project, eventually};

fn cron(name: &str, expression: &str, more: &str, body: &str) -> String {
    format!(
        "export const config = {{ type: 'cron', name: '{name}', cron: '{expression}', {more} }}
         export const handler = async ({{ state, logger }}) => {{ {body} }}"
    )
}

/// What is kept of a step's ticks, the newest first.
fn history(project: &Project, step: &str) -> Vec<Value> {
    let list: Value =
        serde_json::from_str(&project.motia(&["cron", "ls", "--history", "100", "--json"])).expect("JSON");
    let schedules = list["schedules"].as_array().expect("a list");
    let schedule = schedules.iter().find(|schedule| schedule["step"] == step).expect("the schedule");
    schedule["history"].as_array().expect("a list").clone()
}

fn outcomes(project: &Project, step: &str, outcome: &str) -> usize {
    history(project, step).iter().filter(|tick| tick["outcome"] == outcome).count()
}

#[test]
fn schedules_are_listed_and_run_by_hand() {
    let project = Project::new(&[
        (
            "steps/nightly.step.ts",
            &cron(
                "Nightly job",
                "0 3 * * *",
                "timezone: 'Europe/Berlin'",
                "if (globalThis.ran) throw new Error('boom'); globalThis.ran = true",
            ),
        ),
        ("steps/bad.step.ts", &cron("Bad", "0 3 * * *", "timezone: 'Mars/Olympus'", "")),
    ]);
    let engine = project.start();
    engine.wait_for("there is no time zone 'Mars/Olympus'");
    let ls = project.motia(&["cron", "ls"]);
    assert!(ls.contains("Nightly job") && ls.contains("Europe/Berlin") && !ls.contains("Bad"), "{ls}");
    project.motia(&["cron", "run", "Nightly job"]);
    eventually("it succeeded", || (outcomes(&project, "Nightly job", "succeeded") == 1).then_some(()));
    project.motia(&["cron", "run", "Nightly job"]);
    eventually("it failed", || (outcomes(&project, "Nightly job", "failed") == 1).then_some(()));
    let last = &history(&project, "Nightly job")[0];
    assert!(last["asked"] == true && last["reason"].as_str().is_some_and(|reason| reason.contains("boom")), "{last}");
    let refused = project.motia_fails(&["cron", "run", "Nobody"]);
    assert!(refused.contains("there is no cron step 'Nobody'"), "{refused}");
}

#[test]
fn a_tick_that_overlaps_is_skipped_and_recorded_or_runs() {
    let slow = "await new Promise((done) => setTimeout(done, 2500))";
    let project = Project::new(&[
        ("steps/skips.step.ts", &cron("Skips", "* * * * * *", "", slow)),
        ("steps/overlaps.step.ts", &cron("Overlaps", "* * * * * *", "overlap: 'allow'", slow)),
    ]);
    let _engine = project.start();
    eventually("one is skipped", || (outcomes(&project, "Skips", "skipped") >= 1).then_some(()));
    let skipped = history(&project, "Skips").into_iter().find(|tick| tick["outcome"] == "skipped").expect("one");
    assert_eq!(skipped["reason"], "the run before had not ended");
    eventually("two run at a time", || (outcomes(&project, "Overlaps", "running") >= 2).then_some(()));
    assert_eq!(outcomes(&project, "Overlaps", "skipped"), 0);
    assert!(project.motia_fails(&["cron", "run", "Skips"]).contains("the run before had not ended"));
}

#[test]
fn what_passed_while_no_engine_ran_is_recorded_or_caught_up_with() {
    let count = "await state.update('count', 'n', [{ type: 'increment' }])";
    let project = Project::new(&[
        ("steps/misses.step.ts", &cron("Misses", "*/2 * * * * *", "", "")),
        ("steps/catches.step.ts", &cron("Catches", "*/2 * * * * *", "catchUp: '1m'", count)),
    ]);
    let engine = project.start();
    eventually("both ran", || {
        (outcomes(&project, "Misses", "succeeded") + outcomes(&project, "Catches", "succeeded") >= 2).then_some(())
    });
    let before = outcomes(&project, "Catches", "succeeded");
    engine.signal("KILL");
    engine.wait();
    // Longer than an instant may be late.
    thread::sleep(Duration::from_secs(14));
    let engine = project.start();
    engine.wait_for("did not run: no engine ran then");
    let missed = eventually("the missed ones are recorded", || {
        history(&project, "Misses").into_iter().find(|tick| tick["outcome"] == "skipped")
    });
    assert!(missed["count"].as_u64() >= Some(1) && missed["reason"] == "no engine ran then", "{missed}");
    eventually("the others are caught up with", || {
        (outcomes(&project, "Catches", "succeeded") >= before + 6).then_some(())
    });
    let dues: Vec<i64> = history(&project, "Catches").iter().filter_map(|tick| tick["due"].as_i64()).collect();
    assert!(dues.windows(2).all(|pair| pair[0] - pair[1] == 2000), "every instant once, without a gap: {dues:?}");
}

#[test]
fn a_tick_that_was_cut_off_is_recorded_and_a_schedule_that_vanished_is_forgotten() {
    let forever = "await new Promise(() => setInterval(() => {}, 1000))";
    let project = Project::new(&[("steps/long.step.ts", &cron("Long", "0 3 * * *", "", forever))]);
    let engine = project.start();
    project.motia(&["cron", "run", "Long"]);
    engine.signal("KILL");
    engine.wait();
    let engine = project.start();
    let last = history(&project, "Long")[0].clone();
    assert_eq!((&last["outcome"], &last["reason"]), (&"interrupted".into(), &"the engine ended while it ran".into()));
    engine.signal("TERM");
    engine.wait();
    project.write("steps/long.step.ts", &cron("Renamed", "0 3 * * *", "", ""));
    let _engine = project.start();
    assert!(history(&project, "Renamed").is_empty());
    project.write("steps/other.step.ts", &cron("Long", "0 3 * * *", "", ""));
    let ls = project.motia(&["cron", "ls"]);
    assert!(!ls.contains("interrupted"), "{ls}");
}

#[test]
fn a_clock_that_was_put_back_holds_no_schedule_up_and_runs_nothing_twice() {
    let count = "await state.update('count', 'n', [{ type: 'increment' }])";
    let project = Project::new(&[("steps/each.step.ts", &cron("Each", "* * * * * *", "", count))]);
    let engine = project.start();
    eventually("it ticks", || (outcomes(&project, "Each", "succeeded") >= 1).then_some(()));
    engine.signal("TERM");
    engine.wait();
    let before = history_length(&project);
    // As if everything so far had happened tomorrow.
    let store = rusqlite::Connection::open(project.path().join(".motia/motia.db")).expect("opened");
    let moved = store.execute("UPDATE schedules SET accounted = accounted + 86400000", []).expect("moved");
    assert_eq!(moved, 1);
    drop(store);
    let engine = project.start();
    eventually("it goes on from now", || (history_length(&project) > before + 1).then_some(()));
    drop(engine);
    // What has run did not run again: each instant has one row, and each row one run.
    let store = rusqlite::Connection::open(project.path().join(".motia/motia.db")).expect("opened");
    let runs: i64 = store
        .query_row("SELECT count(*) FROM ticks WHERE outcome = 'succeeded'", [], |row| row.get(0))
        .expect("counted");
    let counted: i64 = store
        .query_row("SELECT value FROM state WHERE grp = 'count'", [], |row| row.get::<_, String>(0))
        .expect("read")
        .parse()
        .expect("a number");
    assert!((runs..=runs + 1).contains(&counted), "{counted} runs of {runs} ticks");
}

fn history_length(project: &Project) -> i64 {
    let store = rusqlite::Connection::open(project.path().join(".motia/motia.db")).expect("opened");
    store.query_row("SELECT count(*) FROM ticks", [], |row| row.get(0)).expect("counted")
}

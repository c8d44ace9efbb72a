//! The store as its users see it: state with revisions and lifetimes, backups, files that are refused.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Project, eventually};

/// Runs the code that it is sent.
const RUN: &str = "
    export const config = { type: 'api', name: 'Run', path: '/run', method: 'POST' }
    export const handler = async (req, ctx) => {
      const run = new Function('ctx', `return (async ({ state, emit, sync, streams }) => { ${req.body.code} })(ctx)`)
      try {
        return { status: 200, body: { result: (await run(ctx)) ?? null } }
      } catch (error) {
        return { status: 200, body: { error: error.message, code: error.code } }
      }
    }";

fn run(engine: &crate::support::Engine, code: &str) -> serde_json::Value {
    let answer = engine.post("/run", &json!({ "code": code }).to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn state_is_changed_where_it_is_kept() {
    let project = Project::new(&[("steps/run.step.ts", RUN)]);
    let engine = project.start();
    let all = run(
        &engine,
        "await Promise.all(Array.from({ length: 200 }, () => state.update('s', 'n', [{ type: 'increment', path: 'count' }])))
         await state.set('s', 'gone', 1, { ttl: 0.3 })
         await state.set('t:u', 'x', { keep: 1.50 })
         const entry = await state.entry('s', 'n')
         const won = await state.setIfRevision('s', 'n', { count: 'mine' }, entry.revision)
         const lost = await state.setIfRevision('s', 'n', { count: 'theirs' }, entry.revision)
         return { count: entry.value.count, won: won.written, lost, now: await state.get('s', 'n'),
                  keys: await state.listKeys('s'), groups: await state.listGroups() }",
    );
    let result = &all["result"];
    assert_eq!(
        (&result["count"], &result["won"], &result["lost"]["written"]),
        (&json!(200), &json!(true), &json!(false)),
        "{all}"
    );
    assert_eq!(result["now"], json!({ "count": "mine" }));
    assert_eq!((&result["keys"], &result["groups"]), (&json!(["n", "gone"]), &json!(["s", "t:u"])));
    thread::sleep(Duration::from_millis(400));
    let later = run(&engine, "return [await state.get('s', 'gone'), await state.listKeys('s')]");
    assert_eq!(later["result"], json!([null, ["n"]]), "it went by itself");
    let refused = run(&engine, "await state.update('s', 'n', [{ type: 'increment', path: 'count' }])");
    assert_eq!(refused["code"], "bad-update");
    assert_eq!(
        refused["error"],
        "state.update: change 1 (increment of 'count'): there is the string \"mine\", not a number"
    );
}

#[test]
fn names_and_values_of_any_kind_are_kept_exactly() {
    let project = Project::new(&[("steps/run.step.ts", RUN)]);
    let engine = project.start();
    let odd = run(
        &engine,
        r"const names = ['a:b', 'a/b.c', '\u0000nul', 'line\nbreak', '🐾', 'x'.repeat(10000), '%_\'']
          for (const group of names) for (const key of names) await state.set(group, key, [group, key])
          let wrong = 0
          for (const group of names) for (const key of names) {
            const value = await state.get(group, key)
            if (value?.[0] !== group || value?.[1] !== key) wrong++
          }
          const large = 'ä'.repeat(10_000_000)
          await state.set('large', 'x', large)
          return [wrong, (await state.listGroups()).length, (await state.get('large', 'x')) === large]",
    );
    assert_eq!(odd["result"], json!([0, 8, true]), "{odd}");
    let wrong = run(&engine, "await state.set({ a: 1 }, 'k', 1)");
    assert_eq!(wrong["error"], "state.set: group must be a string, not object");
}

#[test]
fn a_backup_is_made_while_the_engine_runs_and_can_be_restored() {
    let project = Project::new(&[("steps/run.step.ts", RUN)]);
    let engine = project.start();
    run(&engine, "await state.set('s', 'k', 'saved')");
    let told = project.motia(&["backup", "copy.db"]);
    assert!(told.contains("copy.db holds everything that was committed"), "{told}");
    run(&engine, "await state.set('s', 'k', 'lost')");
    let refused = project.motia_fails(&["backup", "copy.db"]);
    assert!(refused.contains("copy.db"), "never in the place of something: {refused}");
    engine.signal("TERM");
    engine.wait();
    for file in ["motia.db", "motia.db-wal", "motia.db-shm"] {
        let _ = fs::remove_file(project.path().join(".motia").join(file));
    }
    fs::rename(project.path().join("copy.db"), project.path().join(".motia/motia.db")).expect("moved");
    let engine = project.start();
    assert_eq!(run(&engine, "return state.get('s', 'k')")["result"], "saved");
    let elsewhere = Project::new(&[]);
    assert!(elsewhere.motia_fails(&["backup"]).contains("there is no store at"));
}

#[test]
fn the_sqlite_shell_reads_while_the_engine_runs() {
    let shell = Command::new("sqlite3").arg("--version").output();
    if !shell.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no sqlite3 shell on this machine");
        return;
    }
    let project = Project::new(&[("steps/run.step.ts", RUN)]);
    let engine = project.start();
    run(&engine, "await state.set('orders', 'o-1', { total: 5 })");
    let sql = "SELECT grp || '/' || key || '/' || json_extract(value, '$.total') FROM state";
    let output = Command::new("sqlite3").arg(project.path().join(".motia/motia.db")).arg(sql).output().expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "orders/o-1/5");
    run(&engine, "await state.set('orders', 'o-2', 1)");
}

#[test]
fn files_that_are_not_ours_or_cut_off_are_refused_and_left_alone() {
    let project = Project::new(&[("steps/run.step.ts", RUN)]);
    let engine = project.start();
    run(&engine, "for (let n = 0; n < 500; n++) await state.set('s', String(n), 'x'.repeat(1000))");
    let second = project.launch(&["start", "--port", "0"], &[]);
    let pid = engine.pid();
    let (status, output) = second.wait();
    assert!(
        !status.success() && output.contains(&format!("another engine is running on this project (pid {pid}")),
        "{output}"
    );
    engine.signal("TERM");
    engine.wait();
    let file = project.path().join(".motia/motia.db");
    let wal = fs::metadata(project.path().join(".motia/motia.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(wal, 0, "an orderly stop leaves one file");
    let whole = fs::read(&file).expect("read");
    let refused = |content: &[u8]| {
        fs::write(&file, content).expect("written");
        let (status, output) = project.launch(&["start", "--port", "0"], &[]).wait();
        assert!(!status.success(), "{output}");
        assert!(fs::read(&file).expect("read") == content, "it is left as it was");
        output
    };
    assert!(refused(b"garbage, garbage").contains("is not a Motia store"));
    assert!(refused(&whole[..whole.len() / 2]).contains("is damaged"), "cut off");
    fs::write(&file, &whole).expect("written");
    let engine = project.start();
    assert_eq!(run(&engine, "return (await state.listKeys('s')).length")["result"], 500);
}

#[test]
fn a_long_read_ends_and_says_so() {
    let project = Project::new(&[("steps/run.step.ts", RUN)]);
    let engine = project.start();
    // Everything below is quick; that a read ends in time is shown in motia-store.
    let many = run(
        &engine,
        "await Promise.all(Array.from({ length: 20000 }, (_, n) => state.set('many', String(n), n)))
         return (await state.getGroup('many')).length",
    );
    assert_eq!(many["result"], 20000);
    eventually("the WAL is small again", || {
        let wal = fs::metadata(project.path().join(".motia/motia.db-wal")).expect("there").len();
        (wal <= (64 << 20) + (1 << 20)).then_some(())
    });
}

//! What the store does beside its work: older files are brought up to date, what is kept no longer goes, free pages are given back.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use motia_core::project::retention::Limits;
use motia_core::project::{Durability, Retention};
use motia_core::step::QueueConfig;
use motia_core::trace::TraceIds;
use motia_core::{Clock, Priority, Timestamp};
use motia_ports::Mark;
use motia_ports::cron::{Schedule, Tick, TickOutcome};
use motia_ports::queue::{DeliveryState, Failure, NewEvent, Once, Subscription};
use motia_store::{Config, Store};

const MINUTE: i64 = 60_000;

/// A clock that stands still until it is moved.
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed).unsigned_abs())
    }
}

struct Opened {
    store: Store,
    clock: Arc<HandClock>,
    said: Arc<Mutex<Vec<String>>>,
}

fn open(dir: &Path) -> Opened {
    let clock = Arc::new(HandClock(AtomicI64::new(1_700_000_000_000)));
    let said = Arc::new(Mutex::new(Vec::new()));
    let (heard, time) = (Arc::clone(&said), Arc::clone(&clock));
    let config = Config {
        dir: dir.to_owned(),
        durability: Durability::Os,
        clock: time,
        report: Arc::new(move |_, text| heard.lock().expect("said").push(text)),
    };
    Opened { store: Store::open(config).expect("open"), clock, said }
}

impl Opened {
    /// Lets time pass, and the store tidy up.
    async fn move_on(&self, millis: i64) {
        self.clock.0.fetch_add(millis.max(2 * MINUTE), Ordering::Relaxed);
        self.store.state().set("wake".into(), "up".into(), "1".into(), None).done.await.expect("set");
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        for _ in 0..500 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what}");
    }
}

fn event(data: &str, at: Timestamp) -> NewEvent {
    NewEvent {
        topic: "t".into(),
        trace: TraceIds::new([0; 16]).nth(1),
        parent: None,
        group: None,
        data: data.to_owned().into(),
        at,
        due: None,
        priority: Priority::default(),
        once: None,
    }
}

fn subscription() -> Subscription {
    Subscription {
        step: "s".into(),
        source: "steps/s.step.ts".into(),
        topics: vec!["t".into()],
        queue: QueueConfig::default(),
    }
}

fn rows(dir: &Path, sql: &str) -> i64 {
    let file = rusqlite::Connection::open(dir.join("motia.db")).expect("open");
    file.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = rusqlite::Connection::open(dir.path().join("motia.db")).expect("open");
    file.execute_batch(&format!(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; BEGIN; {}
         PRAGMA application_id = 1299149921; PRAGMA user_version = 1;
         INSERT INTO meta VALUES ('trace_key', zeroblob(16)), ('trace_ids', 0), ('deliveries', 1), ('created', 5);
         INSERT INTO state (grp, key, value) VALUES ('g', 'b', '1'), ('g', 'a', '2');
         INSERT INTO deliveries (id, step, topic, due, not_before, trace, emitted, data)
             VALUES (1, 's', 't', 10, 10, 'AAAAA-0000000', 10, '\"waits\"');
         INSERT INTO deliveries (id, step, topic, state, due, not_before, failures, trace, emitted, data)
             VALUES (2, 's', 't', 1, 10, 10, 1, 'AAAAA-0000000', 10, '\"is dead\"');
         INSERT INTO failures VALUES (2, 1, 20, 'boom');
         INSERT INTO ticks (step, due, outcome) VALUES ('c', 100, 'running');
         COMMIT;",
        include_str!("../src/schema/1.sql")
    ))
    .expect("made");
    drop(file);

    let opened = open(dir.path());
    let state = opened.store.state();
    assert_eq!(state.keys(Mark::NONE, "g".into()).await.expect("keys"), ["b".into(), "a".into()], "in their order");
    let queue = opened.store.queue();
    queue.declare(vec![subscription()], Vec::new()).await.expect("declare");
    let waiting = queue.receive("s".into(), 10).await.expect("receive");
    assert_eq!((waiting.len(), &waiting[0].data[..]), (1, &b"\"waits\""[..]));
    let dead = queue.list("s".into(), DeliveryState::Dead, None, 10).await.expect("list");
    assert_eq!(dead[0].last_error.as_deref(), Some("boom"));
    opened.store.close(std::time::Duration::from_secs(5)).await.expect("close");
    drop((opened, state, queue));

    let fresh = tempfile::tempdir().expect("a folder");
    drop(open(fresh.path()));
    let schema = |dir: &Path| {
        let file = rusqlite::Connection::open(dir.join("motia.db")).expect("open");
        let mut select =
            file.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").expect("sql");
        let rows = select.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        rows.collect::<Result<Vec<_>, _>>().expect("texts")
    };
    assert_eq!(schema(dir.path()), schema(fresh.path()), "an old file becomes the same as a new one");
}

#[tokio::test]
async fn what_is_kept_no_longer_goes() {
    let dir = tempfile::tempdir().expect("a folder");
    let opened = open(dir.path());
    opened.store.set_retention(Retention {
        dead_letters: Limits { age: Duration::from_secs(3600), bytes: 25_000 },
        ticks: Limits { age: Duration::from_secs(3600), bytes: 1 << 20 },
        idempotency_keys: Duration::from_secs(60),
    });
    let (state, queue, cron) = (opened.store.state(), opened.store.queue(), opened.store.cron());
    let now = opened.clock.now();
    state.set("g".into(), "k".into(), "1".into(), Some(Timestamp(now.0 + MINUTE))).done.await.expect("set");
    let schedule = Schedule { step: "c".into(), source: "steps/c.step.ts".into(), rule: "hourly".into() };
    cron.declare(vec![schedule], Vec::new(), now).await.expect("declare");
    let tick = Tick { step: "c".into(), due: now, asked: false };
    cron.end(tick, TickOutcome::Succeeded, now).await.expect("end");
    queue.declare(vec![subscription()], Vec::new()).await.expect("declare");
    let once = Some(Once { key: "k".into(), until: Timestamp(now.0 + MINUTE) });
    queue.emit(NewEvent { once, ..event("1", now) }).done.await.expect("emit");
    // Three of 10 kB, of which two fit.
    for n in 0..3 {
        let data = format!("\"{n}{}\"", "x".repeat(10_000));
        queue.emit(event(&data, now)).done.await.expect("emit");
    }
    for delivery in queue.receive("s".into(), 10).await.expect("receive") {
        opened.clock.0.fetch_add(1, Ordering::Relaxed);
        let failure = Failure { error: "boom".into(), at: opened.clock.now() };
        queue.bury(delivery.id, failure).done.await.expect("bury");
    }
    let dead = async || queue.list("s".into(), DeliveryState::Dead, None, 10).await.expect("list");
    assert_eq!(dead().await.len(), 4);

    opened.move_on(2 * MINUTE).await;
    opened.until("the oldest are beyond the bytes", async || dead().await.len() == 2).await;
    let left: Vec<u64> = dead().await.iter().map(|info| info.bytes).collect();
    assert_eq!(left, [10_003, 10_003], "the newest stay");
    opened
        .until("values that expired are gone", async || {
            rows(dir.path(), "SELECT count(*) FROM state WHERE grp = 'g'") == 0
        })
        .await;
    opened.until("keys too", async || rows(dir.path(), "SELECT count(*) FROM event_keys") == 0).await;
    assert!(opened.said.lock().expect("said")[0].starts_with("2 dead letters were removed for good"));
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM ticks"), 1, "it is not old enough");

    opened.move_on(90 * MINUTE).await;
    opened.until("the old ones go", async || dead().await.is_empty()).await;
    opened.until("ticks too", async || rows(dir.path(), "SELECT count(*) FROM ticks") == 0).await;
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM failures"), 0, "nothing of them is left");
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM schedules"), 1);
}

#[tokio::test]
async fn free_pages_are_given_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let opened = open(dir.path());
    let state = opened.store.state();
    let large: bytes::Bytes = format!("\"{}\"", "x".repeat(1 << 20)).into();
    for n in 0..16 {
        state.set("large".into(), n.to_string().into(), large.clone(), None).done.await.expect("set");
    }
    state.clear("large".into()).done.await.expect("clear");
    assert!(rows(dir.path(), "PRAGMA freelist_count") > 4000);
    opened.move_on(2 * MINUTE).await;
    opened.until("most of them are gone", async || rows(dir.path(), "PRAGMA freelist_count") <= 1024).await;
    assert!(opened.said.lock().expect("said").is_empty());
}

//! The machine's clock jumps while deliveries wait: their order stays, and none waits for a time that will not come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use motia_core::project::Durability;
use motia_core::step::{QueueConfig, QueueKind};
use motia_core::trace::TraceIds;
use motia_core::{Clock, Priority, Timestamp};
use motia_ports::memory::Memory;
use motia_ports::queue::{Delivery, EventQueue, Failure, NewEvent, Subscription};
use motia_store::{Config, Store};

const DAY: i64 = 86_400_000;

/// The wall may jump; the time that passes does not.
#[derive(Default)]
struct Wall {
    now: AtomicI64,
    elapsed: AtomicI64,
}

impl Wall {
    fn pass(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
        self.elapsed.fetch_add(millis, Ordering::Relaxed);
    }

    fn jump(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.now.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::Relaxed).unsigned_abs())
    }
}

struct Bench {
    dir: tempfile::TempDir,
    wall: Arc<Wall>,
    store: Option<Store>,
    queue: Arc<dyn EventQueue>,
    config: QueueConfig,
}

impl Bench {
    async fn new(config: QueueConfig) -> Self {
        let (dir, wall) = (tempfile::tempdir().expect("a folder"), Arc::new(Wall::default()));
        let store = open(dir.path(), &wall);
        let queue = store.queue();
        let bench = Self { dir, wall, store: Some(store), queue, config };
        bench.declare().await;
        bench
    }

    async fn declare(&self) {
        let subscription = Subscription {
            step: "step".into(),
            source: "steps/step.step.ts".into(),
            topics: vec!["t".into()],
            queue: self.config.clone(),
        };
        self.queue.declare(vec![subscription], Vec::new()).await.expect("declare");
    }

    async fn restart(&mut self) {
        let store = self.store.take().expect("open");
        store.close(Duration::from_secs(5)).await.expect("close");
        drop(store);
        // The old queue holds the old files.
        self.queue = Memory::new(Arc::<Wall>::clone(&self.wall)).queue();
        let store = open(self.dir.path(), &self.wall);
        self.queue = store.queue();
        self.store = Some(store);
        self.declare().await;
    }

    async fn emit(&self, data: &str, after: Option<Duration>) {
        let at = self.wall.now();
        let due = after.map(|after| at.plus(after));
        let event = NewEvent {
            topic: "t".into(),
            trace: TraceIds::new([7; 16]).nth(1),
            parent: None,
            group: Some("g".into()),
            data: data.to_owned().into(),
            at,
            due,
            priority: Priority::default(),
            once: None,
        };
        self.queue.emit(event).done.await.expect("emit");
    }

    async fn next(&self) -> Option<Delivery> {
        let received = self.queue.receive("step".into(), 1);
        tokio::time::timeout(Duration::from_millis(300), received).await.ok()?.expect("receive").pop()
    }

    /// What is handled one after the other until nothing more comes.
    async fn drain(&self) -> String {
        let mut all = String::new();
        while let Some(delivery) = self.next().await {
            all.push_str(&String::from_utf8_lossy(&delivery.data));
            self.queue.ack(delivery.id).done.await.expect("ack");
        }
        all
    }

    async fn fail(&self, delivery: &Delivery) {
        let at = self.wall.now();
        let failure = Failure { at, error: "boom".into() };
        self.queue.retry(delivery.id, failure, at.plus(Duration::from_secs(1))).done.await.expect("retry");
    }
}

fn open(dir: &std::path::Path, wall: &Arc<Wall>) -> Store {
    let clock: Arc<dyn Clock> = Arc::<Wall>::clone(wall);
    let report = Arc::new(|level, text: String| panic!("{level:?}: {text}"));
    Store::open(Config { dir: dir.to_owned(), durability: Durability::Os, clock, report }).expect("open")
}

fn fifo() -> QueueConfig {
    QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() }
}

#[tokio::test]
async fn a_clock_that_is_put_back_changes_no_order_and_strands_nothing() {
    let one_at_a_time = QueueConfig { group_concurrency: std::num::NonZeroU32::new(1), ..QueueConfig::default() };
    for config in [fifo(), one_at_a_time] {
        let mut bench = Bench::new(config).await;
        for n in 1..=3 {
            bench.emit(&n.to_string(), None).await;
            bench.wall.pass(10);
        }
        let first = bench.next().await.expect("the first");
        bench.wall.jump(-8000);
        bench.emit("4", None).await;
        bench.queue.ack(first.id).done.await.expect("ack");
        bench.emit("5", None).await;
        assert_eq!(bench.drain().await, "2345");
        // And over a restart.
        bench.emit("6", None).await;
        bench.wall.jump(-8000);
        bench.restart().await;
        bench.emit("7", None).await;
        assert_eq!(bench.drain().await, "67");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_moment_delays_nothing() {
    let mut bench = Bench::new(fifo()).await;
    bench.emit("1", None).await;
    bench.wall.jump(DAY);
    let head = bench.next().await.expect("the head");
    bench.fail(&head).await;
    bench.wall.jump(-DAY);
    assert!(bench.next().await.is_none(), "it backs off");
    bench.wall.pass(1001);
    let again = bench.next().await.expect("after its backoff");
    bench.fail(&again).await;
    bench.restart().await;
    bench.wall.pass(1001);
    assert_eq!(bench.drain().await, "1", "over a restart too");
}

#[tokio::test]
async fn what_is_to_run_at_a_time_or_after_a_while_does_so() {
    let bench = Bench::new(QueueConfig::default()).await;
    bench.wall.jump(DAY);
    bench.emit("a", None).await;
    assert_eq!(bench.drain().await, "a");
    bench.wall.jump(-DAY);
    bench.emit("while", Some(Duration::from_secs(60))).await;
    bench.emit("time", Some(Duration::from_secs(120))).await;
    bench.wall.pass(59_000);
    assert_eq!(bench.drain().await, "");
    bench.wall.pass(1_001);
    assert_eq!(bench.drain().await, "while");
    bench.wall.pass(60_000);
    assert_eq!(bench.drain().await, "time");
}

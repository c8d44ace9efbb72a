use bytes::Bytes;
use motia_core::SystemClock;
use motia_ports::memory::Memory;
use motia_ports::streams::ItemAddress;
use serde_json::Value;

use std::time::Duration;

use motia_core::Timestamp;

use super::*;

struct Bench {
    hub: Hub,
    streams: Arc<dyn Streams>,
    _running: tokio_util::sync::DropGuard,
}

fn bench() -> Bench {
    let clock: Arc<dyn motia_core::Clock> = Arc::new(SystemClock::default());
    let streams = Memory::new(Arc::clone(&clock)).streams();
    let telemetry = Telemetry::start(clock, Vec::new()).expect("a thread");
    let tasks = TaskTracker::new();
    let (hub, dispatch) = Hub::new(Arc::clone(&streams), telemetry, tasks.clone());
    let shutdown = CancellationToken::new();
    tasks.spawn(dispatch.run(shutdown.clone()));
    Bench { hub, streams, _running: shutdown.drop_guard() }
}

impl Bench {
    async fn set(&self, id: &str, n: u32) {
        let address = ItemAddress { stream: "s".into(), group: "g".into(), id: id.into() };
        let item = Bytes::from(format!("{{\"id\":\"{id}\",\"n\":{n}}}"));
        self.streams.set(address, item, Timestamp(1)).done.await.expect("set");
    }

    async fn watch(&self, id: Option<&str>) -> (Outbox, mpsc::UnboundedReceiver<Message>) {
        let (outbox, inbox) = Outbox::new(1 << 20);
        let name = "a".to_owned();
        let subscription = Subscription { stream: "s".into(), group: "g".into(), id: id.map(Into::into), name };
        let (watcher, to) = (self.hub.watcher(), outbox.clone());
        self.hub.join(Join { watcher, outbox: to, subscription, from: None, presence: None }).await;
        (outbox, inbox)
    }
}

async fn next(inbox: &mut mpsc::UnboundedReceiver<Message>) -> Value {
    let message = tokio::time::timeout(Duration::from_secs(5), inbox.recv()).await.expect("in time");
    serde_json::from_slice(message.expect("a message").text()).expect("JSON")
}

#[tokio::test]
async fn who_joins_hears_how_things_are_and_then_what_changes() {
    let bench = bench();
    bench.set("1", 1).await;
    let (_outbox, mut inbox) = bench.watch(None).await;
    let sync = next(&mut inbox).await;
    assert_eq!(sync["event"]["data"][0]["n"], 1);
    bench.set("1", 2).await;
    bench.set("2", 3).await;
    let (update, create) = (next(&mut inbox).await, next(&mut inbox).await);
    assert_eq!((&update["event"]["type"], &create["event"]["type"]), (&"update".into(), &"create".into()));
    let stamps = [&sync, &update, &create].map(|message| message["timestamp"].as_f64().expect("a number"));
    assert!(stamps.is_sorted_by(|one, next| one < next), "{stamps:?}");
}

/// Joins among changes, again and again: the last state is always reached, and none goes back.
#[tokio::test]
async fn no_change_falls_between_the_sync_and_what_follows() {
    let bench = bench();
    for round in 0..50 {
        let (changes, watching) = (
            async {
                for n in 0..20 {
                    bench.set("1", round * 20 + n).await;
                }
            },
            async {
                tokio::task::yield_now().await;
                bench.watch(Some("1")).await
            },
        );
        let ((), (_outbox, mut inbox)) = futures_util::future::join(changes, watching).await;
        let (mut last, goal) = (-1, i64::from(round * 20 + 19));
        while last < goal {
            let message = next(&mut inbox).await;
            let n = message["event"]["data"]["n"].as_i64().unwrap_or(-1);
            assert!(n > last || last == -1, "{n} after {last}");
            last = n;
        }
    }
}

#[test]
fn what_waits_for_the_hub_is_bounded_and_what_is_left_out_is_known() {
    let backlog = Backlog::default();
    let published = |group: &str| Published {
        stream: "s".into(),
        group: group.into(),
        id: None,
        what: motia_ports::streams::What::Sent(vec![b'x'; 1 << 20].into()),
    };
    let taken = (0..1000).take_while(|_| backlog.takes(&published("g"))).count();
    assert_eq!(taken, 64);
    assert!(backlog.lapses(&published("g")) && !backlog.lapses(&published("g")) && backlog.lapses(&published("h")));
    (0..taken).for_each(|_| backlog.taken(&published("g")));
    assert!(backlog.takes(&published("g")));
}

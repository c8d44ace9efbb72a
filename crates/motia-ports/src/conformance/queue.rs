//! The suite of [`EventQueue`].

use std::collections::HashSet;
use std::time::Duration;

use motia_core::step::{QueueConfig, QueueKind};
use motia_core::trace::TraceIds;
use motia_core::{Clock, GroupId, SystemClock, Timestamp};

use super::json;
use crate::EventQueue;
use crate::queue::{Delivery, Failure, NewEvent, Subscription};

fn subscription(step: &str, topics: &[&str], queue: QueueConfig) -> Subscription {
    Subscription {
        step: step.into(),
        source: format!("steps/{step}.step.ts").into(),
        topics: topics.iter().map(|topic| (*topic).into()).collect(),
        queue,
    }
}

fn event(topic: &str, group: Option<&str>, data: &str) -> NewEvent {
    NewEvent {
        topic: topic.into(),
        trace: TraceIds::new([0; 16]).nth(1),
        parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        group: group.map(GroupId::from),
        data: json(data),
        at: now(),
    }
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn failure() -> Failure {
    Failure { error: "it broke".into(), at: now() }
}

async fn receive(queue: &dyn EventQueue, step: &str, max: usize) -> Vec<Delivery> {
    let received = tokio::time::timeout(Duration::from_secs(10), queue.receive(step.into(), max)).await;
    received.expect("rule 4: a delivery that may run is received").expect("receive")
}

async fn nothing(queue: &dyn EventQueue, step: &str, why: &str) {
    let received = tokio::time::timeout(Duration::from_millis(150), queue.receive(step.into(), 10)).await;
    assert!(received.is_err(), "{why}, but received {received:?}");
}

fn data(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}

/// The rules of [`EventQueue`]. The backend must be empty.
pub async fn queue(queue: &dyn EventQueue) {
    subscriptions(queue).await;
    fan_out_and_finish(queue).await;
    delays_and_retries(queue).await;
    fifo(queue).await;
    many(queue).await;
}

async fn subscriptions(queue: &dyn EventQueue) {
    let [a, b] = ["sub-a", "sub-b"].map(|step| subscription(step, &["s"], QueueConfig::default()));
    let stored = queue.declare(vec![a.clone(), b.clone()], vec![]).await.expect("declare");
    assert_eq!(stored.len(), 2);
    assert_eq!(queue.emit(event("s", None, "1")).done.await.expect("emit"), 2, "rule 2: one per subscription");
    assert_eq!(
        queue.emit(event("nobody", None, "1")).done.await.expect("emit"),
        0,
        "a topic without subscribers is fine"
    );

    let stored = queue.declare(vec![a.clone()], vec![b.source.clone()]).await.expect("declare");
    assert_eq!(stored.len(), 2, "rule 1: a broken file keeps its subscriptions");
    assert_eq!(queue.emit(event("s", None, "2")).done.await.expect("emit"), 2);

    queue.declare(vec![a.clone()], vec![]).await.expect("declare");
    assert_eq!(queue.emit(event("s", None, "3")).done.await.expect("emit"), 1, "rule 1: a removed file has none");

    queue.declare(vec![a, b], vec![]).await.expect("declare");
    let waiting: Vec<_> = receive(queue, "sub-b", 10).await;
    assert_eq!(waiting.iter().map(data).collect::<Vec<_>>(), ["1", "2"], "what was delivered meanwhile waited");
    for delivery in waiting.into_iter().chain(receive(queue, "sub-a", 10).await) {
        queue.ack(delivery.id).done.await.expect("ack");
    }
}

async fn fan_out_and_finish(queue: &dyn EventQueue) {
    let steps = ["one", "two"].map(|step| subscription(step, &["fan", "other"], QueueConfig::default()));
    queue.declare(steps.to_vec(), vec![]).await.expect("declare");
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    for text in ["{\"n\":1}", "", large.as_str()] {
        assert_eq!(queue.emit(event("fan", Some("g"), text)).done.await.expect("emit"), 2);
    }
    let one = receive(queue, "one", 10).await;
    assert_eq!(one.iter().map(data).collect::<Vec<_>>(), ["{\"n\":1}", "", &large]);
    assert_eq!(one[0].topic.as_str(), "fan");
    assert_eq!(one[0].group.as_ref().map(GroupId::as_str), Some("g"));
    assert!(one[0].parent.is_some());
    assert_eq!(one[0].failures, 0);
    nothing(queue, "one", "rule 4: what was received is not received again").await;

    queue.release(one[2].id);
    let again = receive(queue, "one", 10).await;
    assert_eq!((again[0].id, again[0].failures), (one[2].id, 0), "rule 7: a release charges nothing");
    assert_eq!(data(&again[0]), large, "large data comes back after a release");
    for delivery in &one {
        queue.ack(delivery.id).done.await.expect("ack");
    }
    let two = receive(queue, "two", 2).await;
    assert_eq!(two.len(), 2, "rule 4: at most max");
    let last = receive(queue, "two", 2).await;
    assert_eq!(data(&last[0]), large, "one subscriber's ack leaves the other's delivery whole");
    for delivery in two.iter().chain(&last) {
        queue.ack(delivery.id).done.await.expect("ack");
    }
    assert!(queue.ack(one[0].id).done.await.is_err(), "what is not held cannot be finished");
    assert!(queue.depths().await.expect("depths").is_empty(), "rule 3: all finished, all gone");
}

async fn delays_and_retries(queue: &dyn EventQueue) {
    let slow = QueueConfig { delay: Duration::from_millis(400), ..QueueConfig::default() };
    let steps = vec![subscription("slow", &["d"], slow), subscription("fast", &["d"], QueueConfig::default())];
    queue.declare(steps, vec![]).await.expect("declare");
    let emitted = now();
    queue.emit(event("d", None, "1")).done.await.expect("emit");
    let fast = receive(queue, "fast", 10).await;
    nothing(queue, "slow", "rule 5: the delay has not passed").await;
    let slow = receive(queue, "slow", 10).await;
    assert!(emitted.until(now()) >= Duration::from_millis(390), "rule 5");
    queue.ack(slow[0].id).done.await.expect("ack");

    let retry_at = now().plus(Duration::from_millis(300));
    queue.retry(fast[0].id, failure(), retry_at).done.await.expect("retry");
    nothing(queue, "fast", "rule 5: the retry is not due").await;
    let again = receive(queue, "fast", 10).await;
    assert!(now() >= retry_at, "rule 5");
    assert_eq!((again[0].failures, data(&again[0])), (1, "1".into()), "rule 7: a retry counts");
    queue.bury(again[0].id, failure()).done.await.expect("bury");
    nothing(queue, "fast", "rule 3: a dead letter is not received").await;
    let depths = queue.depths().await.expect("depths");
    assert_eq!((depths.len(), depths[0].waiting, depths[0].dead), (1, 0, 1), "rule 7: it is kept");
}

async fn fifo(queue: &dyn EventQueue) {
    let config = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    queue.declare(vec![subscription("fifo", &["f"], config)], vec![]).await.expect("declare");
    for (group, text) in
        [(Some("a"), "a1"), (Some("a"), "a2"), (None, "n1"), (Some("b"), "b1"), (None, "n2"), (Some("a"), "a3")]
    {
        queue.emit(event("f", group, &format!("\"{text}\""))).done.await.expect("emit");
    }
    let heads = receive(queue, "fifo", 10).await;
    assert_eq!(heads.iter().map(data).collect::<Vec<_>>(), ["\"a1\"", "\"n1\"", "\"b1\""], "rule 6: one of each group");
    nothing(queue, "fifo", "rule 6: the groups are busy").await;

    queue.retry(heads[0].id, failure(), now().plus(Duration::from_millis(300))).done.await.expect("retry");
    queue.ack(heads[1].id).done.await.expect("ack");
    let next = receive(queue, "fifo", 10).await;
    assert_eq!(next.iter().map(data).collect::<Vec<_>>(), ["\"n2\""], "rule 6: events without a group are a group");
    nothing(queue, "fifo", "rule 6: a head that waits for its retry blocks its group").await;
    let head = receive(queue, "fifo", 10).await;
    assert_eq!((data(&head[0]), head[0].failures), ("\"a1\"".into(), 1));
    queue.bury(head[0].id, failure()).done.await.expect("bury");
    let second = receive(queue, "fifo", 10).await;
    assert_eq!(data(&second[0]), "\"a2\"", "rule 6: a dead head makes way");
    queue.release(second[0].id);
    let second = receive(queue, "fifo", 10).await;
    assert_eq!(data(&second[0]), "\"a2\"", "a released head stays the head");
    queue.ack(second[0].id).done.await.expect("ack");
    let third = receive(queue, "fifo", 10).await;
    assert_eq!(data(&third[0]), "\"a3\"");
    for id in [heads[2].id, next[0].id, third[0].id] {
        queue.ack(id).done.await.expect("ack");
    }
}

/// More than any window in memory, in both kinds of queue: each is received once, and in order where order is promised.
async fn many(queue: &dyn EventQueue) {
    const MANY: usize = 5_000;
    let ordered = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    let steps = vec![subscription("many", &["m"], QueueConfig::default()), subscription("ordered", &["m"], ordered)];
    queue.declare(steps, vec![]).await.expect("declare");
    let mut writes = Vec::new();
    for n in 0..MANY {
        writes.push(queue.emit(event("m", Some(&format!("g{}", n % 7)), &n.to_string())).done);
    }
    for write in writes {
        assert_eq!(write.await.expect("emit"), 2);
    }
    let mut seen = HashSet::new();
    while seen.len() < MANY {
        for delivery in receive(queue, "many", 500).await {
            assert!(seen.insert(data(&delivery)), "{} came twice", data(&delivery));
            drop(queue.ack(delivery.id));
        }
    }
    let mut last = [None; 7];
    for _ in 0..MANY {
        for delivery in receive(queue, "ordered", 3).await {
            let n: usize = data(&delivery).parse().expect("a number");
            assert!(last[n % 7] < Some(n), "rule 6: {n} came after {:?}", last[n % 7]);
            last[n % 7] = Some(n);
            drop(queue.ack(delivery.id));
        }
        if last.iter().all(|n| n.is_some_and(|n| n >= MANY - 7)) {
            break;
        }
    }
    assert!(last.iter().all(|n| n.is_some_and(|n| n >= MANY - 7)), "all of them came: {last:?}");
}

//! The suite of [`EventQueue`].

use std::collections::HashSet;
use std::time::Duration;

use motia_core::step::{QueueConfig, QueueKind};
use motia_core::trace::TraceIds;
use motia_core::{GroupId, Priority, Timestamp};

use super::{ODD, json, now};
use crate::EventQueue;
use crate::queue::{Delivery, DeliveryId, DeliveryState, Failure, NewEvent, Once, Subscription};

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
        due: None,
        priority: Priority::default(),
        once: None,
    }
}

fn in_a_moment() -> Timestamp {
    now().plus(Duration::from_millis(400))
}

/// Emits an event; answers with the number of its deliveries.
async fn emit(queue: &dyn EventQueue, event: NewEvent) -> usize {
    queue.emit(event).done.await.expect("emit").deliveries
}

async fn finish(queue: &dyn EventQueue, deliveries: &[Delivery]) {
    for delivery in deliveries {
        queue.ack(delivery.id).done.await.expect("ack");
    }
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
    priorities(queue).await;
    limited_groups(queue).await;
    due_times(queue).await;
    once(queue).await;
    cancelled(queue).await;
    dead_letters(queue).await;
    paused(queue).await;
    renamed(queue).await;
    odd_names(queue).await;
}

async fn subscriptions(queue: &dyn EventQueue) {
    let [a, b] = ["sub-a", "sub-b"].map(|step| subscription(step, &["s"], QueueConfig::default()));
    let stored = queue.declare(vec![a.clone(), b.clone()], vec![]).await.expect("declare");
    assert_eq!(stored.len(), 2);
    assert_eq!(emit(queue, event("s", None, "1")).await, 2, "rule 2: one per subscription");
    assert_eq!(emit(queue, event("nobody", None, "1")).await, 0, "a topic without subscribers is fine");

    let stored = queue.declare(vec![a.clone()], vec![b.source.clone()]).await.expect("declare");
    assert_eq!(stored.len(), 2, "rule 1: a broken file keeps its subscriptions");
    assert_eq!(emit(queue, event("s", None, "2")).await, 2);

    queue.declare(vec![a.clone()], vec![]).await.expect("declare");
    assert_eq!(emit(queue, event("s", None, "3")).await, 1, "rule 1: a removed file has none");

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
        assert_eq!(emit(queue, event("fan", Some("g"), text)).await, 2);
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
    emit(queue, event("d", None, "1")).await;
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
    assert_eq!(queue.discard(vec![again[0].id]).done.await.expect("discard"), 1);
}

async fn fifo(queue: &dyn EventQueue) {
    let config = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    queue.declare(vec![subscription("fifo", &["f"], config)], vec![]).await.expect("declare");
    for (group, text) in
        [(Some("a"), "a1"), (Some("a"), "a2"), (None, "n1"), (Some("b"), "b1"), (None, "n2"), (Some("a"), "a3")]
    {
        emit(queue, event("f", group, &format!("\"{text}\""))).await;
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
    queue.discard(vec![head[0].id]).done.await.expect("discard");

    // What is due first comes first, whenever it was emitted; but not before one that failed.
    emit(queue, NewEvent { due: Some(in_a_moment()), ..event("f", Some("c"), "\"c-late\"") }).await;
    emit(queue, event("f", Some("c"), "\"c-now\"")).await;
    let now_due = receive(queue, "fifo", 10).await;
    assert_eq!(
        now_due.iter().map(data).collect::<Vec<_>>(),
        ["\"c-now\""],
        "rule 6: the order is that of the due times"
    );
    queue.retry(now_due[0].id, failure(), in_a_moment()).done.await.expect("retry");
    emit(queue, NewEvent { due: Some(Timestamp(1)), ..event("f", Some("c"), "\"c-long-due\"") }).await;
    nothing(queue, "fifo", "rule 6: the one that failed blocks its group").await;
    let again = receive(queue, "fifo", 10).await;
    assert_eq!(data(&again[0]), "\"c-now\"");
    finish(queue, &again).await;
    let long_due = receive(queue, "fifo", 10).await;
    assert_eq!(data(&long_due[0]), "\"c-long-due\"");
    finish(queue, &long_due).await;
    let late = receive(queue, "fifo", 10).await;
    assert_eq!(data(&late[0]), "\"c-late\"");
    finish(queue, &late).await;
}

/// More than any window in memory, in both kinds of queue: each is received once, and in order where order is promised.
async fn many(queue: &dyn EventQueue) {
    const MANY: usize = 2_500;
    let ordered = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    let steps = vec![subscription("many", &["m"], QueueConfig::default()), subscription("ordered", &["m"], ordered)];
    queue.declare(steps, vec![]).await.expect("declare");
    let mut writes = Vec::new();
    for n in 0..MANY {
        writes.push(queue.emit(event("m", Some(&format!("g{}", n % 7)), &n.to_string())).done);
    }
    for write in writes {
        assert_eq!(write.await.expect("emit").deliveries, 2);
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

async fn priorities(queue: &dyn EventQueue) {
    queue.declare(vec![subscription("prio", &["p"], QueueConfig::default())], vec![]).await.expect("declare");
    for (text, priority) in [("1", 0), ("2", -5), ("3", 7), ("4", 0), ("5", 7)] {
        let priority = Priority::new(priority).expect("in range");
        emit(queue, NewEvent { priority, ..event("p", None, text) }).await;
    }
    let all = receive(queue, "prio", 4).await;
    assert_eq!(all.iter().map(data).collect::<Vec<_>>(), ["3", "5", "1", "4"], "rule 8: the higher first");
    assert_eq!(all[0].priority.number(), 7);
    let last = receive(queue, "prio", 4).await;
    assert_eq!(last.iter().map(data).collect::<Vec<_>>(), ["2"]);
    finish(queue, &all).await;
    finish(queue, &last).await;
}

async fn limited_groups(queue: &dyn EventQueue) {
    let two = QueueConfig { group_concurrency: std::num::NonZeroU32::new(2), ..QueueConfig::default() };
    queue.declare(vec![subscription("limited", &["l"], two)], vec![]).await.expect("declare");
    for (group, text) in [
        (Some("a"), "\"a1\""),
        (Some("a"), "\"a2\""),
        (Some("a"), "\"a3\""),
        (Some("a"), "\"a4\""),
        (Some("b"), "\"b1\""),
        (None, "1"),
        (None, "2"),
        (None, "3"),
    ] {
        emit(queue, event("l", group, text)).await;
    }
    let out = receive(queue, "limited", 10).await;
    let texts: Vec<_> = out.iter().map(data).collect();
    assert_eq!(texts, ["\"a1\"", "\"a2\"", "\"b1\"", "1", "2", "3"], "rule 9: two of a group, and any without one");
    nothing(queue, "limited", "rule 9: the group is full").await;
    queue.ack(out[1].id).done.await.expect("ack");
    let third = receive(queue, "limited", 10).await;
    assert_eq!(third.iter().map(data).collect::<Vec<_>>(), ["\"a3\""], "rule 9: one went, one comes");
    queue.retry(out[0].id, failure(), in_a_moment()).done.await.expect("retry");
    let fourth = receive(queue, "limited", 10).await;
    assert_eq!(fourth.iter().map(data).collect::<Vec<_>>(), ["\"a4\""], "rule 9: one that waits is not out");
    nothing(queue, "limited", "rule 9: the group is full again").await;
    finish(queue, &third).await;
    let again = receive(queue, "limited", 10).await;
    assert_eq!((data(&again[0]), again[0].failures), ("\"a1\"".into(), 1));
    finish(queue, &[&out[2..], &again, &fourth].concat()).await;
    assert!(queue.depths().await.expect("depths").is_empty());
}

async fn due_times(queue: &dyn EventQueue) {
    let slow = QueueConfig { delay: Duration::from_secs(3600), ..QueueConfig::default() };
    queue.declare(vec![subscription("due", &["due"], slow)], vec![]).await.expect("declare");
    let later = in_a_moment();
    emit(queue, NewEvent { due: Some(later), ..event("due", None, "2") }).await;
    emit(queue, NewEvent { due: Some(now()), ..event("due", None, "1") }).await;
    let first = receive(queue, "due", 10).await;
    assert_eq!(first.iter().map(data).collect::<Vec<_>>(), ["1"], "rule 5: due now, whatever the subscriber's delay");
    let second = receive(queue, "due", 10).await;
    assert!(data(&second[0]) == "2" && now() >= later, "rule 5: and no earlier than that");
    finish(queue, &first).await;
    finish(queue, &second).await;
}

async fn once(queue: &dyn EventQueue) {
    queue.declare(vec![subscription("once", &["o", "o2"], QueueConfig::default())], vec![]).await.expect("declare");
    let keyed = |topic: &str, key: &str, until| NewEvent {
        once: Some(Once { key: key.into(), until }),
        ..event(topic, None, "1")
    };
    let for_long = now().plus(Duration::from_secs(60));
    let first = queue.emit(keyed("o", "k", for_long)).done.await.expect("emit");
    assert_eq!((first.deliveries, first.repeated), (1, false));
    let second = queue.emit(keyed("o", "k", for_long)).done.await.expect("emit");
    assert_eq!((second.event, second.deliveries, second.repeated), (first.event, 0, true), "rule 10: the first one");
    for (topic, key) in [("o2", "k"), ("o", "k2"), ("o", "")] {
        let other = queue.emit(keyed(topic, key, for_long)).done.await.expect("emit");
        assert!(!other.repeated, "rule 10: {topic} {key:?} is another one");
    }
    let unheard = queue.emit(keyed("nobody", "k", for_long)).done.await.expect("emit");
    let again = queue.emit(keyed("nobody", "k", for_long)).done.await.expect("emit");
    assert_eq!((unheard.event, again.repeated), (again.event, true), "rule 10: also without subscribers");
    queue.emit(keyed("o", "short", now())).done.await.expect("emit");
    let forgotten = queue.emit(keyed("o", "short", for_long)).done.await.expect("emit");
    assert!(!forgotten.repeated, "rule 10: what is forgotten is emitted again");
    finish(queue, &receive(queue, "once", 10).await).await;
}

async fn cancelled(queue: &dyn EventQueue) {
    let ordered = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    let steps = vec![subscription("can", &["c"], QueueConfig::default()), subscription("can-fifo", &["c"], ordered)];
    queue.declare(steps, vec![]).await.expect("declare");
    let later = || NewEvent { due: Some(now().plus(Duration::from_secs(3600))), ..event("c", Some("g"), "1") };
    let planned = queue.emit(later()).done.await.expect("emit").event;
    let kept = queue.emit(later()).done.await.expect("emit").event;
    assert_eq!(queue.cancel(planned.clone()).done.await.expect("cancel"), 2, "rule 11: both deliveries are gone");
    assert_eq!(queue.cancel(planned).done.await.expect("cancel"), 0, "rule 11: there is nothing left of it");
    assert_eq!(queue.cancel("nonsense".into()).done.await.expect("cancel"), 0);
    let depths = queue.depths().await.expect("depths");
    assert_eq!(depths.iter().map(|depth| depth.waiting).collect::<Vec<_>>(), [1, 1], "other events stay");

    let current = queue.emit(event("c", Some("h"), "2")).done.await.expect("emit").event;
    let next = queue.emit(event("c", Some("h"), "3")).done.await.expect("emit").event;
    let out = receive(queue, "can", 1).await;
    let depth = queue.depths().await.expect("depths").into_iter().find(|depth| depth.step.as_str() == "can");
    assert_eq!(depth.map(|depth| (depth.waiting - depth.running, depth.running)), Some((2, 1)), "one runs, two wait");
    assert!(queue.show(out[0].id).await.expect("show").expect("there").info.running);
    assert_eq!(queue.cancel(current).done.await.expect("cancel"), 1, "rule 11: what is out is not taken back");
    let ahead = receive(queue, "can-fifo", 10).await;
    assert_eq!(data(&ahead[0]), "3", "a cancelled head makes way");
    finish(queue, &out).await;
    finish(queue, &ahead).await;
    assert_eq!(queue.cancel(next).done.await.expect("cancel"), 1, "one of the two is left");
    assert_eq!(queue.cancel(kept).done.await.expect("cancel"), 2);
    assert!(queue.depths().await.expect("depths").is_empty());
}

async fn dead_letters(queue: &dyn EventQueue) {
    let ordered = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    queue.declare(vec![subscription("dead", &["x"], ordered)], vec![]).await.expect("declare");
    let large = format!("\"{}\"", "x".repeat(100_000));
    emit(queue, event("x", Some("g"), &large)).await;
    let first = receive(queue, "dead", 1).await;
    let fails = |error: &str| Failure { error: error.into(), at: now() };
    queue.retry(first[0].id, fails("one"), now()).done.await.expect("retry");
    let again = receive(queue, "dead", 1).await;
    queue.bury(again[0].id, fails("two")).done.await.expect("bury");
    emit(queue, event("x", Some("g"), "2")).await;

    let list = |state| queue.list("dead".into(), state, None, 10);
    let dead = list(DeliveryState::Dead).await.expect("list");
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].id, dead[0].failures, dead[0].bytes), (first[0].id, 2, large.len() as u64));
    assert_eq!((dead[0].last_error.as_deref(), dead[0].topic.as_str()), (Some("two"), "x"));
    let details = queue.show(dead[0].id).await.expect("show").expect("there");
    assert_eq!(details.data, json(&large), "the whole input is kept");
    let errors: Vec<_> = details.attempts.iter().map(|attempt| attempt.error.as_str()).collect();
    assert_eq!(errors, ["one", "two"], "every attempt's error is kept");
    assert_eq!(queue.show(DeliveryId(u64::MAX >> 1)).await.expect("show"), None);

    let waiting = list(DeliveryState::Waiting).await.expect("list");
    let named = vec![dead[0].id, waiting[0].id, DeliveryId(u64::MAX >> 1)];
    let replayed = queue.replay(named, now()).done.await.expect("replay");
    assert_eq!(replayed.len(), 1, "rule 12: only a dead letter is replayed");
    assert_eq!(replayed[0].0, dead[0].id);
    assert!(queue.replay(vec![dead[0].id], now()).done.await.expect("replay").is_empty(), "rule 12: once");
    let kept = list(DeliveryState::Replayed).await.expect("list");
    assert_eq!(kept.iter().map(|info| info.id).collect::<Vec<_>>(), [dead[0].id], "rule 12: it is kept as replayed");
    let info = queue.show(replayed[0].1).await.expect("show").expect("there").info;
    assert_eq!((info.replays, info.failures), (Some(dead[0].id), 0), "rule 12: it says what it replays");

    let ahead = receive(queue, "dead", 10).await;
    assert_eq!(ahead.iter().map(data).collect::<Vec<_>>(), ["2"], "rule 12: a replay joins the tail of its group");
    finish(queue, &ahead).await;
    let replay = receive(queue, "dead", 10).await;
    assert_eq!((replay[0].id, data(&replay[0])), (replayed[0].1, large), "rule 12: with the whole input");
    let out_and_replayed = vec![replay[0].id, dead[0].id];
    assert_eq!(queue.discard(out_and_replayed).done.await.expect("discard"), 1, "rule 12: what is out is not removed");
    finish(queue, &replay).await;
    assert!(queue.depths().await.expect("depths").is_empty());
}

async fn paused(queue: &dyn EventQueue) {
    queue.declare(vec![subscription("paused", &["z"], QueueConfig::default())], vec![]).await.expect("declare");
    emit(queue, event("z", None, "1")).await;
    let out = receive(queue, "paused", 1).await;
    queue.pause("paused".into(), true).done.await.expect("pause");
    emit(queue, event("z", None, "2")).await;
    nothing(queue, "paused", "rule 13: it is paused").await;
    finish(queue, &out).await;
    let depths = queue.depths().await.expect("depths");
    assert_eq!((depths[0].waiting, depths[0].paused, depths[0].orphan), (1, true, false));
    assert_eq!(depths[0].running, 0);
    let waits = receive(queue, "paused", 10);
    let resumed = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        queue.pause("paused".into(), false).done.await.expect("resume");
    };
    let (received, ()) = futures_util::future::join(waits, resumed).await;
    assert_eq!(received.iter().map(data).collect::<Vec<_>>(), ["2"], "rule 13: who waits goes on when it is resumed");
    finish(queue, &received).await;
}

async fn renamed(queue: &dyn EventQueue) {
    queue.declare(vec![subscription("old", &["r"], QueueConfig::default())], vec![]).await.expect("declare");
    for text in ["1", "2", "3", "4"] {
        emit(queue, event("r", Some("g"), text)).await;
    }
    let out = receive(queue, "old", 2).await;
    queue.bury(out[0].id, failure()).done.await.expect("bury");
    let ordered = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    queue.declare(vec![subscription("new", &["r"], ordered)], vec![]).await.expect("declare");
    let depths = queue.depths().await.expect("depths");
    assert_eq!((depths.len(), depths[0].waiting, depths[0].dead, depths[0].orphan), (1, 3, 1, true), "rule 1");

    let (old, new) = (|| "old".into(), || "new".into());
    let mut moved = 0;
    loop {
        match queue.transfer(old(), new(), 1).done.await.expect("transfer") {
            0 => break,
            more => moved += more,
        }
    }
    assert_eq!(moved, 3, "rule 14: all but what is out");
    for text in ["3", "4"] {
        let next = receive(queue, "new", 10).await;
        assert_eq!(next.iter().map(data).collect::<Vec<_>>(), [text], "rule 14: in the same order, one of a group");
        finish(queue, &next).await;
    }
    finish(queue, &out[1..]).await;
    let depths = queue.depths().await.expect("depths");
    assert_eq!((depths.len(), &depths[0].step, depths[0].dead), (1, &new(), 1), "rule 14: dead letters too");
    assert_eq!(queue.replay(vec![out[0].id], now()).done.await.expect("replay").len(), 1);
    let again = receive(queue, "new", 10).await;
    finish(queue, &again).await;
    assert_eq!(queue.discard(vec![out[0].id]).done.await.expect("discard"), 1);
}

/// Names of any kind are kept apart and come back as they were.
async fn odd_names(queue: &dyn EventQueue) {
    let long = "x".repeat(10_000);
    let names: Vec<&str> = ODD.into_iter().chain([long.as_str()]).collect();
    let ordered = QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() };
    queue.declare(vec![subscription("odd", &names, ordered)], vec![]).await.expect("declare");
    for name in &names {
        let once = Some(Once { key: (*name).into(), until: now().plus(Duration::from_secs(60)) });
        emit(queue, NewEvent { once, ..event(name, Some(name), "1") }).await;
    }
    let mut all = receive(queue, "odd", 100).await;
    while all.len() < names.len() {
        all.extend(receive(queue, "odd", 100).await);
    }
    let mut found: Vec<_> =
        all.iter().map(|one| (one.topic.as_str(), one.group.as_ref().map(GroupId::as_str))).collect();
    let mut expected: Vec<_> = names.iter().map(|name| (*name, Some(*name))).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "a group of each name, all at once");
    finish(queue, &all).await;
}

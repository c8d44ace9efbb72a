//! One suite per trait. A backend passes when every function here returns; each panics with the rule that was broken.
//!
//! ```ignore
//! #[tokio::test]
//! async fn state_conforms() {
//!     motia_ports::conformance::state(&my_backend()).await;
//! }
//! ```

mod queue;

pub use queue::queue;

use bytes::Bytes;
use motia_core::{GroupId, ItemKey, StreamName, Timestamp};

use crate::cron::{Tick, TickOutcome};
use crate::streams::{Change, ItemAddress};
use crate::{CronLock, Mark, State, Streams};

/// Texts that a careless backend splits, cuts or confuses.
const ODD: [&str; 8] = ["a", "a:b", "a/b.c", "", "*", "\u{0}nul", "emoji 🐾", "line\nbreak %_\\'\""];

fn json(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn texts(values: Vec<Bytes>) -> Vec<String> {
    values.into_iter().map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
}

/// The rules of [`State`]. The backend must be empty.
pub async fn state(state: &dyn State) {
    let (group, key) = (GroupId::from("orders"), ItemKey::from("o-1"));
    let get = |after, group: &GroupId, key: &ItemKey| state.get(after, group.clone(), key.clone());
    assert_eq!(get(Mark::NONE, &group, &key).await.expect("get"), None, "what is not there is None");

    state.set(group.clone(), key.clone(), json(r#"{"b":1,"a":2}"#)).done.await.expect("set");
    let stored = get(Mark::NONE, &group, &key).await.expect("get");
    assert_eq!(stored, Some(json(r#"{"b":1,"a":2}"#)), "a value comes back byte for byte");

    let write = state.set(group.clone(), key.clone(), json("2"));
    let read = get(write.mark, &group, &key).await.expect("get");
    assert_eq!(read, Some(json("2")), "rule 4: a read after a mark sees that write, awaited or not");
    write.done.await.expect("set");

    state.set(group.clone(), "o-3".into(), json("3")).done.await.expect("set");
    state.set(group.clone(), "o-2".into(), json("null")).done.await.expect("set");
    state.set(group.clone(), key.clone(), json("1")).done.await.expect("set");
    let all = texts(state.group(Mark::NONE, group.clone()).await.expect("group"));
    assert_eq!(all, ["1", "3", "null"], "rule 3: in the order in which keys were first set");

    let old = state.delete(group.clone(), key.clone()).done.await.expect("delete");
    assert_eq!(old, Some(json("1")), "delete returns the old value");
    assert_eq!(state.delete(group.clone(), key.clone()).done.await.expect("delete"), None, "rule 2: twice is fine");

    state.set("order".into(), "x".into(), json("9")).done.await.expect("set");
    state.clear(group.clone()).done.await.expect("clear");
    assert!(state.group(Mark::NONE, group.clone()).await.expect("group").is_empty(), "clear removes all");
    assert_eq!(texts(state.group(Mark::NONE, "order".into()).await.expect("group")), ["9"], "and nothing else");

    for (n, odd_group) in ODD.iter().enumerate() {
        for (m, odd_key) in ODD.iter().enumerate() {
            let value = json(&format!("[{n},{m}]"));
            state.set((*odd_group).into(), (*odd_key).into(), value).done.await.expect("set");
        }
    }
    for (n, odd_group) in ODD.iter().enumerate() {
        for (m, odd_key) in ODD.iter().enumerate() {
            let value = state.get(Mark::NONE, (*odd_group).into(), (*odd_key).into()).await.expect("get");
            assert_eq!(
                value,
                Some(json(&format!("[{n},{m}]"))),
                "rule 1: {odd_group:?} {odd_key:?} is a place of its own"
            );
        }
    }
    let large = json(&format!("\"{}\"", "x".repeat(3 << 20)));
    state.set("large".into(), "x".into(), large.clone()).done.await.expect("set");
    assert_eq!(state.get(Mark::NONE, "large".into(), "x".into()).await.expect("get"), Some(large), "3 MB come back");
}

/// The rules of [`Streams`]. The backend must be empty.
pub async fn streams(streams: &dyn Streams) {
    let (stream, group) = (StreamName::from("chat"), GroupId::from("room"));
    let at = |id: &str| ItemAddress { stream: stream.clone(), group: group.clone(), id: id.into() };
    assert_eq!(streams.get(Mark::NONE, at("m1")).await.expect("get"), None);

    let change = streams.set(at("m1"), json("1"), Timestamp(20)).done.await.expect("set");
    assert_eq!(change, Change::Created);
    let change = streams.set(at("m1"), json("2"), Timestamp(20)).done.await.expect("set");
    assert_eq!(change, Change::Updated);
    let write = streams.set(at("m2"), json("3"), Timestamp(10));
    assert_eq!(streams.get(write.mark, at("m2")).await.expect("get"), Some(json("3")), "rule 3");
    write.done.await.expect("set");

    let items = texts(streams.group(Mark::NONE, stream.clone(), group.clone()).await.expect("group"));
    assert_eq!(items, ["3", "2"], "rule 2: by created time");
    assert_eq!(streams.delete(at("m2")).done.await.expect("delete"), Some(json("3")));
    assert_eq!(streams.delete(at("m2")).done.await.expect("delete"), None);

    for (n, odd) in ODD.iter().enumerate() {
        let address = ItemAddress { stream: (*odd).into(), group: (*odd).into(), id: (*odd).into() };
        streams.set(address, json(&n.to_string()), Timestamp(1)).done.await.expect("set");
    }
    for (n, odd) in ODD.iter().enumerate() {
        let address = ItemAddress { stream: (*odd).into(), group: (*odd).into(), id: (*odd).into() };
        let item = streams.get(Mark::NONE, address).await.expect("get");
        assert_eq!(item, Some(json(&n.to_string())), "rule 1: {odd:?} is a place of its own");
    }
}

/// The rules of [`CronLock`]. The backend must be empty.
pub async fn cron(lock: &dyn CronLock) {
    let tick = |step: &str, due: i64| Tick { step: step.into(), due: Timestamp(due) };
    assert!(lock.begin(tick("a", 1000), Timestamp(1001)).await.expect("begin"), "rule 1: the first gets it");
    assert!(!lock.begin(tick("a", 1000), Timestamp(1002)).await.expect("begin"), "rule 1: the second does not");
    assert!(lock.begin(tick("a", 2000), Timestamp(2001)).await.expect("begin"), "another instant");
    assert!(lock.begin(tick("b", 1000), Timestamp(1001)).await.expect("begin"), "another step");
    lock.end(tick("a", 1000), TickOutcome::Succeeded, Timestamp(1500)).await.expect("end");
    assert!(!lock.begin(tick("a", 1000), Timestamp(3000)).await.expect("begin"), "rule 1: not after it ended either");
    lock.end(tick("c", 1000), TickOutcome::Skipped("the run before had not ended".into()), Timestamp(1))
        .await
        .expect("end");
    assert!(!lock.begin(tick("c", 1000), Timestamp(3000)).await.expect("begin"), "a skipped tick is not run later");
}

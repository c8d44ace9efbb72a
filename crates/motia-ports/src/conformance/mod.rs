//! One suite per trait. A backend passes when every function here returns; each panics with the rule that was broken.
//!
//! ```ignore
//! #[tokio::test]
//! async fn state_conforms() {
//!     motia_ports::conformance::state(&my_backend()).await;
//! }
//! ```

mod cron;
mod queue;
mod state;

pub use cron::cron;
pub use queue::queue;
pub use state::state;

use bytes::Bytes;
use motia_core::{Clock, GroupId, StreamName, SystemClock, Timestamp};

use crate::streams::{Change, ItemAddress};
use crate::{Mark, Streams};

/// Texts that a careless backend splits, cuts or confuses.
const ODD: [&str; 8] = ["a", "a:b", "a/b.c", "", "*", "\u{0}nul", "emoji 🐾", "line\nbreak %_\\'\""];

fn json(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn texts(values: Vec<Bytes>) -> Vec<String> {
    values.into_iter().map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
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

//! The suite of [`Streams`].

use std::sync::Arc;

use motia_core::update::UpdateError;
use motia_core::{GroupId, ItemKey, StreamName, Timestamp};
use parking_lot::Mutex;

use super::{ODD, json, texts};
use crate::streams::{Change, ItemAddress, Offset, Position, Published, Stored, What};
use crate::{Mark, Streams};

/// The rules of [`Streams`]. The backend must be empty.
pub async fn streams(streams: &dyn Streams) {
    let (stream, group) = (StreamName::from("chat"), GroupId::from("room"));
    let at = |id: &str| ItemAddress { stream: stream.clone(), group: group.clone(), id: id.into() };
    assert_eq!(streams.get(Mark::NONE, at("m1")).await.expect("get"), None);

    let set = streams.set(at("m1"), json("1"), Timestamp(20)).done.await.expect("set");
    assert_eq!(set, Stored { change: Change::Created, item: json("1") });
    let set = streams.set(at("m1"), json("2"), Timestamp(20)).done.await.expect("set");
    assert_eq!(set, Stored { change: Change::Updated, item: json("2") });
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
    changes(streams).await;
    updates(streams).await;
}

/// Changes that are made where the item is, and of many items.
async fn updates(streams: &dyn Streams) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    streams.observe(Arc::new(move |published: Published| heard.lock().push(published)));
    let (stream, group) = (StreamName::from("updated"), GroupId::from("g"));
    let at = |id: &str| ItemAddress { stream: stream.clone(), group: group.clone(), id: id.into() };
    let count = |address| {
        streams.update(
            address,
            Arc::new(|there: Option<&[u8]>| {
                let number =
                    there.map_or(0, |text| std::str::from_utf8(text).expect("text").parse().expect("a number"));
                Ok(Some((json(&(number + 1).to_string()), Timestamp(number))))
            }),
        )
    };
    let all: Vec<_> = (0..20).map(|_| count(at("a")).done).collect();
    for one in all {
        one.await.expect("update").expect("revised");
    }
    assert_eq!(streams.get(Mark::NONE, at("a")).await.expect("get"), Some(json("20")), "rule 6: none is lost");
    let refused = streams.update(at("a"), Arc::new(|_| Err(UpdateError::of_result("no"))));
    refused.done.await.expect("update").expect_err("refused");
    let gone = streams.update(at("a"), Arc::new(|_| Ok(None))).done.await.expect("update").expect("revised");
    assert_eq!((gone, streams.get(Mark::NONE, at("a")).await.expect("get")), (None, None));
    let kinds = |told: &[Published]| -> Vec<&str> {
        let kind = |what: &What| match what {
            What::Created(..) => "created",
            What::Updated(..) => "updated",
            What::Deleted(..) => "deleted",
            What::Sent(_) => "sent",
        };
        told.iter().map(|published| kind(&published.what)).collect()
    };
    let mut expected = vec!["updated"; 21];
    (expected[0], expected[20]) = ("created", "deleted");
    assert_eq!(kinds(&std::mem::take(&mut *told.lock())), expected, "rule 6: changes like others");

    for (id, created) in [("b", 2), ("a", 1)] {
        streams.set(at(id), json(&format!("\"{id}\"")), Timestamp(created)).done.await.expect("set");
    }
    let elsewhere = ItemAddress { group: "other".into(), ..at("a") };
    streams.set(elsewhere, json("3"), Timestamp(3)).done.await.expect("set");
    let all = async |id: Option<&str>, most| {
        texts(streams.all(stream.clone(), id.map(ItemKey::from), most).await.expect("all"))
    };
    assert_eq!(all(None, 10).await, ["\"a\"", "\"b\"", "3"]);
    assert_eq!(all(Some("a"), 10).await, ["\"a\"", "3"]);
    assert_eq!(all(None, 2).await, ["\"a\"", "\"b\""]);
    told.lock().clear();
    assert_eq!(streams.clear(stream.clone(), group.clone()).done.await.expect("clear"), 2);
    assert_eq!(streams.clear(stream.clone(), group.clone()).done.await.expect("clear"), 0);
    assert_eq!(all(None, 10).await, ["3"]);
    assert_eq!(kinds(&told.lock()), ["deleted"; 2]);
}

/// What is told of changes, and what is kept of them.
async fn changes(streams: &dyn Streams) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    streams.observe(Arc::new(move |published: Published| heard.lock().push(published)));
    let (stream, group) = (StreamName::from("s"), GroupId::from("watched"));
    let at = |id: &str| ItemAddress { stream: stream.clone(), group: group.clone(), id: id.into() };
    let snapshot = |id: Option<&str>| streams.snapshot(stream.clone(), group.clone(), id.map(ItemKey::from));
    let position = |offset| Position { epoch: streams.epoch(), offset };
    let since = |offset| streams.since(stream.clone(), group.clone(), position(offset));
    let before = snapshot(None).await.expect("snapshot");
    assert!(before.items.is_empty(), "nothing has changed yet");

    streams.set(at("a"), json("1"), Timestamp(2)).done.await.expect("set");
    assert_eq!(told.lock().len(), 1, "rule 5: told before it is answered");
    let first = snapshot(None).await.expect("snapshot");
    streams.set(at("b"), json("2"), Timestamp(1)).done.await.expect("set");
    let elsewhere = ItemAddress { group: "other".into(), ..at("a") };
    streams.set(elsewhere, json("9"), Timestamp(1)).done.await.expect("set");
    let third = streams.set(at("a"), json("3"), Timestamp(2));
    let message = streams.send(stream.clone(), group.clone(), None, json("{}"));
    third.done.await.expect("set");
    message.done.await.expect("send");
    streams.delete(at("b")).done.await.expect("delete");
    streams.delete(at("b")).done.await.expect("delete");
    let told: Vec<Published> = told.lock().iter().filter(|published| published.group == group).cloned().collect();
    let kinds: Vec<_> = told
        .iter()
        .map(|published| match &published.what {
            What::Created(_, item) => ("created", item.clone()),
            What::Updated(_, item) => ("updated", item.clone()),
            What::Deleted(_, item) => ("deleted", item.clone()),
            What::Sent(message) => ("sent", message.clone()),
        })
        .collect();
    let expected = [("created", "1"), ("created", "2"), ("updated", "3"), ("sent", "{}"), ("deleted", "2")];
    assert_eq!(kinds, expected.map(|(kind, text)| (kind, json(text))), "rule 5: in order, each once");
    let offsets: Vec<_> = told.iter().filter_map(|published| published.what.offset()).collect();
    assert!(offsets.is_sorted_by(|one, next| one < next), "rule 4: {offsets:?}");

    let now = snapshot(None).await.expect("snapshot");
    assert_eq!((now.upto, &*now.items), (offsets[3], &[json("3")][..]));
    assert_eq!(snapshot(Some("a")).await.expect("snapshot").items, [json("3")]);
    assert!(snapshot(Some("b")).await.expect("snapshot").items.is_empty());
    let missed = since(first.upto).await.expect("since").expect("all of it is kept");
    let changes: Vec<_> = told.into_iter().filter(|published| published.what.offset().is_some()).collect();
    assert_eq!(missed, changes[1..], "rule 7");
    assert_eq!(since(now.upto).await.expect("since"), Some(Vec::new()));
    assert_eq!(since(Offset(now.upto.0 + 1000)).await.expect("since"), None, "rule 7: beyond the last change");
    assert_eq!(since(before.upto).await.expect("since"), Some(changes), "from before the first one");
    let quiet = streams.snapshot(stream.clone(), "quiet".into(), None).await.expect("snapshot").upto;
    let odd = streams.since(stream.clone(), "quiet".into(), position(Offset(1 << 50))).await.expect("since");
    assert_eq!(odd, None, "rule 7: a number that no change has had");
    let quiet = streams.since(stream.clone(), "quiet".into(), position(quiet)).await.expect("since");
    assert_eq!(quiet, Some(Vec::new()), "nothing has happened there");
    let other = Position { epoch: "of another store".into(), offset: now.upto };
    let other = streams.since(stream.clone(), group.clone(), other).await.expect("since");
    assert_eq!(other, None, "rule 7: nothing is known of that epoch");
}

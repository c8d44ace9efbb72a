//! The suite of [`State`].

use std::time::Duration;

use motia_core::update::Change;
use motia_core::{GroupId, ItemKey};

use super::{ODD, json, now, texts};
use crate::state::Conditional;
use crate::{Mark, State};

/// Long enough for a few operations over a network, short enough to wait for.
const SOON: Duration = Duration::from_millis(600);

/// The rules of [`State`]. The backend must be empty.
pub async fn state(state: &dyn State) {
    values(state).await;
    odd_names(state).await;
    revisions(state).await;
    updates(state).await;
    lifetimes(state).await;
}

async fn values(state: &dyn State) {
    let (group, key) = (GroupId::from("orders"), ItemKey::from("o-1"));
    let get = |after, group: &GroupId, key: &ItemKey| state.get(after, group.clone(), key.clone());
    assert_eq!(get(Mark::NONE, &group, &key).await.expect("get"), None, "what is not there is None");

    state.set(group.clone(), key.clone(), json(r#"{"b":1,"a":2}"#), None).done.await.expect("set");
    let stored = get(Mark::NONE, &group, &key).await.expect("get");
    assert_eq!(stored, Some(json(r#"{"b":1,"a":2}"#)), "a value comes back byte for byte");

    let write = state.set(group.clone(), key.clone(), json("2"), None);
    let read = get(write.mark, &group, &key).await.expect("get");
    assert_eq!(read, Some(json("2")), "rule 4: a read after a mark sees that write, awaited or not");
    write.done.await.expect("set");

    state.set(group.clone(), "o-3".into(), json("3"), None).done.await.expect("set");
    state.set(group.clone(), "o-2".into(), json("null"), None).done.await.expect("set");
    state.set(group.clone(), key.clone(), json("1"), None).done.await.expect("set");
    let all = texts(state.group(Mark::NONE, group.clone()).await.expect("group"));
    assert_eq!(all, ["1", "3", "null"], "rule 3: in the order in which keys were first set");

    let old = state.delete(group.clone(), key.clone()).done.await.expect("delete");
    assert_eq!(old, Some(json("1")), "delete returns the old value");
    assert_eq!(state.delete(group.clone(), key.clone()).done.await.expect("delete"), None, "rule 2: twice is fine");

    state.set("order".into(), "x".into(), json("9"), None).done.await.expect("set");
    state.clear(group.clone()).done.await.expect("clear");
    assert!(state.group(Mark::NONE, group.clone()).await.expect("group").is_empty(), "clear removes all");
    assert_eq!(texts(state.group(Mark::NONE, "order".into()).await.expect("group")), ["9"], "and nothing else");

    let keys = state.keys(Mark::NONE, "order".into()).await.expect("keys");
    assert_eq!(keys, ["x".into()], "the keys of a group");
    state.clear("order".into()).done.await.expect("clear");
}

async fn odd_names(state: &dyn State) {
    for (n, odd_group) in ODD.iter().enumerate() {
        for (m, odd_key) in ODD.iter().enumerate() {
            let value = json(&format!("[{n},{m}]"));
            state.set((*odd_group).into(), (*odd_key).into(), value, None).done.await.expect("set");
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
    let mut groups: Vec<GroupId> = ODD.iter().map(|odd| (*odd).into()).collect();
    groups.sort();
    assert_eq!(state.groups(Mark::NONE).await.expect("groups"), groups, "all groups, by name");
    let keys = state.keys(Mark::NONE, "a:b".into()).await.expect("keys");
    assert_eq!(keys, ODD.iter().map(|odd| ItemKey::from(*odd)).collect::<Vec<_>>(), "rule 3: as they were set");
    for odd in ODD {
        state.clear(odd.into()).done.await.expect("clear");
    }
    assert!(state.groups(Mark::NONE).await.expect("groups").is_empty(), "a group without values is none");
    let large = json(&format!("\"{}\"", "x".repeat(3 << 20)));
    state.set("large".into(), "x".into(), large.clone(), None).done.await.expect("set");
    assert_eq!(state.get(Mark::NONE, "large".into(), "x".into()).await.expect("get"), Some(large), "3 MB come back");
}

async fn revisions(state: &dyn State) {
    let (group, key) = (GroupId::from("rev"), ItemKey::from("k"));
    let set_if = |value: &str, expected| state.set_if(group.clone(), key.clone(), json(value), expected, None).done;
    let entry = || state.entry(Mark::NONE, group.clone(), key.clone());
    let Conditional::Written(first) = set_if("1", None).await.expect("set_if") else {
        panic!("rule 6: nothing was there, as expected")
    };
    assert_eq!(set_if("2", None).await.expect("set_if"), Conditional::Changed(Some(first)), "rule 6: there is one");
    let found = entry().await.expect("entry").expect("a value");
    assert_eq!((found.revision, &found.value), (first, &json("1")), "what was refused changed nothing");
    let Conditional::Written(second) = set_if("3", Some(first)).await.expect("set_if") else {
        panic!("rule 6: the expected one was there")
    };
    assert!(second > first, "revisions grow");
    state.set(group.clone(), key.clone(), json("4"), None).done.await.expect("set");
    let third = entry().await.expect("entry").expect("a value").revision;
    assert!(third > second, "every write counts");
    assert_eq!(set_if("5", Some(second)).await.expect("set_if"), Conditional::Changed(Some(third)));
    state.delete(group.clone(), key.clone()).done.await.expect("delete");
    assert_eq!(set_if("6", Some(third)).await.expect("set_if"), Conditional::Changed(None));
    let Conditional::Written(again) = set_if("7", None).await.expect("set_if") else { panic!("nothing is there") };
    assert!(again > third, "a revision is never given again");

    // Ten at a time, each until it wins: nobody's turn is lost.
    state.set(group.clone(), "n".into(), json("0"), None).done.await.expect("set");
    let add = |_| async {
        loop {
            let now = state.entry(Mark::NONE, group.clone(), "n".into()).await.expect("entry").expect("a value");
            let number: u32 = serde_json::from_slice(&now.value).expect("a number");
            let next = json(&(number + 1).to_string());
            let write = state.set_if(group.clone(), "n".into(), next, Some(now.revision), None);
            if let Conditional::Written(_) = write.done.await.expect("set_if") {
                return;
            }
        }
    };
    futures_util::future::join_all((0..10).map(add)).await;
    assert_eq!(state.get(Mark::NONE, group.clone(), "n".into()).await.expect("get"), Some(json("10")), "rule 6");
}

async fn updates(state: &dyn State) {
    let group = GroupId::from("upd");
    let update = |key: &str, changes: &str| {
        let changes = Change::parse_all(changes.as_bytes()).expect("changes");
        state.update(group.clone(), key.into(), changes).done
    };
    let answer = update("c", r#"[{"type":"increment","path":"n","by":2}]"#).await.expect("update").expect("changed");
    assert_eq!(answer, Some(json(r#"{"n":2}"#)), "rule 7: what is not there is made");
    let refused = update("c", r#"[{"type":"set","path":"x","value":1},{"type":"append","path":"n","value":1}]"#);
    refused.await.expect("no failure of the backend").expect_err("a number is no list");
    let there = state.get(Mark::NONE, group.clone(), "c".into()).await.expect("get");
    assert_eq!(there, Some(json(r#"{"n":2}"#)), "rule 7: all or none");
    let many = (0..50).map(|_| update("c", r#"[{"type":"increment","path":"n"}]"#));
    futures_util::future::join_all(many).await;
    let there = state.get(Mark::NONE, group.clone(), "c".into()).await.expect("get");
    assert_eq!(there, Some(json(r#"{"n":52}"#)), "rule 7: none is lost");
    assert_eq!(update("c", r#"[{"type":"remove"}]"#).await.expect("update").expect("changed"), None);
    assert_eq!(state.get(Mark::NONE, group.clone(), "c".into()).await.expect("get"), None, "it is gone");
}

async fn lifetimes(state: &dyn State) {
    let (group, soon, later) = (GroupId::from("ttl"), now().plus(SOON), now().plus(SOON * 1000));
    for (key, expires) in [("soon", Some(soon)), ("later", Some(later)), ("never", None), ("mended", Some(soon))] {
        state.set(group.clone(), key.into(), json("1"), expires).done.await.expect("set");
    }
    state.set(group.clone(), "mended".into(), json("2"), None).done.await.expect("set");
    let kept = Change::parse_all(br#"[{"type":"increment"}]"#).expect("changes");
    state.update(group.clone(), "later".into(), kept).done.await.expect("update").expect("changed");
    let entry = state.entry(Mark::NONE, group.clone(), "later".into()).await.expect("entry").expect("a value");
    assert_eq!((entry.expires, entry.value), (Some(later), json("2")), "rule 5: update keeps the time");
    let all = state.keys(Mark::NONE, group.clone()).await.expect("keys");
    assert_eq!(all.len(), 4, "nothing has expired so far");

    tokio::time::sleep(SOON + SOON / 2).await;
    assert_eq!(state.get(Mark::NONE, group.clone(), "soon".into()).await.expect("get"), None, "rule 5: it has expired");
    let values = texts(state.group(Mark::NONE, group.clone()).await.expect("group"));
    assert_eq!(values, ["2", "1", "2"], "rule 5: for groups too, and a set without a time stays");
    let write = state.set_if(group.clone(), "soon".into(), json("3"), None, None);
    assert!(matches!(write.done.await.expect("set_if"), Conditional::Written(_)), "rule 5: for conditions too");
    let keys = state.keys(Mark::NONE, group.clone()).await.expect("keys");
    assert_eq!(keys.last(), Some(&"soon".into()), "what expired and was set again was first set then");
    state.set("gone".into(), "x".into(), json("1"), Some(now())).done.await.expect("set");
    let groups = state.groups(Mark::NONE).await.expect("groups");
    assert!(!groups.contains(&"gone".into()), "rule 5: a group of expired values is none");
}

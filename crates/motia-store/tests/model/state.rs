//! State: values, revisions, lifetimes, updates, over restarts.

use std::sync::Arc;

use motia_core::update::Change;
use motia_core::{Clock, GroupId, ItemKey, Timestamp};
use motia_ports::memory::Memory;
use motia_ports::state::{Conditional, Revision};
use motia_ports::{Mark, State};
use proptest::prelude::*;

use super::{HandClock, block_on, open};

#[derive(Clone, Debug)]
enum Act {
    Set { at: (u8, u8), value: i64, ttl: Option<i64> },
    SetIf { at: (u8, u8), value: i64, right: bool },
    Update { at: (u8, u8), changes: &'static str },
    Delete((u8, u8)),
    Clear(u8),
    MoveOn(i64),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let at = (0_u8..3, 0_u8..4);
    let changes = prop::sample::select(vec![
        r#"[{"type":"increment"}]"#,
        r#"[{"type":"set","value":{"n":1,"l":[]}}]"#,
        r#"[{"type":"append","path":"l","value":2},{"type":"increment","path":"n","by":0.5}]"#,
        r#"[{"type":"merge","value":{"m":null}}]"#,
        r#"[{"type":"remove"}]"#,
    ]);
    prop_oneof![
        6 => (at.clone(), any::<i64>(), prop::option::weighted(0.3, 1_i64..2_000))
            .prop_map(|(at, value, ttl)| Act::Set { at, value, ttl }),
        4 => (at.clone(), any::<i64>(), any::<bool>()).prop_map(|(at, value, right)| Act::SetIf { at, value, right }),
        6 => (at.clone(), changes).prop_map(|(at, changes)| Act::Update { at, changes }),
        3 => at.prop_map(Act::Delete),
        1 => (0_u8..3).prop_map(Act::Clear),
        3 => (1_i64..1_500).prop_map(Act::MoveOn),
        1 => Just(Act::Restart),
    ]
}

// Names that end in what separates them elsewhere.
fn place((group, key): (u8, u8)) -> (GroupId, ItemKey) {
    (["a", "a:", "b"][usize::from(group)].into(), ["x", ":x", "x:y", ""][usize::from(key)].into())
}

async fn act_on(state: &dyn State, act: &Act, now: Timestamp) -> String {
    match act {
        Act::Set { at, value, ttl } => {
            let (group, key) = place(*at);
            let expires = ttl.map(|ttl| Timestamp(now.0 + ttl));
            let done = state.set(group, key, value.to_string().into(), expires).done.await;
            format!("{:?}", done.is_ok())
        }
        Act::SetIf { at, value, right } => {
            let (group, key) = place(*at);
            let there = state.entry(Mark::NONE, group.clone(), key.clone()).await.expect("entry");
            let expected = match (there.map(|entry| entry.revision), right) {
                (there, true) => there,
                (Some(_), false) => None,
                (None, false) => Some(Revision(1)),
            };
            let written = state.set_if(group, key, value.to_string().into(), expected, None).done.await;
            format!("{:?}", matches!(written, Ok(Conditional::Written(_))))
        }
        Act::Update { at, changes } => {
            let (group, key) = place(*at);
            let changes = Change::parse_all(changes.as_bytes()).expect("changes");
            format!("{:?}", state.update(group, key, changes).done.await.expect("update"))
        }
        Act::Delete(at) => {
            let (group, key) = place(*at);
            format!("{:?}", state.delete(group, key).done.await.expect("delete"))
        }
        Act::Clear(group) => format!("{:?}", state.clear(place((*group, 0)).0).done.await.is_ok()),
        Act::MoveOn(_) | Act::Restart => String::new(),
    }
}

/// Everything there is to see.
async fn look(state: &dyn State) -> String {
    let mut seen = format!("{:?}", state.groups(Mark::NONE).await.expect("groups"));
    for group in 0..3 {
        let (name, _) = place((group, 0));
        let keys = state.keys(Mark::NONE, name.clone()).await.expect("keys");
        seen += &format!(" {keys:?} {:?}", state.group(Mark::NONE, name.clone()).await.expect("group"));
        for key in 0..4 {
            let (_, key) = place((group, key));
            let entry = state.entry(Mark::NONE, name.clone(), key.clone()).await.expect("entry");
            let value = state.get(Mark::NONE, name.clone(), key).await.expect("get");
            assert_eq!(value.as_ref(), entry.as_ref().map(|entry| &entry.value));
            seen += &format!(" {:?}", entry.map(|entry| (entry.value, entry.expires)));
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(acts in prop::collection::vec(act(), 1..60)) {
        block_on(async {
            let (dir, clock) = (tempfile::tempdir().expect("a folder"), HandClock::new());
            let model = Memory::new(Arc::<HandClock>::clone(&clock) as Arc<dyn Clock>).state();
            let mut store = open(dir.path(), &clock);
            for act in acts {
                match act {
                    Act::MoveOn(millis) => clock.move_on(millis),
                    Act::Restart => {
                        store.close(std::time::Duration::from_secs(5)).await.expect("close");
                        drop(store);
                        store = open(dir.path(), &clock);
                    }
                    _ => {}
                }
                let state = store.state();
                let (now, expected) = (clock.now(), act_on(&*model, &act, clock.now()).await);
                assert_eq!(act_on(&*state, &act, now).await, expected, "{act:?}");
                assert_eq!(look(&*state).await, look(&*model).await, "after {act:?}");
            }
        });
    }
}

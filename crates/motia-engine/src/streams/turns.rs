//! Whose turn it is in a group: what is asked for later waits for what was asked for before.

use std::collections::HashMap;

use motia_core::{GroupId, StreamName};
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

/// So many groups are remembered before those in which nothing is under way are forgotten.
const REMEMBERED: usize = 1024;

/// What is under way, by group.
#[derive(Default)]
pub(super) struct Turns {
    last: Mutex<HashMap<(StreamName, GroupId), CancellationToken>>,
}

/// A place in the order of a group. It is over when this is dropped.
pub(super) struct Turn {
    before: Option<CancellationToken>,
    _over: Option<DropGuard>,
}

impl Turns {
    /// What comes later in the group waits for this one.
    pub(super) fn next(&self, stream: &StreamName, group: &GroupId) -> Turn {
        let over = CancellationToken::new();
        let mut last = self.last.lock();
        if last.len() >= REMEMBERED && last.len() == last.capacity() {
            last.retain(|_, over| !over.is_cancelled());
        }
        let before = last.insert((stream.clone(), group.clone()), over.clone());
        Turn { before, _over: Some(over.drop_guard()) }
    }

    /// Waits for what is under way, and nobody for it.
    pub(super) fn behind(&self, stream: &StreamName, group: &GroupId) -> Turn {
        let before = self.last.lock().get(&(stream.clone(), group.clone())).cloned();
        Turn { before, _over: None }
    }
}

impl Turn {
    /// Waits until it comes.
    pub(super) async fn comes(&self) {
        if let Some(before) = &self.before {
            before.cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn has_come(turn: &Turn) -> bool {
        timeout(Duration::from_millis(5), turn.comes()).await.is_ok()
    }

    #[tokio::test]
    async fn writes_follow_one_another_and_reads_wait_for_them_alone() {
        let turns = Turns::default();
        let (stream, group) = (StreamName::from("s"), GroupId::from("g"));
        let first = turns.next(&stream, &group);
        let read = turns.behind(&stream, &group);
        let second = turns.next(&stream, &group);
        let elsewhere = turns.next(&stream, &"other".into());
        assert!(has_come(&first).await && has_come(&elsewhere).await);
        assert!(!has_come(&read).await && !has_come(&second).await);
        drop(first);
        assert!(has_come(&read).await && has_come(&second).await, "nothing waits for the read");
        drop(second);
        assert!(has_come(&turns.next(&stream, &group)).await);
    }

    #[tokio::test]
    async fn groups_in_which_nothing_is_under_way_are_forgotten() {
        let turns = Arc::new(Turns::default());
        let stream = StreamName::from("s");
        let held = turns.next(&stream, &"held".into());
        for n in 0..100_000 {
            drop(turns.next(&stream, &n.to_string().into()));
        }
        assert!(turns.last.lock().len() < 10 * REMEMBERED);
        assert!(!has_come(&turns.behind(&stream, &"held".into())).await);
        drop(held);
    }
}

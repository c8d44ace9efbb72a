//! Who watches what. Without IO or clock.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use motia_core::{GroupId, ItemKey, StreamName};
use motia_ports::streams::{Offset, Published};

use super::{Outbox, Subscription, WatcherId};

/// A group of a stream.
type Place = (StreamName, GroupId);

/// All groups that somebody watches.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: HashMap<Place, HashMap<WatcherId, Member>>,
    /// Where each watcher is.
    places: HashMap<WatcherId, HashSet<Place>>,
}

/// A watcher in a room.
struct Member {
    outbox: Outbox,
    /// Its subscriptions of the whole group, by their own ids.
    whole: HashMap<String, Begun>,
    /// Its subscriptions of items.
    items: HashMap<ItemKey, HashMap<String, Begun>>,
}

/// How far a subscription has come.
enum Begun {
    /// It has been told how things are, up to this change.
    Synced(Offset),
    /// It waits for that: what came meanwhile.
    Waiting(Vec<(Option<Offset>, Bytes)>),
}

impl Begun {
    /// Whether a message goes out at once. What has to wait, or is known already, does not.
    fn takes(&mut self, offset: Option<Offset>, frame: &Bytes) -> bool {
        match self {
            Self::Synced(upto) => offset.is_none_or(|offset| offset > *upto),
            Self::Waiting(waiting) => {
                waiting.push((offset, frame.clone()));
                false
            }
        }
    }
}

impl Rooms {
    /// A subscription begins; nothing reaches it before [`Rooms::synced`].
    pub(super) fn join(&mut self, watcher: WatcherId, outbox: &Outbox, subscription: &Subscription) {
        let place = (subscription.stream.clone(), subscription.group.clone());
        let member = self.rooms.entry(place.clone()).or_default().entry(watcher).or_insert_with(|| Member {
            outbox: outbox.clone(),
            whole: HashMap::new(),
            items: HashMap::new(),
        });
        let of = match &subscription.id {
            None => &mut member.whole,
            Some(id) => member.items.entry(id.clone()).or_default(),
        };
        of.insert(subscription.name.clone(), Begun::Waiting(Vec::new()));
        self.places.entry(watcher).or_default().insert(place);
    }

    /// How things are, for a subscription that waits for it; then what came meanwhile and is not in it.
    pub(super) fn synced(&mut self, watcher: WatcherId, subscription: &Subscription, frame: Bytes, upto: Offset) {
        let place = (subscription.stream.clone(), subscription.group.clone());
        let Some(member) = self.rooms.get_mut(&place).and_then(|room| room.get_mut(&watcher)) else { return };
        let begun = match &subscription.id {
            None => member.whole.get_mut(&subscription.name),
            Some(id) => member.items.get_mut(id).and_then(|of| of.get_mut(&subscription.name)),
        };
        let Some(begun) = begun else { return };
        member.outbox.push(frame);
        if let Begun::Waiting(waiting) = std::mem::replace(begun, Begun::Synced(upto)) {
            let later = waiting.into_iter().filter(|(offset, _)| offset.is_none_or(|offset| offset > upto));
            later.for_each(|(_, frame)| member.outbox.push(frame));
        }
    }

    /// A subscription ends.
    pub(super) fn leave(&mut self, watcher: WatcherId, subscription: &Subscription) {
        let place = (subscription.stream.clone(), subscription.group.clone());
        let Some(room) = self.rooms.get_mut(&place) else { return };
        let Some(member) = room.get_mut(&watcher) else { return };
        match &subscription.id {
            None => drop(member.whole.remove(&subscription.name)),
            Some(id) => {
                if let Some(of) = member.items.get_mut(id) {
                    of.remove(&subscription.name);
                    if of.is_empty() {
                        member.items.remove(id);
                    }
                }
            }
        }
        if member.whole.is_empty() && member.items.is_empty() {
            room.remove(&watcher);
            if room.is_empty() {
                self.rooms.remove(&place);
            }
            if let Some(places) = self.places.get_mut(&watcher) {
                places.remove(&place);
            }
        }
    }

    /// A watcher is gone.
    pub(super) fn gone(&mut self, watcher: WatcherId) {
        for place in self.places.remove(&watcher).unwrap_or_default() {
            if let Some(room) = self.rooms.get_mut(&place) {
                room.remove(&watcher);
                if room.is_empty() {
                    self.rooms.remove(&place);
                }
            }
        }
    }

    /// Whether somebody would hear of it.
    pub(super) fn has(&self, published: &Published) -> bool {
        self.rooms.contains_key(&(published.stream.clone(), published.group.clone()))
    }

    /// Tells those who watch the group or the item: one message to each watcher, however many subscriptions it has.
    pub(super) fn publish(&mut self, published: &Published, frame: &Bytes) {
        let place = (published.stream.clone(), published.group.clone());
        let Some(room) = self.rooms.get_mut(&place) else { return };
        let offset = published.what.offset();
        for member in room.values_mut() {
            let of_item = published.id.as_ref().and_then(|id| member.items.get_mut(id)).into_iter().flatten();
            let mut goes = false;
            for (_, begun) in member.whole.iter_mut().chain(of_item) {
                goes |= begun.takes(offset, frame);
            }
            if goes {
                member.outbox.push(frame.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use motia_ports::streams::What;
    use tokio::sync::mpsc;

    use super::*;

    fn outbox() -> (Outbox, mpsc::UnboundedReceiver<Bytes>) {
        Outbox::new(1 << 20)
    }

    fn subscription(group: &str, id: Option<&str>, name: &str) -> Subscription {
        Subscription { stream: "s".into(), group: group.into(), id: id.map(Into::into), name: name.into() }
    }

    fn change(group: &str, id: &str, offset: u64) -> Published {
        let what = What::Updated(Offset(offset), Bytes::new());
        Published { stream: "s".into(), group: group.into(), id: Some(id.into()), what }
    }

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn heard(inbox: &mut mpsc::UnboundedReceiver<Bytes>) -> Vec<Bytes> {
        std::iter::from_fn(|| inbox.try_recv().ok()).collect()
    }

    #[test]
    fn a_watcher_is_told_once_of_what_it_watches_and_of_nothing_else() {
        let (mut rooms, one, other) = (Rooms::default(), WatcherId(1), WatcherId(2));
        let ((to_one, mut one_hears), (to_other, mut other_hears)) = (outbox(), outbox());
        let (group, item) = (subscription("g", None, "a"), subscription("g", Some("1"), "b"));
        for of_one in [&group, &item] {
            rooms.join(one, &to_one, of_one);
            rooms.synced(one, of_one, frame("sync"), Offset(0));
        }
        rooms.join(other, &to_other, &item);
        rooms.synced(other, &item, frame("sync"), Offset(0));
        rooms.publish(&change("g", "1", 1), &frame("g1"));
        rooms.publish(&change("g", "2", 2), &frame("g2"));
        rooms.publish(&change("h", "1", 3), &frame("h1"));
        assert_eq!(heard(&mut one_hears), [frame("sync"), frame("sync"), frame("g1"), frame("g2")]);
        assert_eq!(heard(&mut other_hears), [frame("sync"), frame("g1")], "the item of another group is another item");
        rooms.leave(one, &group);
        rooms.publish(&change("g", "2", 4), &frame("g2"));
        rooms.publish(&change("g", "1", 5), &frame("g1"));
        assert_eq!(heard(&mut one_hears), [frame("g1")]);
        rooms.gone(one);
        rooms.gone(other);
        assert!(!rooms.has(&change("g", "1", 6)) && rooms.places.is_empty(), "nothing is left behind");
    }

    #[test]
    fn what_comes_before_the_sync_waits_for_it_and_is_not_told_twice() {
        let (mut rooms, watcher) = (Rooms::default(), WatcherId(1));
        let (to, mut hears) = outbox();
        let group = subscription("g", None, "a");
        rooms.join(watcher, &to, &group);
        rooms.publish(&change("g", "1", 1), &frame("one"));
        rooms.publish(&change("g", "1", 2), &frame("two"));
        let sent = Published { what: What::Sent(Bytes::new()), ..change("g", "1", 0) };
        rooms.publish(&sent, &frame("sent"));
        assert!(heard(&mut hears).is_empty());
        rooms.synced(watcher, &group, frame("sync"), Offset(1));
        rooms.publish(&change("g", "1", 3), &frame("three"));
        assert_eq!(heard(&mut hears), [frame("sync"), frame("two"), frame("sent"), frame("three")]);
    }
}

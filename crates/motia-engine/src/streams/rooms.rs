//! Who watches what. Without IO or clock.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use motia_core::{GroupId, ItemKey, StreamName};
use motia_ports::streams::{Offset, Published};

use super::{Outbox, Subscription, WatcherId};

/// What is to be told.
pub(super) enum Told<'a> {
    /// How things are, or that all that was missed has been told.
    Answer,
    /// What was missed.
    Missed(&'a Published),
    /// What has changed, or was sent.
    Published(&'a Published),
}

/// Makes a message of it; for those who said hello, or for others.
pub(super) trait Write: FnMut(Told<'_>, bool) -> Bytes {}

impl<F: FnMut(Told<'_>, bool) -> Bytes> Write for F {}

/// A group of a stream.
type Place = (StreamName, GroupId);

/// All groups that somebody watches.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: HashMap<Place, HashMap<WatcherId, Member>>,
    /// Where each watcher is.
    places: HashMap<WatcherId, HashSet<Place>>,
}

/// One who is present in a group or at an item, and is told who else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) id: PresenceId,
    /// What it says of itself: JSON.
    pub(super) info: Bytes,
}

/// Somebody's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PresenceId(pub(super) u64);

/// A presence that has ended, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Departed {
    pub(super) stream: StreamName,
    pub(super) group: GroupId,
    pub(super) id: Option<ItemKey>,
    pub(super) presence: PresenceId,
}

/// What a change costs beside its item, in bytes.
const OVERHEAD: usize = 128;

/// A watcher in a room: what it watches there. Messages do not say for which subscription they are, so it is told of everything once.
struct Member {
    outbox: Outbox,
    whole: Option<Interest>,
    items: HashMap<ItemKey, Interest>,
    /// Subscriptions that wait to be told how things are. Until they are, nothing else is told, so that nothing goes back.
    pending: usize,
    /// What came meanwhile, and how many bytes that is.
    held: Vec<Published>,
    held_bytes: usize,
}

/// That a watcher watches the group, or an item.
#[derive(Default)]
struct Interest {
    /// Its subscriptions, by their own ids, with the change up to which each has been told how things are, once it has.
    names: HashMap<String, Option<Offset>>,
    /// As whom it is present, by the id of the subscription.
    present: BTreeMap<String, Present>,
}

impl Interest {
    /// Whether something is news: not, if it was told with how things are, or will be.
    fn lacks(&self, published: &Published) -> bool {
        let mut known = self.names.values().flatten();
        known.any(|known| published.what.offset().is_none_or(|offset| offset > *known))
    }
}

impl Member {
    fn new(outbox: Outbox) -> Self {
        Self { outbox, whole: None, items: HashMap::new(), pending: 0, held: Vec::new(), held_bytes: 0 }
    }

    fn interest(&mut self, id: Option<&ItemKey>) -> Option<&mut Interest> {
        match id {
            None => self.whole.as_mut(),
            Some(id) => self.items.get_mut(id),
        }
    }

    /// Whether it watches what something is about.
    fn watches(&self, published: &Published) -> bool {
        self.concerned(published).next().is_some()
    }

    /// Whether it is told of something.
    fn wants(&self, published: &Published) -> bool {
        self.concerned(published).any(|interest| interest.lacks(published))
    }

    fn concerned(&self, published: &Published) -> impl Iterator<Item = &Interest> {
        let of_item = published.id.as_ref().and_then(|id| self.items.get(id));
        self.whole.iter().chain(of_item)
    }

    /// Keeps something until it is known how things are. Who has to wait for too long for that is given up.
    fn hold(&mut self, published: &Published) {
        self.held_bytes += published.what.text().len() + OVERHEAD;
        if self.held_bytes > self.outbox.most() {
            self.held = Vec::new();
            return self.outbox.give_up();
        }
        self.held.push(published.clone());
    }

    /// A subscription waits no more. After the last one, what was held goes out.
    fn end_wait(&mut self, mut write: impl Write) {
        self.pending = self.pending.saturating_sub(1);
        if self.pending > 0 {
            return;
        }
        let greeted = self.outbox.greeted();
        self.held_bytes = 0;
        for published in std::mem::take(&mut self.held) {
            if self.wants(&published) {
                self.outbox.push(write(Told::Published(&published), greeted));
            }
        }
    }

    fn watches_nothing(&self) -> bool {
        self.whole.is_none() && self.items.is_empty()
    }
}

impl Rooms {
    /// A subscription begins; nothing reaches it before [`Rooms::synced`].
    pub(super) fn join(&mut self, watcher: WatcherId, outbox: &Outbox, subscription: &Subscription) {
        let place = (subscription.stream.clone(), subscription.group.clone());
        let room = self.rooms.entry(place.clone()).or_default();
        let member = room.entry(watcher).or_insert_with(|| Member::new(outbox.clone()));
        member.pending += 1;
        let interest = match &subscription.id {
            None => member.whole.get_or_insert_default(),
            Some(id) => member.items.entry(id.clone()).or_default(),
        };
        interest.names.entry(subscription.name.clone()).or_default();
        self.places.entry(watcher).or_default().insert(place);
    }

    /// How things are, up to `upto`, for a subscription that waits for it, or what it `missed`; before it what came meanwhile and is in it,
    /// for those who know how things were; after it what is not. `write` makes messages in this order: each bears a later time.
    pub(super) fn synced(
        &mut self,
        watcher: WatcherId,
        subscription: &Subscription,
        upto: Offset,
        missed: &[Published],
        mut write: impl Write,
    ) {
        let Some(member) = self.member(watcher, subscription) else { return };
        let held = std::mem::take(&mut member.held);
        let is_in = |published: &Published| published.what.offset().is_none_or(|offset| offset <= upto);
        let (before, after) = held.split_at(held.iter().take_while(|published| is_in(published)).count());
        let (told, left): (Vec<_>, Vec<_>) = before.iter().partition(|published| member.wants(published));
        let greeted = member.outbox.greeted();
        for published in told {
            member.outbox.push(write(Told::Published(published), greeted));
        }
        if let Some(interest) = member.interest(subscription.id.as_ref()) {
            // An answer to a newer client is for that subscription alone: the others may have come less far. Others take it for all.
            for (name, known) in &mut interest.names {
                if *name == subscription.name || (!greeted && known.is_some()) {
                    *known = (*known).max(Some(upto));
                }
            }
            for change in missed.iter().filter(|change| subscription.id.is_none() || change.id == subscription.id) {
                member.outbox.answer(write(Told::Missed(change), greeted));
            }
            member.outbox.answer(write(Told::Answer, greeted));
        }
        member.held = left.into_iter().chain(after).cloned().collect();
        member.end_wait(write);
    }

    /// It cannot be told how things are for a subscription that waits for it: it ends.
    pub(super) fn failed(
        &mut self,
        watcher: WatcherId,
        subscription: &Subscription,
        write: impl Write,
    ) -> Option<Departed> {
        let departed = self.leave(watcher, subscription);
        if let Some(member) = self.member(watcher, subscription) {
            member.end_wait(write);
        }
        departed
    }

    /// Those who watch something of a stream, or of one of its groups, must come back.
    pub(super) fn give_up(&self, stream: &StreamName, group: Option<&GroupId>) {
        let of_it = |(at, within): &Place| at == stream && group.is_none_or(|group| group == within);
        let rooms = self.rooms.iter().filter(|(place, _)| of_it(place));
        rooms.flat_map(|(_, room)| room.values()).for_each(|member| member.outbox.give_up());
    }

    fn member(&mut self, watcher: WatcherId, subscription: &Subscription) -> Option<&mut Member> {
        let place = (subscription.stream.clone(), subscription.group.clone());
        self.rooms.get_mut(&place)?.get_mut(&watcher)
    }

    /// Somebody who watches something is present there from now on. Answers with everybody who is, itself among them, in the order in which
    /// they came, and as whom it was present before; `None` if it does not watch it any more.
    pub(super) fn appear(
        &mut self,
        watcher: WatcherId,
        subscription: &Subscription,
        present: Present,
    ) -> Option<(Vec<Present>, Option<Departed>)> {
        let member = self.member(watcher, subscription)?;
        let interest = member.interest(subscription.id.as_ref())?;
        let before = interest.present.insert(subscription.name.clone(), present);
        let Subscription { stream, group, id, .. } = subscription.clone();
        let before = before.map(|before| Departed { stream, group, id, presence: before.id });
        let place = (subscription.stream.clone(), subscription.group.clone());
        let mut all: Vec<_> = self
            .interests(&place, subscription.id.as_ref())
            .flat_map(|(_, interest)| interest.present.values())
            .cloned()
            .collect();
        all.sort_by_key(|present| present.id);
        Some((all, before))
    }

    /// A presence ends; what it watches goes on.
    pub(super) fn disappear(&mut self, watcher: WatcherId, subscription: &Subscription) {
        let member = self.member(watcher, subscription);
        if let Some(interest) = member.and_then(|member| member.interest(subscription.id.as_ref())) {
            interest.present.remove(&subscription.name);
        }
    }

    /// Those who are present in a group or at an item, to be told of somebody else.
    pub(super) fn witnesses(
        &self,
        stream: &StreamName,
        group: &GroupId,
        id: Option<&ItemKey>,
        but: PresenceId,
    ) -> impl Iterator<Item = &Outbox> {
        let place = (stream.clone(), group.clone());
        let others = self
            .interests(&place, id)
            .filter(move |(_, interest)| interest.present.values().any(|present| present.id != but));
        others.map(|(member, _)| &member.outbox).collect::<Vec<_>>().into_iter()
    }

    fn interests(&self, place: &Place, id: Option<&ItemKey>) -> impl Iterator<Item = (&Member, &Interest)> {
        let members = self.rooms.get(place).into_iter().flat_map(HashMap::values);
        members.filter_map(move |member| {
            let interest = match id {
                None => member.whole.as_ref(),
                Some(id) => member.items.get(id),
            };
            Some((member, interest?))
        })
    }

    /// A subscription ends, and with it its presence.
    pub(super) fn leave(&mut self, watcher: WatcherId, subscription: &Subscription) -> Option<Departed> {
        let member = self.member(watcher, subscription)?;
        let interest = member.interest(subscription.id.as_ref())?;
        let Subscription { stream, group, id, name } = subscription;
        let departed = interest.present.remove(name).map(|present| Departed {
            stream: stream.clone(),
            group: group.clone(),
            id: id.clone(),
            presence: present.id,
        });
        interest.names.remove(name);
        if interest.names.is_empty() {
            self.forget(watcher, subscription);
        }
        departed
    }

    /// A watcher watches something no more.
    fn forget(&mut self, watcher: WatcherId, subscription: &Subscription) {
        let Some(member) = self.member(watcher, subscription) else { return };
        match &subscription.id {
            None => member.whole = None,
            Some(id) => drop(member.items.remove(id)),
        }
        if !member.watches_nothing() {
            return;
        }
        let place = (subscription.stream.clone(), subscription.group.clone());
        if let Some(places) = self.places.get_mut(&watcher) {
            places.remove(&place);
        }
        self.remove(watcher, &place);
    }

    fn remove(&mut self, watcher: WatcherId, place: &Place) {
        if let Some(room) = self.rooms.get_mut(place) {
            room.remove(&watcher);
            if room.is_empty() {
                self.rooms.remove(place);
            }
        }
    }

    /// A watcher is gone, and all of its presences.
    pub(super) fn gone(&mut self, watcher: WatcherId) -> Vec<Departed> {
        let mut departed = Vec::new();
        for place in self.places.remove(&watcher).unwrap_or_default() {
            if let Some(member) = self.rooms.get(&place).and_then(|room| room.get(&watcher)) {
                let items = member.items.iter().map(|(id, interest)| (Some(id), interest));
                for (id, interest) in member.whole.iter().map(|whole| (None, whole)).chain(items) {
                    departed.extend(interest.present.values().map(|present| Departed {
                        stream: place.0.clone(),
                        group: place.1.clone(),
                        id: id.cloned(),
                        presence: present.id,
                    }));
                }
            }
            self.remove(watcher, &place);
        }
        departed
    }

    /// Tells those who watch the group or the item: one message to each watcher, however many subscriptions it has.
    pub(super) fn publish(&mut self, published: &Published, mut write: impl Write) {
        let place = (published.stream.clone(), published.group.clone());
        let Some(room) = self.rooms.get_mut(&place) else { return };
        // All of one kind share one message.
        let (mut plain, mut newer) = (None, None);
        for member in room.values_mut() {
            if member.pending > 0 {
                if member.watches(published) {
                    member.hold(published);
                }
            } else if member.wants(published) {
                let greeted = member.outbox.greeted();
                let shared: &mut Option<Bytes> = if greeted { &mut newer } else { &mut plain };
                let message = shared.get_or_insert_with(|| write(Told::Published(published), greeted));
                member.outbox.push(message.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use motia_ports::streams::What;
    use tokio::sync::mpsc;

    use super::*;
    use crate::streams::Message;

    fn outbox() -> (Outbox, mpsc::UnboundedReceiver<Message>) {
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

    fn heard(inbox: &mut mpsc::UnboundedReceiver<Message>) -> Vec<Bytes> {
        std::iter::from_fn(|| inbox.try_recv().ok()).map(|message| message.text().clone()).collect()
    }

    fn write(told: Told<'_>, greeted: bool) -> Bytes {
        assert!(!greeted);
        match told {
            Told::Answer => frame("sync"),
            Told::Missed(missed) => unreachable!("{missed:?}"),
            Told::Published(published) => match published.what.offset() {
                Some(Offset(offset)) => format!("{offset} held").into(),
                None => frame("sent, held"),
            },
        }
    }

    fn sent(group: &str) -> Published {
        Published { what: What::Sent(Bytes::new()), ..change(group, "1", 0) }
    }

    #[test]
    fn a_watcher_is_told_once_of_what_it_watches_and_of_nothing_else() {
        let (mut rooms, one, other) = (Rooms::default(), WatcherId(1), WatcherId(2));
        let ((to_one, mut one_hears), (to_other, mut other_hears)) = (outbox(), outbox());
        let (group, item) = (subscription("g", None, "a"), subscription("g", Some("1"), "b"));
        for of_one in [&group, &item] {
            rooms.join(one, &to_one, of_one);
            rooms.synced(one, of_one, Offset(0), &[], write);
        }
        rooms.join(other, &to_other, &item);
        rooms.synced(other, &item, Offset(0), &[], write);
        rooms.publish(&change("g", "1", 1), |_: Told<'_>, _| frame("g1"));
        rooms.publish(&change("g", "2", 2), |_: Told<'_>, _| frame("g2"));
        rooms.publish(&change("h", "1", 3), |_: Told<'_>, _| frame("h1"));
        assert_eq!(heard(&mut one_hears), [frame("sync"), frame("sync"), frame("g1"), frame("g2")]);
        assert_eq!(heard(&mut other_hears), [frame("sync"), frame("g1")], "the item of another group is another item");
        rooms.leave(one, &group);
        rooms.publish(&change("g", "2", 4), |_: Told<'_>, _| frame("g2"));
        rooms.publish(&change("g", "1", 5), |_: Told<'_>, _| frame("g1"));
        assert_eq!(heard(&mut one_hears), [frame("g1")]);
        rooms.gone(one);
        rooms.gone(other);
        assert!(rooms.rooms.is_empty() && rooms.places.is_empty(), "nothing is left behind");
    }

    #[test]
    fn what_comes_before_the_sync_waits_for_it_and_is_not_told_twice() {
        let (mut rooms, watcher) = (Rooms::default(), WatcherId(1));
        let (to, mut hears) = outbox();
        let group = subscription("g", None, "a");
        rooms.join(watcher, &to, &group);
        rooms.publish(&change("g", "1", 1), |_: Told<'_>, _| frame("one"));
        rooms.publish(&change("g", "1", 2), |_: Told<'_>, _| frame("two"));
        rooms.publish(&sent("g"), |_: Told<'_>, _| frame("sent"));
        assert!(heard(&mut hears).is_empty());
        rooms.synced(watcher, &group, Offset(1), &[], write);
        rooms.publish(&change("g", "1", 3), |_: Told<'_>, _| frame("three"));
        assert_eq!(heard(&mut hears), [frame("sync"), frame("2 held"), frame("sent, held"), frame("three")]);
    }

    /// One component of a page watches the group; while another joins an item of it, the first misses nothing and sees nothing go back.
    #[test]
    fn a_second_subscription_costs_the_first_one_nothing() {
        let (mut rooms, watcher) = (Rooms::default(), WatcherId(1));
        let (to, mut hears) = outbox();
        let (group, item) = (subscription("g", None, "a"), subscription("g", Some("1"), "b"));
        rooms.join(watcher, &to, &group);
        rooms.synced(watcher, &group, Offset(0), &[], write);
        rooms.join(watcher, &to, &item);
        rooms.join(watcher, &to, &subscription("g", None, "c"));
        rooms.publish(&change("g", "2", 1), |_: Told<'_>, _| frame("one"));
        rooms.publish(&sent("g"), |_: Told<'_>, _| frame("sent"));
        rooms.publish(&change("g", "1", 2), |_: Told<'_>, _| frame("two"));
        rooms.publish(&change("g", "1", 3), |_: Told<'_>, _| frame("three"));
        rooms.synced(watcher, &item, Offset(2), &[], write);
        let held = [frame("sync"), frame("1 held"), frame("sent, held"), frame("2 held"), frame("sync")];
        assert_eq!(heard(&mut hears), held);
        rooms.leave(watcher, &item);
        rooms.synced(watcher, &subscription("g", None, "c"), Offset(2), &[], write);
        assert_eq!(heard(&mut hears), [frame("sync"), frame("3 held")]);
    }

    #[test]
    fn those_who_are_present_know_of_one_another() {
        let (mut rooms, one, other) = (Rooms::default(), WatcherId(1), WatcherId(2));
        let ((to_one, _), (to_other, _), (to_third, _)) = (outbox(), outbox(), outbox());
        let item = |name| subscription("g", Some("1"), name);
        let present = |id| Present { id: PresenceId(id), info: frame("{}") };
        for (watcher, outbox, name) in [(one, &to_one, "a"), (other, &to_other, "b"), (WatcherId(3), &to_third, "c")] {
            rooms.join(watcher, outbox, &item(name));
            rooms.synced(watcher, &item(name), Offset(0), &[], write);
        }
        assert_eq!(rooms.appear(one, &item("a"), present(1)), Some((vec![present(1)], None)));
        assert_eq!(rooms.appear(other, &item("b"), present(2)), Some((vec![present(1), present(2)], None)));
        assert_eq!(rooms.appear(WatcherId(9), &item("z"), present(3)), None);
        let witnesses =
            |rooms: &Rooms, but| rooms.witnesses(&"s".into(), &"g".into(), Some(&"1".into()), PresenceId(but)).count();
        assert_eq!((witnesses(&rooms, 2), witnesses(&rooms, 9)), (1, 2), "the third did not ask for it");
        let gone = |presence| Departed {
            stream: "s".into(),
            group: "g".into(),
            id: Some("1".into()),
            presence: PresenceId(presence),
        };
        let again = rooms.appear(one, &item("a"), present(4));
        assert_eq!(again, Some((vec![present(2), present(4)], Some(gone(1)))), "as somebody else from now on");
        assert_eq!(rooms.leave(one, &item("a")), Some(gone(4)));
        assert_eq!(rooms.leave(one, &item("a")), None);
        assert_eq!((rooms.gone(other), witnesses(&rooms, 9)), (vec![gone(2)], 0));
    }

    #[tokio::test]
    async fn who_waits_for_too_long_or_watches_what_is_left_out_is_given_up() {
        let mut rooms = Rooms::default();
        let ((slow, _), (here, _), (there, _)) = (outbox(), outbox(), outbox());
        rooms.join(WatcherId(1), &slow, &subscription("g", None, "a"));
        for (watcher, outbox, group) in [(2, &here, "g"), (3, &there, "h")] {
            rooms.join(WatcherId(watcher), outbox, &subscription(group, None, "a"));
            rooms.synced(WatcherId(watcher), &subscription(group, None, "a"), Offset(0), &[], write);
        }
        let given_up = async |outbox: &Outbox| {
            tokio::time::timeout(std::time::Duration::from_millis(5), outbox.overflowed()).await.is_ok()
        };
        let published =
            |n| Published { what: What::Updated(Offset(n), vec![b'x'; 1 << 18].into()), ..change("g", "1", n) };
        for n in 1..=3 {
            rooms.publish(&published(n), write);
        }
        assert!(!given_up(&slow).await);
        rooms.publish(&published(4), write);
        assert!(given_up(&slow).await && !given_up(&here).await);
        rooms.give_up(&"s".into(), Some(&"g".into()));
        assert!(given_up(&here).await && !given_up(&there).await);
        rooms.give_up(&"s".into(), None);
        assert!(given_up(&there).await);
    }

    #[test]
    fn two_subscriptions_of_a_newer_client_that_come_back_may_have_come_differently_far() {
        let (mut rooms, watcher) = (Rooms::default(), WatcherId(1));
        let (to, mut hears) = outbox();
        to.greet();
        let newer = |told: Told<'_>, _| write(told, false);
        let (one, other) = (subscription("g", None, "a"), subscription("g", None, "b"));
        rooms.join(watcher, &to, &one);
        rooms.join(watcher, &to, &other);
        rooms.publish(&change("g", "1", 3), newer);
        // The first was read behind the change, the other before it.
        rooms.synced(watcher, &one, Offset(3), &[], newer);
        rooms.synced(watcher, &other, Offset(2), &[], newer);
        assert_eq!(heard(&mut hears), [frame("sync"), frame("sync"), frame("3 held")], "the other lacks the change");
    }

    #[test]
    fn a_subscription_that_fails_holds_up_nobody() {
        let (mut rooms, watcher) = (Rooms::default(), WatcherId(1));
        let (to, mut hears) = outbox();
        let (group, item) = (subscription("g", None, "a"), subscription("g", Some("1"), "b"));
        rooms.join(watcher, &to, &group);
        rooms.synced(watcher, &group, Offset(0), &[], write);
        rooms.join(watcher, &to, &item);
        rooms.publish(&change("g", "1", 1), |_: Told<'_>, _| frame("one"));
        rooms.failed(watcher, &item, write);
        rooms.publish(&change("g", "1", 2), |_: Told<'_>, _| frame("two"));
        assert_eq!(heard(&mut hears), [frame("sync"), frame("1 held"), frame("two")]);
        rooms.leave(watcher, &group);
        assert!(rooms.rooms.is_empty());
    }
}

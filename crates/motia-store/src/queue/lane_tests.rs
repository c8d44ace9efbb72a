use motia_core::trace::TraceIds;

use super::*;

fn entry(id: u64, at: i64, group: Option<&str>) -> Entry {
    let delivery = Delivery {
        id: DeliveryId(id),
        step: "s".into(),
        topic: "t".into(),
        trace: TraceIds::new([0; 16]).nth(id),
        parent: None,
        group: group.map(Into::into),
        data: Bytes::from_static(b"1"),
        emitted: Timestamp(at),
        failures: 0,
    };
    Entry::new(delivery, Timestamp(at))
}

fn ids(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.id().0).collect()
}

fn fresh(fifo: bool) -> Lane {
    let mut lane = Lane::new(fifo);
    assert!(lane.wants_refill(), "a new lane looks at the disk first");
    lane.refilled(std::iter::empty(), false);
    lane
}

#[test]
fn the_window_is_bounded_and_knows_that_there_is_more() {
    let mut lane = fresh(false);
    for id in 0..(WINDOW as u64 + 10) {
        lane.emitted(entry(id, 0, None));
    }
    assert_eq!(lane.ready.len(), WINDOW);
    assert!(!lane.wants_refill(), "it is full");
    assert_eq!(lane.take(Timestamp(0), WINDOW - 1).len(), WINDOW - 1);
    assert!(lane.wants_refill());
}

#[test]
fn while_more_is_on_disk_new_ones_wait_their_turn() {
    let mut lane = fresh(false);
    for id in 0..=(WINDOW as u64) {
        lane.emitted(entry(id, 0, None));
    }
    lane.take(Timestamp(0), WINDOW);
    lane.emitted(entry(5_000, 0, None));
    assert_eq!(lane.take(Timestamp(0), 10).len(), 0, "the one on disk comes first");
    assert!(lane.wants_refill());
    lane.refilled([entry(WINDOW as u64, 0, None), entry(5_000, 0, None)].into_iter(), false);
    lane.finished(DeliveryId(0), None);
    lane.finished(DeliveryId(1), None);
    assert_eq!(ids(&lane.take(Timestamp(0), 10)), [WINDOW as u64, 5_000]);
}

#[test]
fn a_refill_never_repeats_what_runs() {
    let mut lane = fresh(false);
    lane.emitted(entry(1, 0, None));
    lane.take(Timestamp(0), 1);
    lane.refilled([entry(1, 0, None), entry(2, 0, None)].into_iter(), false);
    assert_eq!(ids(&lane.take(Timestamp(0), 10)), [2]);
}

#[test]
fn a_delivery_of_the_far_future_makes_room_for_one_that_is_due() {
    let mut lane = fresh(false);
    for id in 0..(WINDOW as u64) {
        lane.emitted(entry(id, 1_000_000, None));
    }
    lane.emitted(entry(9_999, 5, None));
    assert_eq!(ids(&lane.take(Timestamp(5), 10)), [9_999]);
}

#[test]
fn a_fifo_lane_never_lets_a_group_overtake_what_is_on_disk() {
    let mut lane = fresh(true);
    for id in 0..=(WINDOW as u64) {
        lane.emitted(entry(id, 1_000_000, Some(&format!("g{id}"))));
    }
    // The last group has its head on disk only. A younger event of it must not become its head.
    lane.emitted(entry(9_999, 5, Some(&format!("g{WINDOW}"))));
    assert!(lane.take(Timestamp(5), 10).is_empty());
}

#[test]
fn changing_the_kind_reads_the_disk_anew_and_keeps_what_runs() {
    let mut lane = fresh(false);
    lane.emitted(entry(1, 0, Some("a")));
    lane.emitted(entry(2, 0, Some("a")));
    lane.take(Timestamp(0), 1);
    lane.set_fifo(true);
    assert!(lane.wants_refill());
    lane.refilled([entry(1, 0, Some("a"))].into_iter(), false);
    assert!(lane.take(Timestamp(0), 10).is_empty(), "the group is busy");
    lane.finished(DeliveryId(1), Some(entry(2, 0, Some("a"))));
    assert_eq!(ids(&lane.take(Timestamp(0), 10)), [2]);
}

#[test]
fn data_of_a_handed_out_delivery_is_not_kept_twice() {
    let mut lane = fresh(false);
    lane.emitted(entry(1, 0, None));
    let (delivery, loaded) = lane.take(Timestamp(0), 1).remove(0).into_delivery();
    assert!(loaded && !delivery.data.is_empty());
    lane.released(DeliveryId(1));
    let (delivery, loaded) = lane.take(Timestamp(0), 1).remove(0).into_delivery();
    assert!(!loaded && delivery.data.is_empty(), "it is read from disk when it runs again");
}

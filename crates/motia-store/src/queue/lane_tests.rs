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
        priority: Priority::default(),
        data: Bytes::from_static(b"1"),
        emitted: Timestamp(at),
        failures: 0,
    };
    Entry::new(delivery, Timestamp(at))
}

fn urgent(id: u64) -> Entry {
    let mut entry = entry(id, 0, None);
    entry.delivery.priority = Priority::new(5).expect("in range");
    entry
}

fn ids(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.id().0).collect()
}

const NOW: Timestamp = Timestamp(0);

/// A lane that has seen an empty disk.
fn fresh(rule: Rule) -> Lane {
    let mut lane = Lane::new(rule, false);
    assert!(lane.wants_refill(NOW), "a new lane looks at the disk first");
    lane.first(Vec::new(), WINDOW);
    lane.refilled(NOW, None);
    lane
}

fn limited() -> Rule {
    Rule::Limited(NonZeroU32::MIN.saturating_add(1))
}

#[test]
fn the_window_is_bounded_and_knows_that_there_is_more() {
    let mut lane = fresh(Rule::Plain);
    for id in 0..(WINDOW as u64 + 10) {
        lane.emitted(entry(id, 0, None), NOW);
    }
    assert_eq!(lane.due.len(), WINDOW);
    assert!(!lane.wants_refill(NOW), "it is full");
    assert_eq!(lane.take(WINDOW - 1).len(), WINDOW - 1);
    assert!(lane.wants_refill(NOW));
    assert_eq!(lane.refill(), Refill::First { most: WINDOW + WINDOW - 1 }, "past those that are out");
}

#[test]
fn while_more_is_on_disk_new_ones_wait_their_turn() {
    let mut lane = fresh(Rule::Plain);
    for id in 0..=(WINDOW as u64) {
        lane.emitted(entry(id, 0, None), NOW);
    }
    lane.take(WINDOW);
    lane.emitted(entry(5_000, 0, None), NOW);
    assert_eq!(lane.take(10).len(), 0, "the one on disk comes first");
    lane.first(vec![entry(WINDOW as u64, 0, None), entry(5_000, 0, None)], WINDOW);
    lane.finished(DeliveryId(0));
    lane.finished(DeliveryId(1));
    assert_eq!(ids(&lane.take(10)), [WINDOW as u64, 5_000]);
}

#[test]
fn a_refill_never_repeats_what_is_out() {
    let mut lane = fresh(Rule::Plain);
    lane.emitted(entry(1, 0, None), NOW);
    lane.take(1);
    lane.first(vec![entry(1, 0, None), entry(2, 0, None)], WINDOW);
    assert_eq!(ids(&lane.take(10)), [2]);
}

#[test]
fn what_is_not_due_stays_on_disk_until_it_is() {
    let mut lane = fresh(Rule::Plain);
    lane.emitted(entry(1, 1_000, None), NOW);
    lane.emitted(entry(2, 500, None), NOW);
    assert!(lane.take(10).is_empty() && !lane.wants_refill(Timestamp(499)));
    assert_eq!(lane.next_at(), Some(Timestamp(500)));
    assert!(lane.wants_refill(Timestamp(500)));
    assert_eq!(lane.refill(), Refill::Since(NOW));
    lane.emitted(entry(2, 500, None), Timestamp(500));
    lane.refilled(Timestamp(500), Some(Timestamp(1_000)));
    assert_eq!(ids(&lane.take(10)), [2]);
    lane.retried(DeliveryId(2), Timestamp(800));
    assert_eq!(lane.next_at(), Some(Timestamp(800)), "a retry is on disk too");
}

#[test]
fn a_clock_that_was_put_back_loses_nothing() {
    let mut lane = fresh(Rule::Plain);
    lane.refilled(Timestamp(1_000_000), None);
    lane.emitted(entry(1, 600, None), Timestamp(500));
    assert!(lane.wants_refill(Timestamp(600)));
    assert_eq!(lane.refill(), Refill::Since(Timestamp(599)), "what was seen is what was due before");
}

#[test]
fn an_urgent_one_jumps_in_and_pushes_another_one_out() {
    let mut lane = fresh(Rule::Plain);
    for id in 0..(WINDOW as u64) {
        lane.emitted(entry(id, 0, None), NOW);
    }
    lane.emitted(urgent(9_999), NOW);
    assert_eq!(ids(&lane.take(2)), [9_999, 0]);
    assert!(lane.more, "the one that was pushed out is on disk");
}

#[test]
fn a_paused_lane_hands_out_nothing() {
    let mut lane = Lane::new(Rule::Plain, true);
    assert!(!lane.wants_refill(NOW));
    lane.set_paused(false);
    assert!(lane.wants_refill(NOW));
    lane.first(vec![entry(1, 0, None)], WINDOW);
    lane.set_paused(true);
    assert!(lane.take(1).is_empty() && lane.next_at().is_none());
}

#[test]
fn a_group_is_filled_when_it_has_room() {
    let mut lane = fresh(limited());
    let a = Some("a".into());
    assert_eq!(lane.emitted(entry(1, 0, Some("a")), NOW), Some(a.clone()), "the disk knows what comes first");
    lane.fill(&a, vec![entry(1, 0, Some("a"))]);
    assert_eq!(lane.emitted(entry(2, 0, Some("a")), NOW), Some(a.clone()));
    lane.fill(&a, vec![entry(1, 0, Some("a")), entry(2, 0, Some("a"))]);
    assert_eq!(lane.emitted(entry(3, 0, Some("a")), NOW), None, "two of it are in memory");
    assert_eq!(ids(&lane.take(10)), [1, 2]);
    assert_eq!(lane.emitted(entry(4, 0, Some("a")), NOW), None, "two of it are out");
    assert_eq!(lane.finished(DeliveryId(1)), Some(a.clone()));
    lane.fill(&a, vec![entry(2, 0, Some("a")), entry(3, 0, Some("a"))]);
    assert_eq!(ids(&lane.take(10)), [3], "the other is out");
    lane.emitted(entry(5, 0, None), NOW);
    assert_eq!(ids(&lane.take(10)), [5], "one without a group has no limit");
}

#[test]
fn the_disk_says_what_comes_first_of_a_group_when_one_is_given_back() {
    let mut lane = fresh(limited());
    let a = Some("a".into());
    lane.fill(&a, vec![entry(1, 0, Some("a")), entry(2, 0, Some("a"))]);
    assert_eq!(ids(&lane.take(10)), [1, 2]);
    lane.released(DeliveryId(1));
    assert!(lane.take(10).is_empty(), "a more urgent one may have come meanwhile");
    assert!(lane.wants_refill(NOW));
    assert_eq!(lane.emitted(entry(1, 0, Some("a")), NOW), Some(a), "as that reads it, its group is filled");
}

#[test]
fn a_fifo_group_asks_the_disk_when_another_one_may_come_first() {
    let mut lane = fresh(Rule::Fifo);
    let none = None;
    assert_eq!(lane.emitted(entry(5, 0, None), NOW), Some(none.clone()), "events without a group are one");
    lane.fill(&none, vec![entry(5, 0, None)]);
    assert_eq!(lane.emitted(entry(6, 0, None), NOW), None, "it comes later");
    assert_eq!(lane.emitted(entry(7, -5, None), NOW), Some(none.clone()), "it was due before");
    lane.fill(&none, vec![entry(7, -5, None)]);
    assert_eq!(ids(&lane.take(10)), [7]);
    assert_eq!(lane.retried(DeliveryId(7), Timestamp(100)), Some(none.clone()));
    lane.fill(&none, Vec::new());
    assert!(lane.take(10).is_empty() && lane.groups.is_empty(), "its head waits on disk");
}

#[test]
fn the_look_through_groups_goes_on_until_all_of_them_fit() {
    let mut lane = Lane::new(Rule::Fifo, false);
    assert!(lane.wants_refill(NOW));
    assert_eq!(lane.refill(), Refill::Groups { since: Timestamp(i64::MIN), look: true, behind: None });
    lane.looked_through(Some("=m".into()));
    lane.refilled(NOW, None);
    assert!(lane.wants_refill(NOW), "there are groups behind that");
    assert_eq!(lane.refill(), Refill::Groups { since: NOW, look: true, behind: Some("=m".into()) });
    lane.overflow();
    lane.looked_through(None);
    lane.refilled(NOW, None);
    assert!(lane.wants_refill(NOW), "something had to stay on disk: once more from the beginning");
    lane.looked_through(None);
    lane.refilled(NOW, None);
    assert!(!lane.wants_refill(NOW));
}

#[test]
fn changing_the_rule_reads_the_disk_anew_and_keeps_what_is_out() {
    let mut lane = fresh(Rule::Plain);
    lane.emitted(entry(1, 0, Some("a")), NOW);
    lane.emitted(entry(2, 0, Some("a")), NOW);
    lane.take(1);
    lane.set_rule(Rule::Fifo);
    assert!(lane.wants_refill(NOW));
    let a = Some("a".into());
    lane.fill(&a, vec![entry(1, 0, Some("a"))]);
    assert!(lane.take(10).is_empty(), "the group is busy");
    assert_eq!(lane.finished(DeliveryId(1)), Some(a.clone()));
    lane.fill(&a, vec![entry(2, 0, Some("a"))]);
    assert_eq!(ids(&lane.take(10)), [2]);
}

#[test]
fn what_is_taken_back_is_gone_unless_it_is_out() {
    let mut lane = fresh(Rule::Plain);
    lane.emitted(entry(1, 0, None), NOW);
    lane.emitted(entry(2, 0, None), NOW);
    lane.take(1);
    assert!(!lane.withdraw(DeliveryId(1)) && lane.withdraw(DeliveryId(2)) && lane.withdraw(DeliveryId(3)));
    assert!(lane.take(10).is_empty());
}

#[test]
fn data_of_a_delivery_that_is_out_is_not_kept_twice() {
    let mut lane = fresh(Rule::Plain);
    lane.emitted(entry(1, 0, None), NOW);
    let (delivery, loaded) = lane.take(1).remove(0).into_delivery();
    assert!(loaded && !delivery.data.is_empty());
    lane.released(DeliveryId(1));
    let (delivery, loaded) = lane.take(1).remove(0).into_delivery();
    assert!(!loaded && delivery.data.is_empty(), "it is read from disk when it runs again");
}

//! Queues: standard, fifo, limited groups; delays, retries, priorities, keys, cancellation, replays, pauses, restarts.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use motia_core::step::{QueueConfig, QueueKind};
use motia_core::trace::TraceIds;
use motia_core::{Clock, EventId, Priority, StepName, Timestamp};
use motia_ports::EventQueue;
use motia_ports::memory::Memory;
use motia_ports::queue::{Delivery, DeliveryId, DeliveryState, Failure, NewEvent, Once, Subscription};
use proptest::prelude::*;

use super::{HandClock, block_on, open};

const STEPS: [&str; 4] = ["plain", "slow", "fifo", "limited"];

fn subscriptions() -> Vec<Subscription> {
    let queues = [
        QueueConfig::default(),
        QueueConfig { delay: Duration::from_millis(700), ..QueueConfig::default() },
        QueueConfig { kind: QueueKind::Fifo, ..QueueConfig::default() },
        QueueConfig { group_concurrency: NonZeroU32::new(2), ..QueueConfig::default() },
    ];
    let subscription = |(step, queue): (&str, QueueConfig)| Subscription {
        step: step.into(),
        source: format!("steps/{step}.step.ts").into(),
        topics: vec!["t".into()],
        queue,
    };
    STEPS.into_iter().zip(queues).map(subscription).collect()
}

#[derive(Clone, Debug)]
enum Act {
    Emit { group: Option<u8>, due: Option<i64>, priority: i8, once: Option<u8> },
    Cancel(usize),
    MoveOn(i64),
    Receive { step: usize, most: usize },
    Ack(usize),
    Retry { which: usize, wait: i64 },
    Bury(usize),
    Release(usize),
    Replay(usize),
    Discard(usize),
    Pause { step: usize, paused: bool },
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let group = prop::option::weighted(0.8, 0_u8..3);
    let due = prop::option::weighted(0.3, -500_i64..2_000);
    let priority = prop_oneof![4 => Just(0_i8), 1 => -3_i8..4];
    let once = prop::option::weighted(0.1, 0_u8..3);
    let which = 0_usize..64;
    prop_oneof![
        8 => (group, due, priority, once).prop_map(|(group, due, priority, once)| Act::Emit { group, due, priority, once }),
        1 => which.clone().prop_map(Act::Cancel),
        4 => (1_i64..1_500).prop_map(Act::MoveOn),
        10 => (0..STEPS.len(), 1_usize..5).prop_map(|(step, most)| Act::Receive { step, most }),
        6 => which.clone().prop_map(Act::Ack),
        3 => (which.clone(), 0_i64..1_500).prop_map(|(which, wait)| Act::Retry { which, wait }),
        2 => which.clone().prop_map(Act::Bury),
        2 => which.clone().prop_map(Act::Release),
        1 => which.clone().prop_map(Act::Replay),
        1 => which.prop_map(Act::Discard),
        1 => (0..STEPS.len(), any::<bool>()).prop_map(|(step, paused)| Act::Pause { step, paused }),
        1 => Just(Act::Restart),
    ]
}

/// One of the two queues, and what the test holds of it.
struct Side {
    queue: Arc<dyn EventQueue>,
    /// What is out, in the order in which it came: the same on both sides.
    out: Vec<Delivery>,
    events: Vec<EventId>,
}

impl Side {
    fn new(queue: Arc<dyn EventQueue>) -> Self {
        Self { queue, out: Vec::new(), events: Vec::new() }
    }

    /// What may be received now: as many as are expected, and nothing where nothing is.
    async fn receive(&self, step: &str, most: usize, expected: usize) -> Vec<Delivery> {
        let mut all = Vec::new();
        while all.len() < expected {
            let received = self.queue.receive(step.into(), most - all.len());
            match tokio::time::timeout(Duration::from_secs(10), received).await {
                Ok(received) => all.extend(received.expect("receive")),
                Err(_) => return all,
            }
        }
        if all.len() < most {
            let mut received = self.queue.receive(step.into(), most - all.len());
            for _ in 0..3 {
                if let Some(received) = received.as_mut().now_or_never() {
                    all.extend(received.expect("receive"));
                    break;
                }
                // A refill goes through the writer: once this is done, it is over.
                self.queue.pause("nobody".into(), false).done.await.expect("a barrier");
            }
        }
        all
    }

    async fn dead(&self) -> Vec<DeliveryId> {
        let mut dead = Vec::new();
        for step in STEPS {
            let list = self.queue.list(step.into(), DeliveryState::Dead, None, 1000).await.expect("list");
            dead.extend(list.into_iter().map(|info| info.id));
        }
        dead
    }

    async fn depths(&self) -> Vec<(StepName, u64, u64, bool, bool)> {
        let depths = self.queue.depths().await.expect("depths");
        depths.into_iter().map(|depth| (depth.step, depth.waiting, depth.dead, depth.paused, depth.orphan)).collect()
    }
}

/// What of a delivery both sides must agree on: ids are each one's own.
fn seen(delivery: &Delivery) -> (String, String, u32, i8) {
    let data = String::from_utf8_lossy(&delivery.data).into_owned();
    let group = delivery.group.as_ref().map(ToString::to_string).unwrap_or_default();
    (data, group, delivery.failures, delivery.priority.number())
}

fn pick<T>(list: &[T], which: usize) -> Option<usize> {
    (!list.is_empty()).then(|| which % list.len())
}

struct Both {
    sides: [Side; 2],
    clock: Arc<HandClock>,
    emitted: u32,
}

impl Both {
    async fn emit(&mut self, group: Option<u8>, due: Option<i64>, priority: i8, once: Option<u8>) {
        self.emitted += 1;
        let now = self.clock.now();
        let event = NewEvent {
            topic: "t".into(),
            trace: TraceIds::new([0; 16]).nth(self.emitted.into()),
            parent: None,
            group: group.map(|group| format!("g{group}").into()),
            data: self.emitted.to_string().into(),
            at: now,
            due: due.map(|due| Timestamp(now.0 + due)),
            // A fifo queue has none, which the delivery shows.
            priority: Priority::new(priority.into()).expect("in range"),
            once: once.map(|key| Once { key: key.to_string(), until: Timestamp(now.0 + 3_000) }),
        };
        let mut answers = Vec::new();
        for side in &mut self.sides {
            let emitted = side.queue.emit(event.clone()).done.await.expect("emit");
            if !emitted.repeated {
                side.events.push(emitted.event);
            }
            answers.push((emitted.deliveries, emitted.repeated));
        }
        assert_eq!(answers[0], answers[1], "emit");
    }

    async fn receive(&mut self, step: &str, most: usize) -> usize {
        let (mut all, mut expected) = (Vec::new(), 0);
        for side in &mut self.sides {
            let received = side.receive(step, most, expected).await;
            expected = received.len();
            all.push(received.iter().map(seen).collect::<Vec<_>>());
            side.out.extend(received);
        }
        // The model hands its priorities out in fifo queues too; they have no meaning there.
        let plain = |(data, group, failures, _): (String, String, u32, i8)| (data, group, failures);
        let [model, store]: [Vec<_>; 2] = all.try_into().expect("two sides");
        let (model, store): (Vec<_>, Vec<_>) =
            (model.into_iter().map(plain).collect(), store.into_iter().map(plain).collect());
        assert_eq!(store, model, "{step} receives");
        model.len()
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Emit { group, due, priority, once } => self.emit(group, due, priority, once).await,
            Act::MoveOn(millis) => self.clock.move_on(millis),
            Act::Receive { step, most } => {
                self.receive(STEPS[step], most).await;
            }
            Act::Cancel(which) => {
                let mut gone = Vec::new();
                for side in &self.sides {
                    if let Some(at) = pick(&side.events, which) {
                        gone.push(side.queue.cancel(side.events[at].clone()).done.await.expect("cancel"));
                    }
                }
                assert!(gone.windows(2).all(|pair| pair[0] == pair[1]), "cancel: {gone:?}");
            }
            Act::Ack(which) | Act::Bury(which) | Act::Release(which) | Act::Retry { which, .. } => {
                let at = self.clock.now();
                for side in &mut self.sides {
                    let Some(place) = pick(&side.out, which) else { continue };
                    let id = side.out.remove(place).id;
                    let failure = Failure { error: "it broke".into(), at };
                    match act {
                        Act::Ack(_) => side.queue.ack(id).done.await.expect("ack"),
                        Act::Bury(_) => side.queue.bury(id, failure).done.await.expect("bury"),
                        Act::Retry { wait, .. } => {
                            side.queue.retry(id, failure, Timestamp(at.0 + wait)).done.await.expect("retry");
                        }
                        _ => side.queue.release(id),
                    }
                }
            }
            Act::Replay(which) => {
                let at = self.clock.now();
                for side in &self.sides {
                    let dead = side.dead().await;
                    if let Some(place) = pick(&dead, which) {
                        let replayed = side.queue.replay(vec![dead[place]], at).done.await.expect("replay");
                        assert_eq!(replayed.len(), 1);
                    }
                }
            }
            Act::Discard(which) => {
                for side in &self.sides {
                    let dead = side.dead().await;
                    if let Some(place) = pick(&dead, which) {
                        assert_eq!(side.queue.discard(vec![dead[place]]).done.await.expect("discard"), 1);
                    }
                }
            }
            Act::Pause { step, paused } => {
                for side in &self.sides {
                    side.queue.pause(STEPS[step].into(), paused).done.await.expect("pause");
                }
            }
            Act::Restart => {}
        }
    }
}

/// Everything that is left is received in the end, in the same order.
async fn drain(both: &mut Both) {
    for step in STEPS {
        both.act(Act::Pause { step: STEPS.iter().position(|name| *name == step).expect("there"), paused: false }).await;
    }
    while !both.sides[0].out.is_empty() {
        both.act(Act::Ack(0)).await;
    }
    both.clock.move_on(10_000);
    for step in STEPS {
        while both.receive(step, 3).await > 0 {
            while !both.sides[0].out.is_empty() {
                both.act(Act::Ack(0)).await;
            }
        }
    }
    assert_eq!(both.sides[0].depths().await, both.sides[1].depths().await);
    assert!(both.sides[1].depths().await.iter().all(|(_, waiting, ..)| *waiting == 0), "nothing is left behind");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(acts in prop::collection::vec(act(), 1..80)) {
        block_on(async {
            let (dir, clock) = (tempfile::tempdir().expect("a folder"), HandClock::new());
            let model = Memory::new(Arc::<HandClock>::clone(&clock) as Arc<dyn Clock>).queue();
            let mut store = open(dir.path(), &clock);
            let mut both = Both { sides: [Side::new(model), Side::new(store.queue())], clock, emitted: 0 };
            for side in &both.sides {
                side.queue.declare(subscriptions(), Vec::new()).await.expect("declare");
            }
            for act in acts {
                if matches!(act, Act::Restart) {
                    // Who restarts forgets what was out: it runs again, uncharged.
                    let [model, side] = &mut both.sides;
                    model.out.drain(..).for_each(|delivery| model.queue.release(delivery.id));
                    side.out.clear();
                    store.close(std::time::Duration::from_secs(5)).await.expect("close");
                    // The last handle on a store keeps its files.
                    side.queue = Memory::new(Arc::<HandClock>::clone(&both.clock) as Arc<dyn Clock>).queue();
                    drop(store);
                    store = open(dir.path(), &both.clock);
                    side.queue = store.queue();
                    side.queue.declare(subscriptions(), Vec::new()).await.expect("declare");
                }
                both.act(act).await;
                assert_eq!(both.sides[0].depths().await, both.sides[1].depths().await);
            }
            drain(&mut both).await;
        });
    }
}

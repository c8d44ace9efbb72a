//! Deliveries to handlers: a lane per subscribed step takes what is due, as many at a time as the step allows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use motia_core::TraceId;
use motia_core::project::Validation;
use motia_core::record::{Cause, Level};
use motia_core::step::{EventTrigger, QueueConfig, Step, Trigger};
use motia_core::trace::TraceParent;
use motia_ports::queue::{Delivery, DeliveryId, Failure};
use motia_worker::{CallError, CallHandle, CallKind, CallLimits, Class};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::call::Call;
use crate::engine::{Engine, EngineHost};
use crate::validation::{Data, Refused, in_words};

/// A pause after the queue itself failed.
const QUEUE_TROUBLE: Duration = Duration::from_secs(1);

/// The lanes that run.
#[derive(Default)]
pub(crate) struct Dispatcher {
    lanes: Mutex<HashMap<motia_core::StepName, Lane>>,
    /// Deliveries that a worker held when it died or was blocked: they run alone (design.md P2).
    suspects: Mutex<HashSet<DeliveryId>>,
}

struct Lane {
    step: Arc<Step>,
    queue: QueueConfig,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

/// How an attempt ended.
enum Attempt {
    Done,
    /// The handler failed.
    Failed(String),
    /// Its data does not match the step's schema, and never will.
    Refused(String),
    /// Its worker died or was blocked, and it was alone there: it is charged, and stays suspect.
    Killed(String),
    /// The same, but it was not alone: nobody is charged, but it is suspect. What happened to its worker.
    Suspect(&'static str),
    /// It was cut off by the engine: it simply runs again.
    CutOff,
}

impl Engine {
    /// Makes the lanes those of the current project. Deliveries that run go on, under the settings they began with.
    pub(crate) fn update_lanes(&self) {
        let project = self.shared.project();
        let mut lanes = self.dispatcher.lanes.lock();
        let wanted: HashMap<_, _> = project
            .steps()
            .filter_map(|step| match &step.trigger {
                Trigger::Event(EventTrigger { queue, .. }) => Some((&step.name, (step, queue))),
                _ => None,
            })
            .collect();
        lanes.retain(|name, lane| {
            let keep = wanted.contains_key(name);
            if !keep {
                lane.stop.cancel();
            }
            keep
        });
        for (name, (step, queue)) in wanted {
            let before = lanes.get(name);
            if before.is_some_and(|lane| Arc::ptr_eq(&lane.step, step)) {
                continue;
            }
            // The places go along if their number is the same, so that a reload never runs more at a time.
            let places = before
                .filter(|lane| lane.queue.concurrency == queue.concurrency)
                .map_or_else(|| Arc::new(Semaphore::new(concurrency(queue))), |lane| Arc::clone(&lane.places));
            if let Some(before) = before {
                before.stop.cancel();
            }
            let lane = Lane { step: Arc::clone(step), queue: queue.clone(), places, stop: self.stop.child_token() };
            self.tasks.spawn(self.clone().run_lane(
                Arc::clone(step),
                queue.clone(),
                Arc::clone(&lane.places),
                lane.stop.clone(),
            ));
            lanes.insert(name.clone(), lane);
        }
    }

    async fn run_lane(self, step: Arc<Step>, queue: QueueConfig, places: Arc<Semaphore>, stop: CancellationToken) {
        let most = concurrency(&queue);
        loop {
            let Some(Ok(place)) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await else { return };
            // What is free besides, so that a burst is fetched at once.
            let mut free = vec![place];
            while free.len() < most
                && let Ok(place) = Arc::clone(&places).try_acquire_owned()
            {
                free.push(place);
            }
            let received = self.shared.backends.queue.receive(step.name.clone(), free.len());
            let deliveries = match stop.run_until_cancelled(received).await {
                None => return,
                Some(Ok(deliveries)) => deliveries,
                Some(Err(error)) => {
                    let message = format!("deliveries cannot be received: {error}; trying again");
                    self.shared.telemetry.log_of(Level::Error, None, Some(step.name.clone()), message);
                    tokio::time::sleep(QUEUE_TROUBLE).await;
                    continue;
                }
            };
            for (delivery, place) in deliveries.into_iter().zip(free) {
                let (engine, step, queue) = (self.clone(), Arc::clone(&step), queue.clone());
                self.tasks.spawn(async move {
                    engine.deliver(&step, &queue, delivery).await;
                    drop(place);
                });
            }
        }
    }

    async fn deliver(&self, step: &Arc<Step>, queue: &QueueConfig, delivery: Delivery) {
        let (id, trace, failures) = (delivery.id, delivery.trace, delivery.failures);
        let attempt = self.attempt(step, queue, delivery).await;
        let backend = &self.shared.backends.queue;
        let at = self.shared.telemetry.clock().now();
        let say = |level, text| self.shared.telemetry.log_of(level, Some(trace), Some(step.name.clone()), text);
        if matches!(attempt, Attempt::Done | Attempt::Failed(_)) {
            // It ran and its worker lives.
            self.dispatcher.suspects.lock().remove(&id);
        }
        let finished = match attempt {
            // Commits behind the result: the slot is free now.
            Attempt::Done => backend.ack(id),
            Attempt::Suspect(what) => {
                self.dispatcher.suspects.lock().insert(id);
                say(
                    Level::Warn,
                    format!(
                        "its worker {what} while the handler ran: the event goes back, uncharged, and runs alone next"
                    ),
                );
                return backend.release(id);
            }
            Attempt::CutOff => return backend.release(id),
            Attempt::Refused(error) => {
                self.dispatcher.suspects.lock().remove(&id);
                say(
                    Level::Error,
                    format!("the event is a dead letter at once, since trying again cannot help: {error}"),
                );
                backend.bury(id, Failure { error, at })
            }
            Attempt::Failed(error) | Attempt::Killed(error) if failures >= queue.max_retries => {
                self.dispatcher.suspects.lock().remove(&id);
                say(
                    Level::Error,
                    format!(
                        "failed for the last time (attempt {} of {}), the event is a dead letter now: {error}",
                        failures + 1,
                        attempts(queue)
                    ),
                );
                backend.bury(id, Failure { error, at })
            }
            Attempt::Failed(error) | Attempt::Killed(error) => {
                let wait = queue.backoff.wait(failures + 1, id.0);
                say(
                    Level::Error,
                    format!(
                        "failed (attempt {} of {}), next attempt in {:.1} s: {error}",
                        failures + 1,
                        attempts(queue),
                        wait.as_secs_f32()
                    ),
                );
                backend.retry(id, Failure { error, at }, at.plus(wait))
            }
        };
        let engine = self.clone();
        let (step, done) = (step.name.clone(), finished.done);
        self.tasks.spawn(async move {
            if let Err(error) = done.await {
                let text = format!("the outcome of a delivery could not be stored, so it will run again: {error}");
                engine.shared.telemetry.log_of(Level::Error, Some(trace), Some(step), text);
                engine.shared.backends.queue.release(id);
            }
        });
    }

    async fn attempt(&self, step: &Arc<Step>, queue: &QueueConfig, delivery: Delivery) -> Attempt {
        if let Err(error) = self.check_input(step, &delivery).await {
            let cause = Cause::Event { topic: delivery.topic.clone(), attempt: delivery.failures + 1 };
            let parent = self.parent_of(delivery.trace, delivery.parent.as_deref());
            Call::begin(&self.shared.telemetry, step, delivery.trace, parent, cause).end(None, Some(error.clone()));
            return Attempt::Refused(error);
        }
        let suspect = self.dispatcher.suspects.lock().contains(&delivery.id);
        let Some(pool) = self.pool(step.language.runtime()) else { return Attempt::CutOff };
        let place = if suspect { pool.quarantine().await } else { pool.place(Class::Event).await };
        let Ok(place) = place else { return Attempt::CutOff };
        let alone = place.is_alone();

        let attempt = delivery.failures + 1;
        let cause = Cause::Event { topic: delivery.topic.clone(), attempt };
        let parent = self.parent_of(delivery.trace, delivery.parent.as_deref());
        let call = Call::begin(&self.shared.telemetry, step, delivery.trace, parent, cause);
        let kind = CallKind::Event { topic: delivery.topic, attempt };
        let limit = queue.timeout.unwrap_or(self.shared.settings().timeouts.event);
        let limits = CallLimits::new(limit, Some(queue.visibility_timeout));
        let mut handle = place.call(call.request(kind, delivery.data, limits));
        let outcome = match tokio::time::timeout(limit, handle.outcome()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // A worker whose thread is blocked says nothing about this handler: any call that it holds may be to blame.
                let blocked = handle.is_blocked().await;
                if blocked && !alone {
                    call.end(None, Some("the worker was blocked".into()));
                }
                let error = self.time_out(&call, &mut handle, limit).await;
                return match (blocked, alone) {
                    (false, _) => Attempt::Failed(error),
                    (true, true) => Attempt::Killed(format!(
                        "{error}; it blocked its worker's thread: an endless loop, a long computation?"
                    )),
                    (true, false) => Attempt::Suspect("was blocked"),
                };
            }
        };
        let attempt = match outcome {
            Ok(outcome) => match outcome.meta.error {
                None => Attempt::Done,
                Some(error) if error.is_unknown_step() => Attempt::CutOff,
                Some(error) => Attempt::Failed(error.to_string()),
            },
            // Alone in its worker: there is nobody else to blame.
            Err(error @ CallError::WorkerEnded { .. }) if alone => Attempt::Killed(error.to_string()),
            Err(CallError::WorkerEnded { .. }) => Attempt::Suspect("died"),
            Err(CallError::CutOff { .. }) => Attempt::CutOff,
        };
        call.end(
            None,
            match &attempt {
                Attempt::Done => None,
                Attempt::Failed(error) | Attempt::Killed(error) | Attempt::Refused(error) => Some(error.clone()),
                Attempt::Suspect(_) => Some("the worker ended".into()),
                Attempt::CutOff => Some("cut off".into()),
            },
        );
        attempt
    }

    /// Cancels a handler at its timeout, and returns once it has settled or its process is gone: what comes after it must not run beside
    /// it. Answers with the error of its attempt.
    pub(crate) async fn time_out(&self, call: &Call, handle: &mut CallHandle<EngineHost>, limit: Duration) -> String {
        handle.cancel("timeout");
        let error = format!("the handler took longer than {} s and was cancelled", limit.as_secs_f32());
        if tokio::time::timeout(CallLimits::GRACE, handle.outcome()).await.is_err() {
            // The attempt has failed by now, whatever the handler still does; its worker is replaced.
            call.end(None, Some(error.clone()));
            let _ = handle.outcome().await;
        }
        call.end(None, Some(error.clone()));
        error
    }

    /// Compares the data with the step's schema.
    async fn check_input(&self, step: &Step, delivery: &Delivery) -> Result<(), String> {
        if step.schema().is_none() {
            return Ok(());
        }
        let (validation, data) = (&self.shared.validation, Data::of_event(&delivery.data));
        match self.shared.validation_of(step) {
            Validation::Off => Ok(()),
            Validation::Warn => {
                validation.sample(step, data);
                Ok(())
            }
            Validation::Enforce => validation.enforce(step, data).await.map_err(|refused| match refused {
                Refused::NotJson(problem) => format!("its data is not valid JSON: {problem}"),
                Refused::Mismatch(problems) => format!("its data does not match input: {}", in_words(&problems)),
            }),
        }
    }

    /// The chain's W3C context.
    pub(crate) fn parent_of(&self, trace: TraceId, stored: Option<&str>) -> TraceParent {
        stored.and_then(TraceParent::parse).unwrap_or_else(|| self.shared.backends.traces.parent(trace))
    }
}

fn concurrency(queue: &QueueConfig) -> usize {
    usize::try_from(queue.concurrency.get()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

fn attempts(queue: &QueueConfig) -> u64 {
    u64::from(queue.max_retries) + 1
}

//! What people do with queues: look at them, deliver dead letters again, hand over what a renamed step left behind, emit by hand.

use bytes::Bytes;
use motia_core::step::Trigger;
use motia_core::{StepName, TraceId};
use motia_ports::queue::{DeliveryId, DeliveryState, Emitted, NewEvent, Once};
use motia_worker::operation::{Due, EmitRequest};

use crate::engine::Engine;

/// Deliveries that one operation takes: it holds up everything else that is written.
const AT_A_TIME: usize = 500;

/// Why a queue was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// The step that should have it is none.
    #[error("there is no event step '{0}' that could take it over")]
    NoSuchStep(StepName),
    /// The step that has it is still there.
    #[error(
        "'{0}' is a step of the project and works on its queue itself; only what a removed or renamed step left behind can be moved"
    )]
    InUse(StepName),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] motia_ports::Error),
}

impl Engine {
    /// Delivers all dead letters of a step again; answers with how many.
    pub async fn replay_all(&self, step: &StepName) -> Result<usize, motia_ports::Error> {
        let (queue, mut count) = (self.queue(), 0);
        let at = self.shared.telemetry.clock().now();
        while let Some(ids) = self.some_of(step, DeliveryState::Dead).await? {
            count += queue.replay(ids, at).done.await?.len();
        }
        Ok(count)
    }

    /// Removes everything of a step that is in a state; answers with how much. What runs stays.
    pub async fn discard_all(&self, step: &StepName, state: DeliveryState) -> Result<usize, motia_ports::Error> {
        let mut count = 0;
        while let Some(ids) = self.some_of(step, state).await? {
            match self.queue().discard(ids).done.await? {
                // What is left runs.
                0 => break,
                removed => count += removed,
            }
        }
        Ok(count)
    }

    async fn some_of(
        &self,
        step: &StepName,
        state: DeliveryState,
    ) -> Result<Option<Vec<DeliveryId>>, motia_ports::Error> {
        let some = self.queue().list(step.clone(), state, None, AT_A_TIME).await?;
        Ok((!some.is_empty()).then(|| some.into_iter().map(|info| info.id).collect()))
    }

    /// Hands what a removed or renamed step left behind over to another one; answers with how much.
    pub async fn move_queue(&self, from: &StepName, to: &StepName) -> Result<usize, NotMoved> {
        let project = self.project();
        let is_event = |name: &StepName| {
            project.steps().any(|step| step.name == *name && matches!(step.trigger, Trigger::Event(_)))
        };
        if !is_event(to) {
            return Err(NotMoved::NoSuchStep(to.clone()));
        }
        let depths = self.queue().depths().await?;
        if is_event(from) || depths.iter().any(|depth| depth.step == *from && !depth.orphan) {
            return Err(NotMoved::InUse(from.clone()));
        }
        let mut count = 0;
        loop {
            match self.queue().transfer(from.clone(), to.clone(), AT_A_TIME).done.await? {
                0 => return Ok(count),
                moved => count += moved,
            }
        }
    }

    /// Emits an event that begins a chain of its own. Answers once it is safe from a power cut.
    pub async fn emit(&self, request: EmitRequest, data: Bytes) -> Result<(TraceId, Emitted), motia_ports::Error> {
        let backends = &self.shared.backends;
        let trace = backends.traces.next();
        let parent = Some(backends.traces.parent(trace).to_string());
        let event = self.shared.event(request, trace, parent, data);
        let emitted = backends.queue.emit(event);
        let (mark, emitted) = (emitted.mark, emitted.done.await?);
        backends.journal.boundary(mark).await?;
        Ok((trace, emitted))
    }
}

impl crate::engine::EngineHost {
    /// The event that somebody wants emitted now.
    pub(crate) fn event(&self, request: EmitRequest, trace: TraceId, parent: Option<String>, data: Bytes) -> NewEvent {
        let EmitRequest { topic, group, due, priority, once } = request;
        let at = self.telemetry.clock().now();
        let due = due.map(|due| match due {
            Due::After(delay) => at.plus(delay),
            Due::At(time) => time,
        });
        let once = once.map(|key| Once { key, until: at.plus(self.settings().retention.idempotency_keys) });
        NewEvent { topic, trace, parent, group, data, at, due, priority, once }
    }
}

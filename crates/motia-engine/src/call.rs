//! One attempt of a handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use motia_core::TraceId;
use motia_core::record::{Cause, Record, SpanEnd, SpanId, SpanStart};
use motia_core::step::Step;
use motia_core::trace::TraceParent;
use motia_ports::{Error, Journal, Mark};
use motia_worker::message::Identity;
use motia_worker::{CallKind, CallLimits, CallRequest};
use tokio::sync::RwLock;

use crate::telemetry::Telemetry;

/// What the engine knows of a call that runs.
pub struct Call {
    /// The step.
    pub step: Arc<Step>,
    /// The chain.
    pub trace: TraceId,
    /// The W3C context that the chain's further calls and events carry.
    pub parent: TraceParent,
    /// The attempt.
    pub span: SpanId,
    /// Its operations take turns: a write waits for the reads before it, everything else runs at once. Fair, so in the order asked.
    pub(crate) order: RwLock<()>,
    /// The newest write of this call.
    last_write: AtomicU64,
    started: Duration,
    ended: AtomicBool,
    telemetry: Telemetry,
}

impl Drop for Call {
    /// Whoever asked went away before there was an answer; by now the handler has settled.
    fn drop(&mut self) {
        self.end(None, Some("the client went away".into()));
    }
}

impl Call {
    /// Begins an attempt.
    pub fn begin(
        telemetry: &Telemetry,
        step: &Arc<Step>,
        trace: TraceId,
        parent: TraceParent,
        cause: Cause,
    ) -> Arc<Self> {
        let call = Self::make(telemetry, step, trace, parent, false);
        if telemetry.traces() {
            let span = call.span;
            let at = telemetry.clock().now();
            let (name, source) = (step.name.clone(), step.source.clone());
            telemetry.record(Record::Started(SpanStart { id: span, trace, step: name, source, cause, at }));
        }
        call
    }

    /// Begins what is no attempt of a handler, and not recorded as one.
    pub fn begin_unrecorded(telemetry: &Telemetry, step: &Arc<Step>, trace: TraceId, parent: TraceParent) -> Arc<Self> {
        Self::make(telemetry, step, trace, parent, true)
    }

    /// `ended`: that it has ended need not be recorded.
    fn make(telemetry: &Telemetry, step: &Arc<Step>, trace: TraceId, parent: TraceParent, ended: bool) -> Arc<Self> {
        static SPANS: AtomicU64 = AtomicU64::new(1);
        let span = SpanId(SPANS.fetch_add(1, Ordering::Relaxed));
        Arc::new(Self {
            step: Arc::clone(step),
            trace,
            parent: parent.child(span.0),
            span,
            order: RwLock::new(()),
            last_write: AtomicU64::new(0),
            started: telemetry.clock().elapsed(),
            ended: AtomicBool::new(ended),
            telemetry: telemetry.clone(),
        })
    }

    /// What its worker is asked.
    pub fn request(self: &Arc<Self>, kind: CallKind, body: Bytes, limits: CallLimits) -> CallRequest<Self> {
        let identity = Identity { trace: self.trace, parent: self.parent };
        CallRequest { source: self.step.source.clone(), identity, kind, body, context: Arc::clone(self), limits }
    }

    /// The handler wrote: its reads see this, and its outcome waits for it.
    pub fn wrote(&self, mark: Mark) {
        self.last_write.fetch_max(mark.0, Ordering::AcqRel);
    }

    /// Its newest write.
    pub fn last_write(&self) -> Mark {
        Mark(self.last_write.load(Ordering::Acquire))
    }

    /// The boundary of P1: waits until everything that the handler wrote survives a power cut.
    pub async fn settle(&self, journal: &dyn Journal) -> Result<(), Error> {
        match self.last_write() {
            Mark::NONE => Ok(()),
            mark => journal.boundary(mark).await,
        }
    }

    /// How long it has been running.
    pub fn took(&self) -> Duration {
        self.telemetry.clock().elapsed().saturating_sub(self.started)
    }

    /// Ends the attempt. Only the first end counts.
    pub fn end(&self, status: Option<u16>, error: Option<String>) {
        if self.ended.swap(true, Ordering::AcqRel) || !self.telemetry.traces() {
            return;
        }
        let at = self.telemetry.clock().now();
        let (trace, step, took) = (self.trace, self.step.name.clone(), self.took());
        self.telemetry.record(Record::Ended(SpanEnd { id: self.span, trace, step, at, took, status, error }));
    }
}

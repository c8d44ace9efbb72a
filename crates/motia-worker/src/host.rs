//! What workers ask of the engine.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use motia_core::ids::Runtime;
use motia_core::{SourcePath, TraceId};

use crate::message::WorkerLog;
use crate::operation::{Operation, OperationError};

/// Whose code asks or logs.
#[derive(Debug)]
pub enum Origin<C> {
    /// A call that runs.
    Call(Arc<C>),
    /// What a finished call left behind: its promises and timers.
    Late {
        /// The finished call's trace.
        trace: TraceId,
        /// Its step's file.
        source: SourcePath,
    },
}

/// The engine, as seen from its workers.
pub trait Host: Send + Sync + 'static {
    /// What the engine knows of a call that it started.
    type Call: Send + Sync + 'static;

    /// A handler wants something. The future is polled at once, in the order of the frames: by then the operation has its place in the
    /// order of effects. It resolves to a JSON value or nothing.
    fn operation(
        &self,
        origin: Origin<Self::Call>,
        operation: Operation,
        body: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, OperationError>>;

    /// A handler logged, or `console` was used.
    fn log(&self, origin: Option<Origin<Self::Call>>, line: WorkerLog);

    /// A worker wrote a line to its stdout or stderr, past the SDK.
    fn output(&self, runtime: Runtime, stderr: bool, line: String);
}

//! Worker processes: the frames that they and the engine exchange, how they are launched, and their pools.
//!
//! | module | holds |
//! |---|---|
//! | [`frame`] | the codec of `sdk/protocol`: bytes to frames and back |
//! | [`message`] | what frames mean: calls, results, logs |
//! | [`operation`] | what handlers ask for |
//! | [`host`] | what workers ask of the engine: operations, log lines |
//! | [`connection`] | one worker's connection: calls in flight, chunked bodies, windows |
//! | [`launcher`] | how a worker process starts, so that it ends with the engine |
//! | [`process`] | a worker process, and the thread that all of them descend from |
//! | [`loading`] | importing a project's files into a fresh worker, whatever they do |
//! | [`worker`] | a worker: a process, its connection, its places for calls |
//! | [`pool`] | the workers of one runtime: which serve, which stands by, which finish; their health |
//!
//! The engine is one side, the SDKs in `sdk/` are the other. `sdk/protocol/README.md` is the contract between them.

pub mod connection;
pub mod frame;
pub mod host;
pub mod launcher;
pub mod loading;

pub mod message;
pub mod operation;
pub mod pool;

pub mod process;
pub mod worker;

pub use connection::{
    BodySender, CallError, CallHandle, CallLimits, CallOutcome, CallRequest, CutOff, NotWanted, ResultBody,
};
pub use host::{Host, Origin};
pub use loading::{Failure, Imported, LoadReport, Plan, PlannedFile};
pub use message::{CallKind, Content, RequestHead};
pub use operation::{Operation, OperationError};
pub use pool::{Loaded, Pool, PoolConfig, PoolSettings, Unavailable, WorkerHealth, WorkerState};
pub use worker::{Class, Place};

//! The engine: what runs when, with which context, and what is kept of it.
//!
//! | module | holds |
//! |---|---|
//! | [`registry`] | the project as it runs now: steps, streams; replaced whole on reload |
//! | [`engine`](mod@engine) | the parts put together: configuration, start, reload, stop |
//! | [`call`] | one attempt of a handler: its context, and the boundary of P1 at its end |
//! | [`operations`] | what handlers ask for: emit, state, streams |
//! | [`item`] | what is added to a stream item when it is stored |
//! | [`api`] | requests to handlers |
//! | [`response`] | the body of a response on its way to the client |
//! | [`dispatcher`] | deliveries to handlers: attempts, retries, dead letters |
//! | [`cron`] | schedules to handlers |
//! | [`queues`] | what people do with queues |
//! | [`streams`] | what changes in streams, to those who watch |
//! | [`telemetry`] | the bounded pipeline from all of these to the sinks |
//! | `validation` | data against the schemas of steps |
//! | [`terminal`] | the sink that people read |

pub mod api;
pub mod call;
pub mod cron;
pub mod dispatcher;
pub mod engine;
pub mod item;
pub mod operations;
pub mod queues;
pub mod registry;
pub mod response;
pub mod streams;
pub mod telemetry;
pub mod terminal;
mod validation;

pub use api::{ApiReply, ApiRequest, BodySource, Refusal, RequestBody};
pub use engine::{Backends, Config, Engine, EngineHost, Error, Readiness};
pub use registry::Project;
pub use response::{BrokenOff, ResponseBody};
pub use telemetry::Telemetry;

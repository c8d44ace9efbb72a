//! The vocabulary of Motia. Pure: no tokio, no IO, no clock of its own.
//!
//! | module | holds |
//! |---|---|
//! | [`ids`] | names and ids as types of their own: steps, topics, streams, groups, keys |
//! | [`step`] | what a step file's `config` means, once checked |
//! | [`stream`] | what a stream file's `config` means |
//! | [`project`] | what `motia.config` means: the knobs of the whole project |
//! | [`trace`] | trace ids and the W3C `traceparent` |
//! | [`clock`] | the one seam through which time comes |
//! | [`record`] | what the runtime reports about itself: spans, operations, log lines |
//! | [`update`] | changes of a JSON value that are made where it is stored |
//! | [`query`] | choosing among the items of a stream's group |
//! | [`raw`] | JSON objects whose members keep their exact text |
//! | [`fields`] | reading untrusted config objects with messages that name the member |

pub mod clock;
pub mod fields;
pub mod ids;
pub mod project;
pub mod query;
pub mod raw;
pub mod record;
pub mod step;
pub mod stream;
pub mod trace;
pub mod update;

pub use clock::{Clock, SystemClock, Timestamp};
pub use ids::{EventId, FlowName, GroupId, ItemKey, Language, Priority, SourcePath, StepName, StreamName, Topic};
pub use trace::TraceId;

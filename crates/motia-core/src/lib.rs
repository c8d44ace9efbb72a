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
//! | [`fields`] | reading untrusted config objects with messages that name the member |

pub mod clock;
pub mod fields;
pub mod ids;
pub mod project;
pub mod record;
pub mod step;
pub mod stream;
pub mod trace;

pub use clock::{Clock, SystemClock, Timestamp};
pub use ids::{FlowName, GroupId, ItemKey, Language, SourcePath, StepName, StreamName, Topic};
pub use trace::TraceId;

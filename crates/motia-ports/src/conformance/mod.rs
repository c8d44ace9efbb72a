//! One suite per trait. A backend passes when every function here returns; each panics with the rule that was broken.
//!
//! ```ignore
//! #[tokio::test]
//! async fn state_conforms() {
//!     motia_ports::conformance::state(&my_backend()).await;
//! }
//! ```

mod cron;
mod queue;
mod state;
mod streams;

pub use cron::cron;
pub use queue::queue;
pub use state::state;
pub use streams::streams;

use bytes::Bytes;
use motia_core::{Clock, SystemClock, Timestamp};

/// Texts that a careless backend splits, cuts or confuses.
const ODD: [&str; 8] = ["a", "a:b", "a/b.c", "", "*", "\u{0}nul", "emoji 🐾", "line\nbreak %_\\'\""];

fn json(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn texts(values: Vec<Bytes>) -> Vec<String> {
    values.into_iter().map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
}

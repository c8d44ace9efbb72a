//! How long, how often, with how many.

use std::time::Duration;

/// What the flags say.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    /// Of a round of a comparison.
    pub(crate) length: Duration,
    /// Before the rounds.
    pub(crate) warm_up: Duration,
    pub(crate) rounds: usize,
    /// From the end of a load, or from a start, to the look at the memory.
    pub(crate) settle: Duration,
    pub(crate) starts: usize,
    /// With which GET and POST are asked.
    pub(crate) connections: Vec<usize>,
    /// How often a step is saved.
    pub(crate) saves: usize,
    /// In one round of the queue.
    pub(crate) events: u64,
    /// For one by one.
    pub(crate) singles: u64,
    /// How many events wait, and how many keys are held, where many are compared with few.
    pub(crate) many: u64,
    /// Over how many calls memory is watched; growth is counted from a fifth of them on.
    pub(crate) calls: u64,
    /// It only shows that everything runs.
    pub(crate) quick: bool,
}

impl Method {
    /// Everything short and once.
    pub(crate) fn quick(self) -> Self {
        Self {
            length: Duration::from_millis(300),
            warm_up: Duration::from_millis(100),
            rounds: 1,
            settle: Duration::from_millis(500),
            starts: self.starts.min(2),
            connections: self.connections,
            saves: 3,
            events: 1_000,
            singles: 20,
            many: 10_000,
            calls: 10_000,
            quick: true,
        }
    }
}

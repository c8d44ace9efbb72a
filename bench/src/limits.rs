//! How many connections the bench, and what it starts, may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a server keeps for other things than connections.
const RESERVE: u64 = 500;

/// Raises the limit as far as the system allows, for what is started from now on as well; how many connections it leaves.
pub(crate) fn connections() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where nothing more is to be had, what there is must do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(RESERVE)).unwrap_or(usize::MAX)
}

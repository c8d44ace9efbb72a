//! How many files the process may have open: a connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Fewer than this are worth a warning.
const FEW: u64 = 4096;
/// What is kept for other things than connections: the store, workers, sources.
const RESERVE: u64 = 256;
/// More connections than this are not served, whatever the system allows: each takes memory.
const MOST_CONNECTIONS: u64 = 65_536;
/// What is asked for where the system names no end. Some refuse more.
const ENOUGH: [u64; 2] = [1 << 20, 10_240];

/// What the process may have open.
pub(crate) struct Descriptors {
    /// What programs that it starts get: what it was started with. Some break with more (`select`).
    pub(crate) inherited: Option<u64>,
    limit: Option<u64>,
}

impl Descriptors {
    /// Raises the limit as far as the system allows.
    pub(crate) fn raise() -> Self {
        let before = getrlimit(Resource::Nofile);
        let ask = |current| setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: before.maximum });
        let wanted = before.maximum.map_or(ENOUGH, |most| [most, most.min(ENOUGH[1])]);
        if let Some(now) = before.current {
            // Where nothing more is to be had, what there is must do.
            let _ = wanted.into_iter().filter(|more| *more > now).find(|more| ask(*more).is_ok());
        }
        Self { inherited: before.current, limit: getrlimit(Resource::Nofile).current }
    }

    /// How many connections may be open at a time.
    pub(crate) fn connections(&self) -> usize {
        let limit = self.limit.unwrap_or(MOST_CONNECTIONS);
        let connections = limit.saturating_sub(RESERVE.min(limit / 2)).min(MOST_CONNECTIONS);
        usize::try_from(connections).unwrap_or(usize::MAX)
    }

    /// What is wrong, for people.
    pub(crate) fn warning(&self) -> Option<String> {
        let limit = self.limit.filter(|limit| *limit < FEW)?;
        Some(format!(
            "this process may open only {limit} files, so at most {} connections are served at a time; raise the hard limit \
             (ulimit -Hn) to 65536",
            self.connections()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limit: u64) -> Descriptors {
        Descriptors { inherited: None, limit: Some(limit) }
    }

    #[test]
    fn connections_leave_room_for_the_rest() {
        let connections: Vec<_> = [64, 512, 1024, 4096, 1 << 20].map(|n| limit(n).connections()).into();
        assert_eq!(connections, [32, 256, 768, 3840, 65_536]);
    }

    #[test]
    fn few_descriptors_are_worth_a_warning() {
        assert_eq!(limit(4096).warning(), None);
        assert_eq!(
            limit(1024).warning().as_deref(),
            Some(
                "this process may open only 1024 files, so at most 768 connections are served at a time; raise the hard limit \
                 (ulimit -Hn) to 65536"
            )
        );
    }

    #[test]
    fn the_limit_is_raised_and_the_old_one_known() {
        let before = getrlimit(Resource::Nofile);
        let raised = Descriptors::raise();
        assert_eq!(raised.inherited, before.current);
        assert_eq!(getrlimit(Resource::Nofile).current, raised.limit);
        if let (Some(now), Some(most)) = (raised.limit, before.maximum) {
            assert!(now == most || now == ENOUGH[1], "{now} of {most}");
        }
    }
}

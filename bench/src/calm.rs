//! Who else had the machine while something was measured.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use motia_core::Clock;

use crate::proc::{self, Cpu, Machine};
use crate::stats::median;

/// With more of the machine's CPU time going elsewhere, figures are not worth keeping.
const CALM: f64 = 0.05;

/// Shares of the machine's CPU time that went elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Elsewhere {
    /// To processes that the bench has not started.
    pub(crate) foreign: f64,
    /// To other machines.
    pub(crate) stolen: f64,
}

impl Elsewhere {
    pub(crate) fn calm(self) -> bool {
        self.foreign.max(self.stolen) <= CALM
    }

    /// Of many, the worst.
    pub(crate) fn most(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |most, one| Self {
            foreign: most.foreign.max(one.foreign),
            stolen: most.stolen.max(one.stolen),
        })
    }

    /// Of many, the middle ones.
    pub(crate) fn middle(all: &[Self]) -> Self {
        let of = |share: fn(&Self) -> f64| median(&all.iter().map(share).collect::<Vec<_>>());
        Self { foreign: of(|one| one.foreign), stolen: of(|one| one.stolen) }
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (foreign, stolen) = (self.foreign * 100.0, self.stolen * 100.0);
        write!(f, "{foreign:.0} % of the machine went to other processes, {stolen:.0} % to other machines")
    }
}

/// Looks from here on.
pub(crate) struct Watch {
    clock: Arc<dyn Clock>,
    began: Duration,
    machine: Machine,
    /// Of the bench and of all that it has started, those that have ended too.
    ours: Cpu,
}

impl Watch {
    pub(crate) fn begin(clock: &Arc<dyn Clock>) -> Self {
        let ours = proc::cpu(std::process::id());
        Self { clock: Arc::clone(clock), began: clock.elapsed(), machine: proc::machine(), ours }
    }

    pub(crate) fn end(&self) -> Elsewhere {
        let (machine, ours) = (proc::machine(), proc::cpu(std::process::id()));
        let took = (self.clock.elapsed() - self.began).as_secs_f64();
        let cores = thread::available_parallelism().map_or(1, usize::from) as f64;
        let share = |time: Duration| if took > 0.0 { time.as_secs_f64() / (took * cores) } else { 0.0 };
        let busy = machine.busy.saturating_sub(self.machine.busy);
        Elsewhere {
            foreign: share(busy.saturating_sub(ours.since(self.ours).total())),
            stolen: share(machine.stolen.saturating_sub(self.machine.stolen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use motia_core::SystemClock;

    use super::*;

    #[test]
    fn a_share_is_between_nothing_and_everything() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let watch = Watch::begin(&clock);
        thread::sleep(Duration::from_millis(50));
        let found = watch.end();
        // Ticks are coarse: a little more than everything is possible.
        assert!((0.0..=1.5).contains(&found.foreign) && (0.0..=1.5).contains(&found.stolen), "{found:?}");
    }

    #[test]
    fn both_shares_count() {
        let of = |foreign, stolen| Elsewhere { foreign, stolen };
        assert!(of(0.05, 0.05).calm());
        assert!(!of(0.06, 0.0).calm() && !of(0.0, 0.06).calm());
        assert_eq!(Elsewhere::middle(&[of(0.1, 0.0), of(0.3, 0.2), of(0.2, 0.1)]), of(0.2, 0.1));
        assert_eq!(Elsewhere::most([of(0.1, 0.2), of(0.3, 0.0)].into_iter()), of(0.3, 0.2));
    }
}

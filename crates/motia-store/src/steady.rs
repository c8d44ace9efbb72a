//! A clock that never goes back, for what waits in queues: deliveries that are due must not become due again later, nor change their
//! order, because the machine's clock was put right.

use std::sync::Arc;
use std::time::Duration;

use motia_core::{Clock, Timestamp};
use parking_lot::Mutex;

/// Goes with the machine's clock where that goes forward, and on at its own pace where that is put back. A cheap clone.
#[derive(Clone)]
pub(crate) struct SteadyClock {
    wall: Arc<dyn Clock>,
    last: Arc<Mutex<(Timestamp, Duration)>>,
}

impl SteadyClock {
    /// Begins at the machine's time, but not before `floor`: what an engine before this one has seen.
    pub(crate) fn new(wall: Arc<dyn Clock>, floor: Timestamp) -> Self {
        let last = Arc::new(Mutex::new((wall.now().max(floor), wall.elapsed())));
        Self { wall, last }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.read().0
    }

    /// How far it is ahead of the machine's clock: what others said by that is this much later here.
    pub(crate) fn ahead(&self) -> Duration {
        let (now, wall) = self.read();
        wall.until(now)
    }

    fn read(&self) -> (Timestamp, Timestamp) {
        let mut last = self.last.lock();
        let (wall, elapsed) = (self.wall.now(), self.wall.elapsed());
        let own = last.0.plus(elapsed.saturating_sub(last.1));
        let now = wall.max(own);
        // Whole milliseconds alone are counted: the rest of them is left for the next time.
        if now > last.0 {
            *last = (now, elapsed);
        }
        (now, wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Set(Mutex<(i64, u64)>);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.lock().0)
        }

        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.lock().1)
        }
    }

    #[test]
    fn it_goes_forward_with_the_machine_and_never_back() {
        let wall = Arc::new(Set::default());
        let set = |now, elapsed| *wall.0.lock() = (now, elapsed);
        set(10_000, 0);
        let steady = SteadyClock::new(Arc::clone(&wall) as Arc<dyn Clock>, Timestamp(0));
        set(10_500, 500);
        assert_eq!((steady.now(), steady.ahead()), (Timestamp(10_500), Duration::ZERO));
        // Put back by eight seconds: it goes on at its own pace.
        set(3_000, 1_000);
        assert_eq!((steady.now(), steady.ahead()), (Timestamp(11_000), Duration::from_secs(8)));
        set(3_400, 1_400);
        assert_eq!(steady.now(), Timestamp(11_400));
        // Put forward, past where it is.
        set(50_000, 1_500);
        assert_eq!((steady.now(), steady.ahead()), (Timestamp(50_000), Duration::ZERO));
        let next = SteadyClock::new(wall, Timestamp(60_000));
        assert_eq!(next.now(), Timestamp(60_000), "an engine before has seen that");
    }
}

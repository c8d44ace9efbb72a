//! The times that messages bear. Clients drop a message that is no later than what they have (design.md section 6), so each is later than
//! all before it, those before a restart too.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use motia_core::{Clock, Timestamp};
use motia_ports::Streams;
use tokio_util::task::TaskTracker;

/// Parts of a millisecond: as binary fractions they stay exact in the numbers of every client.
const PARTS: i64 = 1024;
/// How far ahead it is stored up to when messages may be stamped: cheaper than storing each.
const AHEAD: Duration = Duration::from_secs(10);

/// Gives every message a time of its own.
pub(super) struct Stamps {
    clock: Arc<dyn Clock>,
    streams: Arc<dyn Streams>,
    tasks: TaskTracker,
    last: Stamp,
    /// As it is stored.
    until: Timestamp,
}

impl Stamps {
    pub(super) fn new(clock: Arc<dyn Clock>, streams: Arc<dyn Streams>, tasks: TaskTracker) -> Self {
        let until = streams.stamped_until();
        Self { clock, streams, tasks, last: Stamp::of_millis(until.as_millis()), until }
    }

    pub(super) fn next(&mut self) -> Stamp {
        let stamp = Stamp::of_millis(self.clock.now().as_millis()).max(Stamp(self.last.0 + 1));
        self.last = stamp;
        if stamp.ceiling().plus(AHEAD / 2) > self.until {
            self.until = stamp.ceiling().plus(AHEAD);
            // If it fails, so does everything else.
            self.tasks.spawn(self.streams.stamp_until(self.until).done);
        }
        stamp
    }
}

/// A moment in 1/1024 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(i64);

impl Stamp {
    pub(super) fn of_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(PARTS))
    }

    /// The first whole millisecond after it.
    fn ceiling(self) -> Timestamp {
        Timestamp(self.0 / PARTS + 1)
    }

    /// Appends it as a JSON number.
    pub(super) fn write(self, out: &mut BytesMut) {
        let (millis, part) = (self.0.div_euclid(PARTS), self.0.rem_euclid(PARTS));
        out.put_slice(millis.to_string().as_bytes());
        if part > 0 {
            // 1/1024 is 0.0009765625.
            let fraction = format!("{:010}", part * 9_765_625);
            out.put_u8(b'.');
            out.put_slice(fraction.trim_end_matches('0').as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use motia_ports::memory::Memory;

    use super::*;

    struct Stands(i64);

    impl Clock for Stands {
        fn now(&self) -> Timestamp {
            Timestamp(self.0)
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn written(stamp: Stamp) -> f64 {
        let mut out = BytesMut::new();
        stamp.write(&mut out);
        std::str::from_utf8(&out).expect("text").parse().expect("a number")
    }

    #[tokio::test]
    async fn stamps_rise_and_stay_exact_where_the_clock_stands_still_and_over_a_restart() {
        let clock: Arc<dyn Clock> = Arc::new(Stands(1_795_371_060_963));
        let streams = Memory::new(Arc::clone(&clock)).streams();
        let tasks = TaskTracker::new();
        let mut stamps = Stamps::new(clock, Arc::clone(&streams), tasks.clone());
        let all: Vec<_> = (0..3000).map(|_| stamps.next()).collect();
        let times: Vec<_> = all.iter().map(|stamp| written(*stamp)).collect();
        assert!(times.is_sorted_by(|one, next| one < next));
        let first = 1_795_371_060_963.0;
        assert_eq!((times[0], times[1]), (first, first + 1.0 / 1024.0));
        tasks.close();
        tasks.wait().await;
        let put_back: Arc<dyn Clock> = Arc::new(Stands(5));
        let mut after = Stamps::new(put_back, streams, TaskTracker::new());
        assert!(after.next() > *all.last().expect("some"), "the clock was put back over a restart");
    }
}

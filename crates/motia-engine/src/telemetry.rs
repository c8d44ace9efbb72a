//! The bounded pipeline to the sinks. Recording never blocks for long: what does not fit is counted and dropped.
//!
//! A record costs its call a push under a lock. The thread that feeds the sinks is woken by the first record of a batch alone, and lets the
//! batch grow for a moment: waking it for every record would cost more than the rest of a small request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use motia_core::record::{Level, LogLine, Record};
use motia_core::{Clock, StepName, TraceId};
use motia_ports::TelemetrySink;
use parking_lot::{Condvar, Mutex};

/// Records that may wait for the sinks.
const CAPACITY: usize = 64 << 10;
/// How long a batch grows: what a log line takes to be seen.
const GROWTH: Duration = Duration::from_millis(4);

/// How long the sinks may take for what is left at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A handle on the pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

struct Shared {
    batch: Mutex<Batch>,
    begun: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
    /// Whether calls and operations are recorded.
    traces: AtomicBool,
}

/// What waits for the sinks.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    /// Lost since the batch before.
    dropped: u64,
    stopped: bool,
}

impl Telemetry {
    /// Starts the thread that feeds the sinks.
    pub fn start(clock: Arc<dyn Clock>, sinks: Vec<Box<dyn TelemetrySink>>) -> std::io::Result<Self> {
        let (batch, begun) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { batch, begun, thread: Mutex::new(None), clock, traces: AtomicBool::new(true) });
        let fed = Arc::clone(&shared);
        let thread = thread::Builder::new().name("telemetry".into()).spawn(move || fed.feed(sinks))?;
        *shared.thread.lock() = Some(thread);
        Ok(Self { shared })
    }

    /// Records something.
    pub fn record(&self, record: Record) {
        let mut batch = self.shared.batch.lock();
        if batch.records.len() >= CAPACITY || batch.stopped {
            batch.dropped += 1;
            return;
        }
        batch.records.push(record);
        if batch.records.len() == 1 {
            self.shared.begun.notify_one();
        }
    }

    /// Whether calls and what they ask for are recorded. It is not worth making a record that nobody takes.
    pub fn traces(&self) -> bool {
        self.shared.traces.load(Ordering::Relaxed)
    }

    /// Records calls and what they ask for, or log lines alone.
    pub fn set_traces(&self, traces: bool) {
        self.shared.traces.store(traces, Ordering::Relaxed);
    }

    /// A log line of the runtime itself.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.log_of(level, None, None, message.into());
    }

    /// A log line of the runtime about a step.
    pub fn log_of(&self, level: Level, trace: Option<TraceId>, step: Option<StepName>, message: String) {
        let at = self.shared.clock.now();
        self.record(Record::Log(LogLine { at, level, trace, step, message, details: bytes::Bytes::new() }));
    }

    /// Where time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Lets the sinks take what is there, and ends the thread. Later records are dropped.
    pub fn stop(&self) {
        self.shared.batch.lock().stopped = true;
        self.shared.begun.notify_one();
        if let Some(thread) = self.shared.thread.lock().take() {
            // A sink may be stuck for good (nobody reads our output): nothing waits for it longer than this.
            for _ in 0..LAST_WORDS.as_millis() / 5 {
                if thread.is_finished() {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Shared {
    fn feed(&self, mut sinks: Vec<Box<dyn TelemetrySink>>) {
        let mut records = Vec::new();
        loop {
            let mut batch = self.batch.lock();
            if batch.records.is_empty() && !batch.stopped {
                self.begun.wait(&mut batch);
            }
            if !batch.stopped {
                drop(batch);
                thread::sleep(GROWTH);
                batch = self.batch.lock();
            }
            std::mem::swap(&mut batch.records, &mut records);
            let (dropped, stopped) = (std::mem::take(&mut batch.dropped), batch.stopped);
            drop(batch);
            if !records.is_empty() || dropped > 0 {
                for sink in &mut sinks {
                    sink.take(&records, dropped);
                }
                records.clear();
            }
            if stopped {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use motia_core::SystemClock;

    use super::*;

    struct Counting(Arc<AtomicU64>, Arc<AtomicU64>, Duration);

    impl TelemetrySink for Counting {
        fn take(&mut self, records: &[Record], dropped: u64) {
            thread::sleep(self.2);
            self.0.fetch_add(records.len() as u64, Ordering::Relaxed);
            self.1.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    #[test]
    fn everything_arrives_before_the_end_and_a_slow_sink_only_loses_what_it_counts() {
        let (taken, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let sink = Counting(Arc::clone(&taken), Arc::clone(&lost), Duration::from_millis(200));
        let telemetry = Telemetry::start(Arc::new(SystemClock::default()), vec![Box::new(sink)]).expect("start");
        let total = CAPACITY as u64 * 3;
        for _ in 0..total {
            telemetry.log(Level::Info, "x");
        }
        telemetry.stop();
        assert_eq!(taken.load(Ordering::Relaxed) + lost.load(Ordering::Relaxed), total);
        assert!(lost.load(Ordering::Relaxed) > 0, "the pipeline is bounded");
    }
}

//! The bounded pipeline to the sinks. Recording never blocks: what does not fit is counted and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use motia_core::record::{Level, LogLine, Record};
use motia_core::{Clock, StepName, TraceId};
use motia_ports::TelemetrySink;
use parking_lot::Mutex;

/// Records that may wait for the sinks.
const CAPACITY: usize = 64 << 10;
/// Most records in one batch.
const BATCH: usize = 1024;

/// A handle on the pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` ends the pipeline.
    records: SyncSender<Option<Record>>,
    dropped: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
}

impl Telemetry {
    /// Starts the thread that feeds the sinks.
    pub fn start(clock: Arc<dyn Clock>, sinks: Vec<Box<dyn TelemetrySink>>) -> std::io::Result<Self> {
        let (records, inbox) = sync_channel(CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let thread = thread::Builder::new().name("telemetry".into()).spawn(move || feed(&inbox, &lost, sinks))?;
        Ok(Self { shared: Arc::new(Shared { records, dropped, thread: Mutex::new(Some(thread)), clock }) })
    }

    /// Records something. Never blocks.
    pub fn record(&self, record: Record) {
        if self.shared.records.try_send(Some(record)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
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
        if let Some(thread) = self.shared.thread.lock().take() {
            // The thread is gone already only if a sink panicked: it has nothing more to say.
            let _ = self.shared.records.send(None);
            let _ = thread.join();
        }
    }
}

fn feed(inbox: &Receiver<Option<Record>>, dropped: &AtomicU64, mut sinks: Vec<Box<dyn TelemetrySink>>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut open = true;
    while open && let Ok(first) = inbox.recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Some(record) => batch.push(record),
                None => open = false,
            }
            next = if batch.len() < BATCH && open { inbox.try_recv().ok() } else { None };
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        for sink in &mut sinks {
            sink.take(&batch, lost);
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let sink = Counting(Arc::clone(&taken), Arc::clone(&lost), Duration::from_millis(5));
        let telemetry = Telemetry::start(Arc::new(SystemClock::default()), vec![Box::new(sink)]).expect("start");
        let total = CAPACITY as u64 * 3;
        for _ in 0..total {
            telemetry.log(Level::Info, "x");
        }
        // One more, so that the count of the lost comes along.
        thread::sleep(Duration::from_millis(50));
        telemetry.log(Level::Info, "last");
        telemetry.stop();
        assert_eq!(taken.load(Ordering::Relaxed) + lost.load(Ordering::Relaxed), total + 1);
        assert!(lost.load(Ordering::Relaxed) > 0, "the pipeline is bounded");
    }
}

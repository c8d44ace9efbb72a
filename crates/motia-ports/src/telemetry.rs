//! Sinks for what the runtime reports about itself.

use motia_core::record::Record;

/// Takes records in batches, on a thread of its own: it may block, and it cannot hold up a handler.
pub trait TelemetrySink: Send + 'static {
    /// The next records, in the order in which they were made. `dropped` counts those that were lost before them because
    /// the pipeline was full.
    fn take(&mut self, records: &[Record], dropped: u64);
}

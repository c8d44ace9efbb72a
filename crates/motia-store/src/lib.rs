//! The embedded backends on SQLite: `.motia/motia.db`, one writer thread, group commit (design.md section 4).
//!
//! | module | holds |
//! |---|---|
//! | [`open`](mod@open) | the owner lock, the look at the file before the first connection, the schema |
//! | `writer` | the one thread that writes: many operations, one commit |
//! | `reader` | a few threads that read, each with its own connection |
//! | `syncer` | fdatasync before a boundary of P1 |
//! | `upkeep` | checkpoints, and the removal of what is kept no longer |
//! | `sequence` | numbers that are never given twice, reserved on disk in blocks |
//! | `state`, `streams`, `queue`, `cron` | the backends of `motia-ports` |
//! | [`backup`] | a copy while an engine runs |
//! | `joined` | data of the original, whose keys cannot be told apart |
//! | `import` | taking it in |
//!
//! A write travels: a method of a backend makes a closure and hands it to the writer (its mark is known now); the writer runs it
//! inside the transaction that is open, commits, tells the in-memory parts (queue lanes), then the waiters.

mod backup;
mod cron;
mod import;
mod joined;
mod open;
mod queue;
mod reader;
mod sequence;
mod state;
mod steady;
mod streams;
mod syncer;
mod upkeep;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use motia_core::Clock;
use motia_core::project::{Durability, Retention};
use motia_core::record::Level;
use motia_core::trace::{TraceId, TraceIds, TraceParent};
use motia_ports::{CronLock, EventQueue, Journal, State, Streams, Traces};

use parking_lot::Mutex;

pub use backup::backup;
pub use import::{Adopted, Adoption, Left, LeftEvent};
pub use open::OpenError;

/// How long the last checkpoint may take.
const TIDY_UP: Duration = Duration::from_secs(2);

/// What the store needs to know.
#[derive(Clone)]
pub struct Config {
    /// The folder that holds `motia.db`, usually `.motia`.
    pub dir: PathBuf,
    /// Whether boundaries of P1 wait for the disk.
    pub durability: Durability,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where the store says what users should know (a foreign writer holds it up, a checkpoint fails).
    pub report: Reporter,
}

/// Takes what a component wants users to know.
pub type Reporter = Arc<dyn Fn(Level, String) + Send + Sync>;

/// The open store. Cheap to clone; the files close when the last clone is dropped or on [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    writer: writer::Writer,
    reader: reader::Reader,
    syncer: Arc<syncer::Syncer>,
    queue: queue::Queue,
    state: state::SqliteState,
    streams: streams::SqliteStreams,
    trace_ids: TraceIds,
    traces: sequence::Sequence,
    retention: Arc<Mutex<Retention>>,
    // Dropped last: the lock goes when everything else is closed.
    _owner: open::OwnerLock,
}

impl Store {
    /// Opens or creates the store. Blocks; call it before the runtime has anything else to do.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let opened = open::open(&config.dir, config.clock.now(), &config.report)?;
        let thread = |source| OpenError::Io { path: config.dir.clone(), source };
        let (committed, woken) = std::sync::mpsc::sync_channel(1);
        let writer = writer::Writer::start(opened.connection, config.report.clone(), committed);
        let reader = reader::Reader::start(opened.readers, writer.decided(), &config.clock)
            .map_err(|source| OpenError::Sqlite { file: config.dir.join(open::FILE), source })?;
        let syncer = Arc::new(syncer::Syncer::start(opened.wal, &writer, config.durability));
        let retention = Arc::new(Mutex::new(Retention::default()));
        let upkeep = upkeep::Upkeep {
            connection: opened.upkeep,
            writer: writer.clone(),
            retention: Arc::clone(&retention),
            clock: Arc::clone(&config.clock),
            report: config.report.clone(),
            runtime: tokio::runtime::Builder::new_current_thread().build().map_err(thread)?,
        };
        upkeep.start(woken);
        let traces = sequence::Sequence::new("trace_ids", opened.trace_ids, writer.clone(), Arc::clone(&syncer));
        let deliveries = sequence::Sequence::new("deliveries", opened.deliveries, writer.clone(), Arc::clone(&syncer));
        let revisions = sequence::Sequence::new("revisions", opened.revisions, writer.clone(), Arc::clone(&syncer));
        let state = state::SqliteState {
            writer: writer.clone(),
            reader: reader.clone(),
            clock: Arc::clone(&config.clock),
            revisions,
            special: Arc::new(opened.special),
        };
        let changes = sequence::Sequence::new("changes", opened.changes, writer.clone(), Arc::clone(&syncer));
        let streams = streams::SqliteStreams {
            writer: writer.clone(),
            reader: reader.clone(),
            special: Arc::clone(&state.special),
            clock: Arc::clone(&config.clock),
            offsets: changes,
            observers: streams::Observers::default(),
            epoch: opened.epoch,
            stamped_until: opened.stamped_until,
        };
        let clock = steady::SteadyClock::new(config.clock, opened.queue_time);
        let queue = queue::Queue::new(writer.clone(), reader.clone(), deliveries, clock, opened.paused);
        let trace_ids = TraceIds::new(opened.trace_key);
        let inner =
            Inner { writer, reader, syncer, queue, state, streams, trace_ids, traces, retention, _owner: opened.owner };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// `ctx.state`.
    pub fn state(&self) -> Arc<dyn State> {
        Arc::new(self.inner.state.clone())
    }

    /// `ctx.streams`.
    pub fn streams(&self) -> Arc<dyn Streams> {
        Arc::new(self.inner.streams.clone())
    }

    /// Events.
    pub fn queue(&self) -> Arc<dyn EventQueue> {
        Arc::new(self.inner.queue.clone())
    }

    /// Cron ticks.
    pub fn cron(&self) -> Arc<dyn CronLock> {
        Arc::new(cron::SqliteCron { writer: self.inner.writer.clone(), reader: self.inner.reader.clone() })
    }

    /// Commits and syncs.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.inner.syncer) as Arc<dyn Journal>
    }

    /// Changes whether boundaries of P1 wait for the disk.
    pub fn set_durability(&self, durability: Durability) {
        self.inner.syncer.set_durability(durability);
    }

    /// Changes how long what is finished is kept.
    pub fn set_retention(&self, retention: Retention) {
        *self.inner.retention.lock() = retention;
    }

    /// Waits until the disk fails for good, and says how: what is on it is unknown then, and the engine must stop.
    pub async fn failed(&self) -> String {
        self.inner.syncer.failed().await
    }

    /// Trace ids.
    pub fn traces(&self) -> Arc<dyn Traces> {
        Arc::new(self.clone())
    }

    /// Commits and syncs what was handed in, and stops the threads. Later writes are refused. Another program that holds the file is waited
    /// for no longer than `patience`.
    pub async fn close(&self, patience: Duration) -> Result<(), motia_ports::Error> {
        let last = self.inner.writer.last();
        let mut decided = self.inner.writer.decided();
        match tokio::time::timeout(patience, decided.wait_for(|decided| *decided >= last.0)).await {
            Ok(decided) => drop(decided.map_err(|_| motia_ports::Error::Closed)?),
            Err(_) => return Err(motia_ports::Error::Failed("another program holds motia.db".into())),
        }
        self.inner.syncer.sync(last).await?;
        // What was acknowledged is safe by now; tidying up is not worth waiting for long.
        let _ = tokio::time::timeout(patience.min(TIDY_UP), self.inner.writer.stop()).await;
        Ok(())
    }
}

impl Traces for Store {
    fn next(&self) -> TraceId {
        self.inner.trace_ids.nth(self.inner.traces.next())
    }

    fn parent(&self, trace: TraceId) -> TraceParent {
        TraceParent::start(trace, &self.inner.trace_ids)
    }
}

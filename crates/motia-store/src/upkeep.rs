//! What is done beside the work: checkpoints, so that the WAL stays small; the removal of what is kept no longer; giving free pages back.
//!
//! One thread. What it removes goes through the writer, a little at a time, so that nothing waits for long.

mod retention;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use motia_core::Clock;
use motia_core::project::Retention;
use motia_core::record::Level;
use motia_ports::Error;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::runtime::Runtime;

use crate::Reporter;
use crate::writer::Writer;

/// A larger WAL is started over from its beginning: overwriting is faster than appending, and the file stops growing.
const WAL_TARGET_PAGES: i64 = (64 << 20) / 4096;
/// How long commits collect before a checkpoint.
const COLLECT: Duration = Duration::from_millis(250);
/// How often what is kept no longer is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Free pages that are worth giving back, and how many at a time.
const FREE_PAGES: i64 = 1024;
const GIVE_BACK: u32 = 256;

pub(crate) struct Upkeep {
    pub(crate) connection: Connection,
    pub(crate) writer: Writer,
    pub(crate) retention: Arc<Mutex<Retention>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) report: Reporter,
    /// Waits for writes.
    pub(crate) runtime: Runtime,
}

impl Upkeep {
    /// Starts the thread. It ends with the writer, whose commits `woken` tells of.
    pub(crate) fn start(self, woken: Receiver<()>) {
        // Not the thread's own beginning, which may be late on a busy machine.
        let begun = self.clock.elapsed();
        thread::Builder::new()
            .name("store-upkeep".into())
            .spawn(move || self.run(&woken, begun))
            .expect("the system can start a thread");
    }

    fn run(self, woken: &Receiver<()>, begun: Duration) {
        let (mut checkpoints, mut tidying) = (Trouble::default(), Trouble::default());
        let mut tidied = begun;
        loop {
            match woken.recv_timeout(TIDY_EVERY) {
                Ok(()) => {
                    thread::sleep(COLLECT);
                    let outcome = self.checkpoint();
                    checkpoints.said(&self.report, "a checkpoint of motia.db failed, its WAL file will grow", outcome);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.clock.elapsed().saturating_sub(tidied) >= TIDY_EVERY {
                let outcome = self.tidy();
                tidying.said(&self.report, "what is kept no longer could not be removed from motia.db", outcome);
                tidied = self.clock.elapsed();
            }
        }
    }

    fn checkpoint(&self) -> Result<(), Error> {
        let run = |mode: &str| -> Result<i64, rusqlite::Error> {
            self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
        };
        let outcome =
            run("PASSIVE").and_then(|pages| if pages > WAL_TARGET_PAGES { run("RESTART") } else { Ok(pages) });
        match outcome {
            // A reader or a writer is in the way: the next round may be luckier.
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(()),
            outcome => outcome.map(|_| ()).map_err(|error| crate::writer::failed(&error)),
        }
    }

    fn tidy(&self) -> Result<(), Error> {
        let retention = *self.retention.lock();
        retention::run(self, &retention)?;
        self.give_back()
    }

    /// Waits for a write: this thread has nothing else to do.
    fn wait<T>(&self, write: motia_ports::Write<T>) -> Result<T, Error> {
        self.runtime.block_on(write.done)
    }

    /// Gives free pages back to the file system.
    fn give_back(&self) -> Result<(), Error> {
        let free = || self.connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
        while free().map_err(|error| crate::writer::failed(&error))? > FREE_PAGES {
            let give = self.writer.submit(|connection| {
                // It answers with a row for each page.
                let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({GIVE_BACK})"))?;
                let mut rows = statement.query([])?;
                while rows.next()?.is_some() {}
                Ok(())
            });
            self.wait(give)?;
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Says what goes wrong once, and again after it went well.
#[derive(Default)]
struct Trouble {
    known: bool,
}

impl Trouble {
    fn said(&mut self, report: &Reporter, what: &str, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => self.known = false,
            // The store is closing.
            Err(Error::Closed) => {}
            Err(error) if !self.known => {
                self.known = true;
                report(Level::Error, format!("{what}: {error}"));
            }
            Err(_) => {}
        }
    }
}

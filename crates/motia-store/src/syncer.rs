//! Surviving a power cut: one fdatasync of the WAL covers every commit before it. And checkpoints, away from the writer.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use motia_core::project::Durability;
use motia_core::record::Level;
use motia_ports::{Error, Journal, Mark, Pending};
use rusqlite::Connection;
use tokio::sync::watch;

use crate::writer::Writer;
use crate::{Config, Reporter};

/// A larger WAL is started over from its beginning: overwriting is faster than appending, and the file stops growing.
const WAL_TARGET_PAGES: i64 = (64 << 20) / 4096;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// How far the disk is, or why it will get no further.
type Progress = Result<u64, String>;

/// A handle on the syncing thread.
pub(crate) struct Syncer {
    wake: mpsc::SyncSender<()>,
    /// Whether boundaries wait for the disk at all.
    durable: AtomicBool,
    decided: watch::Receiver<u64>,
    synced: watch::Receiver<Progress>,
}

impl Syncer {
    pub(crate) fn start(wal: File, checkpointer: Connection, writer: &Writer, config: &Config) -> Self {
        let (synced, watch) = watch::channel(Ok(0));
        let decided = writer.decided();
        let source = decided.clone();
        let report = config.report.clone();
        // Stops by itself when the writer is gone.
        let life = decided.clone();
        thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || checkpoint(&checkpointer, &life, &report))
            .expect("the system can start a thread");
        // One place is enough: whoever finds it taken is covered by the sync that will start after them.
        let (wake, woken) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("store-sync".into())
            .spawn(move || run(&wal, &woken, &source, &synced))
            .expect("the system can start a thread");
        let durable = AtomicBool::new(config.durability == Durability::Fsync);
        Self { wake, durable, decided, synced: watch }
    }

    /// Changes whether boundaries wait for the disk.
    pub(crate) fn set_durability(&self, durability: Durability) {
        self.durable.store(durability == Durability::Fsync, Ordering::Relaxed);
    }

    /// Waits for a sync that failed.
    pub(crate) async fn failed(&self) -> String {
        let mut synced = self.synced.clone();
        match synced.wait_for(Result::is_err).await.map(|progress| progress.clone()) {
            Ok(Err(reason)) => reason,
            // The thread ended with the store.
            _ => std::future::pending().await,
        }
    }

    /// Starts a sync for whatever is committed now, without waiting for it.
    pub(crate) fn nudge(&self) {
        // A full channel means that one is about to start anyway.
        let _ = self.wake.try_send(());
    }
}

fn run(wal: &File, woken: &mpsc::Receiver<()>, decided: &watch::Receiver<u64>, synced: &watch::Sender<Progress>) {
    while woken.recv().is_ok() {
        let upto = *decided.borrow();
        match wal.sync_data() {
            Ok(()) => {
                let _ = synced.send_replace(Ok(upto));
            }
            Err(error) => {
                // What is on disk now is unknown, and asking again could answer wrongly that all is well.
                let _ = synced.send_replace(Err(format!("fdatasync of motia.db-wal failed: {error}")));
                return;
            }
        }
    }
}

impl Journal for Syncer {
    fn sync(&self, mark: Mark) -> Pending<()> {
        if !self.durable.load(Ordering::Relaxed) {
            return Box::pin(async { Ok(()) });
        }
        if let Ok(done) = &*self.synced.borrow()
            && *done >= mark.0
        {
            return Box::pin(async { Ok(()) });
        }
        let wake = self.wake.clone();
        let (mut synced, mut decided) = (self.synced.clone(), self.decided.clone());
        Box::pin(async move {
            decided.wait_for(|done| *done >= mark.0).await.map_err(|_| Error::Closed)?;
            // A full channel means that a sync is about to start. If the commit of `mark` came after the one that is running
            // had looked, the loop asks again.
            loop {
                let _ = wake.try_send(());
                synced.mark_unchanged();
                match &*synced.borrow() {
                    Ok(done) if *done >= mark.0 => return Ok(()),
                    Ok(_) => {}
                    Err(reason) => return Err(Error::Failed(reason.clone())),
                }
                synced.changed().await.map_err(|_| Error::Closed)?;
            }
        })
    }
}

fn checkpoint(connection: &Connection, writer: &watch::Receiver<u64>, report: &Reporter) {
    let mut failing = false;
    loop {
        thread::sleep(CHECKPOINT_EVERY);
        if writer.has_changed().is_err() {
            return;
        }
        let outcome = run_checkpoint(connection, "PASSIVE")
            .and_then(|pages| if pages > WAL_TARGET_PAGES { run_checkpoint(connection, "RESTART") } else { Ok(pages) });
        match outcome {
            Ok(_) => failing = false,
            // A reader or a writer is in the way: the next round may be luckier.
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {}
            Err(error) if !failing => {
                failing = true;
                report(Level::Error, format!("a checkpoint of motia.db failed, its WAL file will grow: {error}"));
            }
            Err(_) => {}
        }
    }
}

/// Runs a checkpoint; answers with the pages in the WAL.
fn run_checkpoint(connection: &Connection, mode: &str) -> Result<i64, rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}

//! Surviving a power cut: one fdatasync of the WAL covers every commit before it.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use motia_core::project::Durability;
use motia_ports::{Error, Journal, Mark, Pending};
use tokio::sync::watch;

use crate::writer::Writer;

/// How far the disk is, or why it will get no further.
type Progress = Result<u64, String>;

/// A handle on the syncing thread.
pub(crate) struct Syncer {
    wake: mpsc::SyncSender<()>,
    /// Whether boundaries wait for the disk at all.
    durable: AtomicBool,
    decided: watch::Receiver<u64>,
    synced: watch::Receiver<Progress>,
    damaged: Arc<AtomicBool>,
}

impl Syncer {
    pub(crate) fn start(wal: File, writer: &Writer, durability: Durability) -> Self {
        let (synced, watch) = watch::channel(Ok(0));
        let decided = writer.decided();
        let source = decided.clone();
        // One place is enough: whoever finds it taken is covered by the sync that will start after them.
        let (wake, woken) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("store-sync".into())
            .spawn(move || run(&wal, &woken, &source, &synced))
            .expect("the system can start a thread");
        let durable = AtomicBool::new(durability == Durability::Fsync);
        Self { wake, durable, decided, synced: watch, damaged: writer.damaged() }
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
    fn damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    fn boundary(&self, mark: Mark) -> Pending<()> {
        if self.durable.load(Ordering::Relaxed) { self.sync(mark) } else { Box::pin(async { Ok(()) }) }
    }

    fn sync(&self, mark: Mark) -> Pending<()> {
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

//! The one thread that writes. Whatever was handed in while a commit ran goes into the next one together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use motia_core::record::Level;
use motia_ports::{Error, Mark, Write};
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{oneshot, watch};

use crate::Reporter;

/// Most operations in one transaction: bounds how long the first of them waits.
const BATCH: usize = 1024;

/// Tells an operation's waiter how the commit went. After a commit it may read what is there now.
type Finish = Box<dyn FnOnce(&Connection, Result<(), Error>) + Send>;
/// Runs an operation inside the open transaction; without one, the operation is given up and only its waiter is to be told.
type Act = Box<dyn FnOnce(Option<&Connection>) -> Finish + Send>;

struct Job {
    mark: u64,
    act: Act,
}

/// A handle on the writer thread.
#[derive(Clone)]
pub(crate) struct Writer {
    inbox: Arc<Mutex<Inbox>>,
    decided: watch::Receiver<u64>,
    damaged: Arc<AtomicBool>,
}

struct Inbox {
    /// The mark of the last job handed in. Under the same lock as the channel, so marks grow along the channel.
    last: u64,
    jobs: Option<mpsc::Sender<Job>>,
}

impl Writer {
    /// `committed` is told, if it listens, that there was a commit.
    pub(crate) fn start(connection: Connection, report: Reporter, committed: mpsc::SyncSender<()>) -> Self {
        let (jobs, inbox) = mpsc::channel();
        let (decided, watch) = watch::channel(0);
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&connection, &inbox, &decided, &report, &committed))
            .expect("the system can start a thread");
        let inbox = Arc::new(Mutex::new(Inbox { last: 0, jobs: Some(jobs) }));
        Self { inbox, decided: watch, damaged: Arc::default() }
    }

    /// Set once SQLite has found damage where something was to be written.
    pub(crate) fn damaged(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.damaged)
    }

    /// The mark up to which it is known of every write whether it is committed or has failed.
    pub(crate) fn decided(&self) -> watch::Receiver<u64> {
        self.decided.clone()
    }

    /// The mark of what was handed in last.
    pub(crate) fn last(&self) -> Mark {
        Mark(self.inbox.lock().last)
    }

    /// No further jobs; those handed in are still committed. Returns once the thread has ended.
    pub(crate) async fn stop(&self) {
        self.inbox.lock().jobs = None;
        let mut decided = self.decided.clone();
        while decided.changed().await.is_ok() {}
    }

    /// Hands in an operation of a single statement: if it fails, it alone is undone.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Write<T> {
        self.submit_then(act, |_, _| {})
    }

    /// Hands in an operation of several statements: all of them, or none.
    pub(crate) fn submit_atomic<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
        then: impl FnOnce(&Connection, &T) + Send + 'static,
    ) -> Write<T> {
        self.submit_then(move |connection| in_savepoint(connection, act), then)
    }

    /// Hands in an operation. `then` runs on the writer thread once it is committed, before its waiter is told, in the order of
    /// the operations: what is kept in memory about the store changes there, and may be read from it.
    pub(crate) fn submit_then<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
        then: impl FnOnce(&Connection, &T) + Send + 'static,
    ) -> Write<T> {
        let (tell, told) = oneshot::channel();
        let damaged = Arc::clone(&self.damaged);
        let act: Act = Box::new(move |connection| {
            let noticed = |error: rusqlite::Error| {
                if is_damage(&error) {
                    damaged.store(true, Ordering::Relaxed);
                }
                failed(&error)
            };
            let outcome = connection.map_or(Err(Error::Closed), |connection| act(connection).map_err(noticed));
            Box::new(move |connection, commit| {
                let outcome = commit.and(outcome);
                if let Ok(value) = &outcome {
                    then(connection, value);
                }
                // Nobody may be waiting any more.
                let _ = tell.send(outcome);
            })
        });
        let mark = {
            let mut inbox = self.inbox.lock();
            inbox.last += 1;
            let mark = inbox.last;
            // A refused job drops `tell`, which its waiter sees as `Closed`.
            if let Some(jobs) = &inbox.jobs {
                let _ = jobs.send(Job { mark, act });
            }
            Mark(mark)
        };
        Write { mark, done: Box::pin(async move { told.await.unwrap_or(Err(Error::Closed)) }) }
    }
}

fn run(
    connection: &Connection,
    inbox: &mpsc::Receiver<Job>,
    decided: &watch::Sender<u64>,
    report: &Reporter,
    committed: &mpsc::SyncSender<()>,
) {
    let mut batch = VecDeque::with_capacity(BATCH);
    while let Ok(first) = inbox.recv() {
        batch.push_back(first);
        while batch.len() < BATCH
            && let Ok(job) = inbox.try_recv()
        {
            batch.push_back(job);
        }
        let last = batch.back().map_or(0, |job| job.mark);
        // Decided either way: whoever waits for a mark that failed would wait for ever.
        let decided = || {
            decided.send_replace(last);
        };
        commit(connection, &mut batch, decided, report);
        // Whoever has not taken the last one knows that there was something.
        let _ = committed.try_send(());
    }
    // The end of an orderly stop: one file is left, as whole as it says it is. What is in the way (a reader, the disk) leaves the WAL.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

fn commit(connection: &Connection, batch: &mut VecDeque<Job>, decided: impl FnOnce(), report: &Reporter) {
    let mut finishes: Vec<Finish> = Vec::with_capacity(batch.len());
    let outcome = begin(connection, report).and_then(|()| {
        while let Some(job) = batch.pop_front() {
            finishes.push((job.act)(Some(connection)));
            // A full disk or a failed read makes SQLite roll the whole transaction back by itself.
            if connection.is_autocommit() {
                return Err(Error::Failed("the transaction was rolled back; is the disk full?".into()));
            }
        }
        execute(connection, "COMMIT").map(|_| ()).map_err(|error| failed(&error))
    });
    if let Err(error) = &outcome {
        if !connection.is_autocommit() {
            // If even this fails there is nothing left to undo.
            let _ = connection.execute_batch("ROLLBACK");
        }
        report(Level::Error, format!("a commit of {} writes failed: {error}", finishes.len() + batch.len()));
    }
    decided();
    // Operations that were not reached get the same error.
    finishes.extend(batch.drain(..).map(|job| (job.act)(None)));
    // Many small reads in one transaction cost a fraction of as many transactions. Without it they work all the same.
    let _ = execute(connection, "BEGIN");
    for finish in finishes {
        finish(connection, outcome.clone());
    }
    if !connection.is_autocommit() {
        let _ = execute(connection, "COMMIT");
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([])
}

/// Takes the write lock. Someone else's transaction (the sqlite3 shell) makes us wait, and say so.
fn begin(connection: &Connection, report: &Reporter) -> Result<(), Error> {
    loop {
        match execute(connection, "BEGIN IMMEDIATE") {
            Ok(_) => return Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => report(
                Level::Warn,
                "another program is writing to motia.db (a sqlite3 shell with an open transaction?): waiting for it"
                    .into(),
            ),
            Err(error) => return Err(failed(&error)),
        }
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    act: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    execute(connection, "SAVEPOINT operation")?;
    let outcome = act(connection);
    if outcome.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK TO operation")?;
    }
    if !connection.is_autocommit() {
        execute(connection, "RELEASE operation")?;
    }
    outcome
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// SQLite's error in the words of the ports.
pub(crate) fn failed(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Failed("the disk is full".into()),
        Some(ErrorCode::OperationInterrupted) => {
            Error::Failed("reading took longer than 5 s and was given up: read less at a time".into())
        }
        _ if is_damage(error) => Error::Failed(format!(
            "motia.db is damaged ({error}): stop the engine and restore a backup; what can be read of it, sqlite3's .recover saves"
        )),
        Some(ErrorCode::TooBig) => Error::TooLarge { what: "a value", bytes: 0, limit: 1_000_000_000 },
        _ => Error::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk makes SQLite roll back by itself.
    #[tokio::test]
    async fn a_commit_that_fails_is_said_and_decided_and_the_next_one_works() {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch("CREATE TABLE t (n INTEGER)").expect("a table");
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let (committed, _told) = mpsc::sync_channel(1);
        let writer = Writer::start(connection, Arc::new(move |_, text| heard.lock().push(text)), committed);
        let insert = |connection: &Connection| connection.execute("INSERT INTO t VALUES (1)", []);

        let failed = writer.submit(move |connection| {
            insert(connection)?;
            connection.execute_batch("ROLLBACK")
        });
        let error = failed.done.await.expect_err("not committed").to_string();
        assert!(error.contains("is the disk full?"), "{error}");
        let mut decided = writer.decided();
        let waited = tokio::time::timeout(std::time::Duration::from_secs(5), async {
            decided.wait_for(|mark| *mark >= failed.mark.0).await.is_ok()
        });
        assert_eq!(waited.await, Ok(true), "whoever waits for it is not left waiting");
        assert_eq!(said.lock().len(), 1);

        assert_eq!(writer.submit(insert).done.await.expect("committed"), 1);
        let count =
            writer.submit(|connection| connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, u32>(0)));
        assert_eq!(count.done.await.expect("committed"), 1, "nothing of the one that failed is left");
    }
}

//! A few threads that read. A read may ask to see a write that is not committed yet: it waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use motia_core::Clock;
use motia_ports::{Error, Mark, Pending};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::writer::failed;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// How long a read may take: while one runs, the WAL cannot start over, and grows with every write.
const LONGEST: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the clock: well below a millisecond.
const STEPS: i32 = 10_000;

/// Makes the connection give up what it reads once the time is past that the answer holds, in milliseconds.
fn end_in_time(connection: &mut Connection, clock: &Arc<dyn Clock>) -> Result<Arc<AtomicU64>, rusqlite::Error> {
    let until = Arc::new(AtomicU64::new(u64::MAX));
    let (end, clock) = (Arc::clone(&until), Arc::clone(clock));
    let late = move || clock.elapsed().as_millis() > u128::from(end.load(Ordering::Relaxed));
    connection.progress_handler(STEPS, Some(late))?;
    Ok(until)
}

/// A handle on the reading threads.
#[derive(Clone)]
pub(crate) struct Reader {
    jobs: mpsc::Sender<Job>,
    decided: watch::Receiver<u64>,
}

impl Reader {
    pub(crate) fn start(
        connections: Vec<Connection>,
        decided: watch::Receiver<u64>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, rusqlite::Error> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        for mut connection in connections {
            let (inbox, clock) = (Arc::clone(&inbox), Arc::clone(clock));
            let until = end_in_time(&mut connection, &clock)?;
            thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || {
                    loop {
                        // One thread waits in `recv` with the lock, the others wait for the lock.
                        let job = inbox.lock().recv();
                        match job {
                            Ok(job) => {
                                let end = (clock.elapsed() + LONGEST).as_millis();
                                until.store(u64::try_from(end).unwrap_or(u64::MAX), Ordering::Relaxed);
                                job(&connection);
                            }
                            Err(_) => return,
                        }
                    }
                })
                .expect("the system can start a thread");
        }
        Ok(Self { jobs, decided })
    }

    /// Reads once everything up to `after` is committed.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        after: Mark,
        act: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Pending<T> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody may be waiting any more.
            let _ = tell.send(act(connection).map_err(|error| failed(&error)));
        });
        let waiting = if *self.decided.borrow() >= after.0 {
            // Handed in now, not when the future is polled: order of calls is order of effects.
            let _ = self.jobs.send(job);
            None
        } else {
            Some((self.jobs.clone(), self.decided.clone(), job))
        };
        Box::pin(async move {
            if let Some((jobs, mut decided, job)) = waiting {
                decided.wait_for(|mark| *mark >= after.0).await.map_err(|_| Error::Closed)?;
                let _ = jobs.send(job);
            }
            told.await.unwrap_or(Err(Error::Closed))
        })
    }
}

#[cfg(test)]
mod tests {
    use motia_core::Timestamp;

    use super::*;

    /// A clock on which every look takes a second.
    struct Hurried(AtomicU64);

    impl Clock for Hurried {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn a_read_without_an_end_is_ended_and_the_next_one_works() {
        let connection = Connection::open_in_memory().expect("a database");
        let (_decided, watch) = tokio::sync::watch::channel(0);
        let clock: Arc<dyn Clock> = Arc::new(Hurried(AtomicU64::new(0)));
        let reader = Reader::start(vec![connection], watch, &clock).expect("started");
        let read = |sql: &'static str| {
            reader.read(Mark::NONE, move |connection| connection.query_row(sql, [], |row| row.get::<_, i64>(0)))
        };
        let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c";
        let error = read(endless).await.expect_err("given up").to_string();
        assert_eq!(error, "the store failed: reading took longer than 5 s and was given up: read less at a time");
        assert_eq!(read("SELECT 7").await.expect("read"), 7);
    }
}

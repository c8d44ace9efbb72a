//! A few threads that read. A read may ask to see a write that is not committed yet: it waits for it.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use motia_ports::{Error, Mark, Pending};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::writer::failed;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A handle on the reading threads.
#[derive(Clone)]
pub(crate) struct Reader {
    jobs: mpsc::Sender<Job>,
    decided: watch::Receiver<u64>,
}

impl Reader {
    pub(crate) fn start(connections: Vec<Connection>, decided: watch::Receiver<u64>) -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        for connection in connections {
            let inbox = Arc::clone(&inbox);
            thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || {
                    loop {
                        // One thread waits in `recv` with the lock, the others wait for the lock.
                        let job = inbox.lock().recv();
                        match job {
                            Ok(job) => job(&connection),
                            Err(_) => return,
                        }
                    }
                })
                .expect("the system can start a thread");
        }
        Self { jobs, decided }
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

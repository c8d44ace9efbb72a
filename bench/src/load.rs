//! The load: connections that each ask, wait for the answer, and ask again.
//!
//! It shares the machine with what it measures, so it is cheap: the bytes of the request are made once, an answer is read only
//! up to its end, one thread does it all. One connection is a blocking socket, more are tasks on a runtime of one thread.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use motia_core::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::answer;
use crate::histogram::Histogram;

/// How long an answer may take before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer of any scenario fits in.
const BUFFER: usize = 16 * 1024;

/// What is sent where, and for how long.
pub(crate) struct Load {
    pub(crate) target: SocketAddr,
    /// The bytes that each connection sends; as many connections as there are.
    pub(crate) requests: Vec<Arc<[u8]>>,
    /// The status of a good answer.
    pub(crate) status: u16,
    /// Asked but not counted at the beginning: connections, caches and the scheduler settle.
    pub(crate) lead_in: Duration,
    pub(crate) length: Duration,
    /// How long a connection waits after an answer.
    pub(crate) pause: Duration,
    /// After so many questions of all connections it ends, if not before.
    pub(crate) most: u64,
    /// Ends it before its time.
    pub(crate) stop: Arc<AtomicBool>,
}

/// What came of it. What went wrong counts over all of it, the lead-in too.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) latencies: Histogram,
    /// Answers with another status than the good one.
    pub(crate) refused: u64,
    /// Connections that broke, closed or stayed silent.
    pub(crate) broken: u64,
    /// All answers, the lead-in's too: what the CPU time of the round was spent on.
    pub(crate) answers: u64,
}

/// What all connections write to.
struct Tally {
    outcome: Outcome,
    begin: Duration,
    end: Duration,
    /// Questions that may still be asked.
    left: u64,
    stop: Arc<AtomicBool>,
}

impl Tally {
    /// Whether there is another question to ask.
    fn ask(&mut self) -> bool {
        let asks = self.left > 0;
        self.left = self.left.saturating_sub(1);
        asks
    }

    /// Counts an answer; whether to go on.
    fn count(&mut self, good: bool, asked: Duration, answered: Duration) -> bool {
        self.outcome.answers += 1;
        if !good {
            self.outcome.refused += 1;
        } else if answered > self.begin && answered <= self.end {
            self.outcome.latencies.record(answered - asked);
        }
        answered < self.end && !self.stop.load(Ordering::Relaxed)
    }
}

impl Load {
    /// A load that only its length ends.
    pub(crate) fn new(target: SocketAddr, requests: Vec<Arc<[u8]>>, status: u16, length: Duration) -> Self {
        let (lead_in, pause) = (Duration::ZERO, Duration::ZERO);
        Self { target, requests, status, lead_in, length, pause, most: u64::MAX, stop: Arc::default() }
    }

    /// Runs it. An error is one of the bench, or a server that cannot even be reached.
    pub(crate) fn run(&self, clock: &Arc<dyn Clock>) -> Result<Outcome> {
        let connect = || -> Result<TcpStream> {
            let stream =
                TcpStream::connect(self.target).with_context(|| format!("cannot connect to {}", self.target))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let streams = self.requests.iter().map(|_| connect()).collect::<Result<Vec<_>>>()?;
        let begin = clock.elapsed() + self.lead_in;
        let outcome = Outcome { latencies: Histogram::new(), refused: 0, broken: 0, answers: 0 };
        let (end, stop) = (begin + self.length, Arc::clone(&self.stop));
        let tally = Tally { outcome, begin, end, left: self.most, stop };
        match <[TcpStream; 1]>::try_from(streams) {
            Ok([stream]) => Ok(self.one(clock.as_ref(), stream, tally)),
            Err(streams) => self.many(clock, streams, tally),
        }
    }

    fn one(&self, clock: &dyn Clock, stream: TcpStream, mut tally: Tally) -> Outcome {
        let outcome = self.blocking(clock, stream, &mut tally);
        tally.outcome.broken += broken(outcome);
        tally.outcome
    }

    fn blocking(&self, clock: &dyn Clock, mut stream: TcpStream, tally: &mut Tally) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut buffer = vec![0; BUFFER];
        while tally.ask() {
            let asked = clock.elapsed();
            stream.write_all(&self.requests[0])?;
            let mut filled = 0;
            let closes = loop {
                filled += some(stream.read(&mut buffer[filled..])?)?;
                if let Some((status, closes)) = whole(&buffer[..filled])? {
                    if !tally.count(status == self.status, asked, clock.elapsed()) {
                        return Ok(());
                    }
                    break closes;
                }
            };
            if closes {
                bail!("the server closes the connection");
            }
            if !self.pause.is_zero() {
                thread::sleep(self.pause);
            }
        }
        Ok(())
    }

    fn many(&self, clock: &Arc<dyn Clock>, streams: Vec<TcpStream>, tally: Tally) -> Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tally = Arc::new(Mutex::new(tally));
        let count = streams.len() as u64;
        let (ended, went_wrong) = runtime.block_on(async {
            let mut connections = JoinSet::new();
            for (stream, request) in streams.into_iter().zip(&self.requests) {
                stream.set_nonblocking(true)?;
                let connection = Connection {
                    stream: tokio::net::TcpStream::from_std(stream)?,
                    request: Arc::clone(request),
                    good: self.status,
                    pause: self.pause,
                    tally: Arc::clone(&tally),
                    clock: Arc::clone(clock),
                };
                connections.spawn(connection.run());
            }
            let (mut ended, mut went_wrong) = (0, 0);
            let all = async {
                while let Some(outcome) = connections.join_next().await {
                    ended += 1;
                    went_wrong += outcome.map_or(1, broken);
                }
            };
            // Whoever is still waiting then counts below.
            let _ = tokio::time::timeout(self.lead_in + self.length + PATIENCE, all).await;
            anyhow::Ok((ended, went_wrong))
        })?;
        drop(runtime);
        let Some(tally) = Arc::into_inner(tally) else { bail!("a connection outlived its load") };
        let mut outcome = tally.into_inner().unwrap_or_else(PoisonError::into_inner).outcome;
        outcome.broken += went_wrong + (count - ended);
        Ok(outcome)
    }
}

/// One of many.
struct Connection {
    stream: tokio::net::TcpStream,
    request: Arc<[u8]>,
    good: u16,
    pause: Duration,
    tally: Arc<Mutex<Tally>>,
    clock: Arc<dyn Clock>,
}

impl Connection {
    async fn run(mut self) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        while self.tally().ask() {
            let asked = self.clock.elapsed();
            self.stream.write_all(&self.request).await?;
            let mut filled = 0;
            let closes = loop {
                filled += some(self.stream.read(&mut buffer[filled..]).await?)?;
                if let Some((status, closes)) = whole(&buffer[..filled])? {
                    if !self.tally().count(status == self.good, asked, self.clock.elapsed()) {
                        return Ok(());
                    }
                    break closes;
                }
            };
            if closes {
                bail!("the server closes the connection");
            }
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
        }
        Ok(())
    }

    /// All connections share one thread: nobody else ever holds it.
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status of the answer and whether the server closes after it, once it is whole.
fn whole(bytes: &[u8]) -> Result<Option<(u16, bool)>> {
    match answer::parse(bytes)? {
        Some(answer) if answer.length < bytes.len() => bail!("more than one answer to one request"),
        Some(answer) => Ok(Some((answer.status, answer.closes))),
        None if bytes.len() == BUFFER => bail!("an answer of more than {BUFFER} bytes"),
        None => Ok(None),
    }
}

/// Zero bytes are the end of the connection.
fn some(read: usize) -> Result<usize> {
    if read == 0 {
        bail!("the server closed the connection");
    }
    Ok(read)
}

/// Says why a connection did not live to the end, and counts it.
fn broken(outcome: Result<()>) -> u64 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("motia-bench: a connection broke: {error:#}");
            1
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

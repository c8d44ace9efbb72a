//! Importing a project's files into a fresh worker, whatever they do: throw, exit, hang (design.md section 5, Extraction).
//!
//! One process imports all files in turn. If it dies at a file, that file is marked and a fresh process starts over without it.
//! If a file takes long, a second process imports all the others and serves meanwhile; the first takes over once it has everything.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use motia_core::SourcePath;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::connection::{End, LoadEvent};
use crate::host::Host;
use crate::message::{HandlerError, LoadFile, LoadKind};
use crate::pool::{Loaded, PoolInner};
use crate::worker::Worker;

/// A file that takes longer holds up nobody else.
const SLOW: Duration = Duration::from_secs(2);

/// A pause before a process that did not start is started again.
const LAUNCH_PAUSE: Duration = Duration::from_secs(1);

/// A file to import.
#[derive(Clone, Debug)]
pub struct PlannedFile {
    /// Its name.
    pub source: SourcePath,
    /// What it is.
    pub kind: LoadKind,
    /// The module to import: an absolute path.
    pub module: PathBuf,
    /// The module that was imported last time, to keep when this one fails.
    pub last_good: Option<PathBuf>,
    /// Its import took long, or ended the process, the last time: nobody waits for it again.
    pub troubled: bool,
}

/// What a worker is to have.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The project's root.
    pub root: PathBuf,
    /// The files, in the order in which they are imported.
    pub files: Vec<PlannedFile>,
}

impl Plan {
    /// What a replacement needs: the files that were imported, as they were. Those that failed would fail again, or hang.
    pub(crate) fn that_imported(&self, report: &LoadReport) -> Self {
        let files = self.files.iter().filter_map(|file| {
            let module = report.imported.get(&file.source)?.module.clone();
            Some(PlannedFile { module, last_good: None, troubled: false, ..file.clone() })
        });
        Self { root: self.root.clone(), files: files.collect() }
    }
}

/// A file as it was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The module: the planned one, or the last good one.
    pub module: PathBuf,
    /// The exported config as JSON.
    pub config: Bytes,
    /// Whether there is a handler.
    pub handler: bool,
    /// What was odd about the config.
    pub warnings: Vec<String>,
}

/// Why a file was not imported.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// It threw, or exports no config.
    #[error("{0}")]
    Refused(HandlerError),
    /// The process ended while it was imported.
    #[error("the process ended while the file was imported: {0}. Does it end the process, or run out of memory?")]
    Died(String),
    /// It took too long.
    #[error("it was not imported within {} s: is something at its top level waiting for ever? (timeouts.import)", .0.as_secs_f32())]
    TimedOut(Duration),
    /// It is still being imported by another process, which takes over when it is done.
    #[error("it is still being imported after {} s; everything else runs meanwhile", .0.as_secs())]
    Slow(Duration),
    /// The same, from the start: see [`PlannedFile::troubled`].
    #[error("it held up everything the last time, so it is imported apart; everything else runs meanwhile")]
    Apart,
}

impl Failure {
    /// Whether another process is still at it.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::Apart)
    }

    /// Whether the next import is likely to hold everything up again.
    pub fn is_trouble(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// What came of a plan.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// The files that the worker has. A file that failed is here too if its last good version was kept.
    pub imported: HashMap<SourcePath, Imported>,
    /// What failed.
    pub failed: Vec<(SourcePath, Failure)>,
}

/// One attempt to load: a list that shrinks, and what is known of the files that left it.
pub(crate) struct Loading<H: Host> {
    pub(crate) pool: Arc<PoolInner<H>>,
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<PlannedFile>,
    pub(crate) failed: Vec<(SourcePath, Failure)>,
    /// Where workers go that are ready.
    pub(crate) done: mpsc::UnboundedSender<Loaded<H>>,
    /// Nobody wants it any more.
    pub(crate) cancel: CancellationToken,
    /// How often a process may fail to start before this gives up; `None`: never, since there is nobody else who serves.
    pub(crate) launches: Option<u32>,
}

/// How one process's round ended.
enum Round<H: Host> {
    Ready(Worker<H>, LoadReport),
    /// Start over without, or with the last good version of, this file.
    Failed(SourcePath, Failure),
}

impl<H: Host> Loading<H> {
    /// Loads in a task of its own.
    pub(crate) fn spawn(self) {
        let (tasks, cancel) = (self.pool.tasks.clone(), self.cancel.clone());
        tasks.spawn(cancel.run_until_cancelled_owned(self.run()));
    }

    /// Loads until a process has everything that can be imported. Boxed, since a slow file starts another of these.
    fn run(mut self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let worker = match self.pool.take_standby().await {
                    Ok(worker) => worker,
                    Err(error) => {
                        self.pool.report_launch_failure(&error);
                        if self.launches == Some(1) {
                            return;
                        }
                        self.launches = self.launches.map(|left| left - 1);
                        tokio::time::sleep(LAUNCH_PAUSE).await;
                        continue;
                    }
                };
                match self.round(worker).await {
                    Round::Ready(worker, report) => {
                        // Nobody may want it any more: a newer plan is under way.
                        let _ = self.done.send(Loaded { worker, report });
                        return;
                    }
                    Round::Failed(source, failure) => self.give_up(&source, failure),
                }
            }
        })
    }

    /// The next round does without the file, or with its last good version.
    fn give_up(&mut self, source: &SourcePath, failure: Failure) {
        self.failed.push((source.clone(), failure));
        self.files.retain_mut(|file| {
            if file.source != *source {
                return true;
            }
            match file.last_good.take() {
                Some(module) if module != file.module => {
                    file.module = module;
                    true
                }
                _ => false,
            }
        });
    }

    async fn round(&mut self, mut worker: Worker<H>) -> Round<H> {
        let mut report = LoadReport { imported: HashMap::new(), failed: self.failed.clone() };
        let mut asked = self.files.clone();
        let mut limit = (self.pool.config.import_timeout)(None);
        let (mut alternative, mut has_config) = (false, false);
        loop {
            worker.connection.load(&self.root, &asked.iter().map(load_file).collect::<Vec<_>>());
            let mut again = Vec::new();
            let mut current: Option<SourcePath> = None;
            let mut slow = Box::pin(tokio::time::sleep(SLOW));
            let mut late = Box::pin(tokio::time::sleep(limit));
            loop {
                let event = tokio::select! {
                    event = worker.loading.recv() => event,
                    () = &mut slow, if !alternative && current.is_some() => {
                        alternative = true;
                        self.start_alternative(current.clone());
                        continue;
                    }
                    () = &mut late => {
                        // A config that another language's worker imports may be known only now.
                        let longer = (self.pool.config.import_timeout)(None);
                        if longer > limit && !has_config {
                            late = Box::pin(tokio::time::sleep(longer - limit));
                            limit = longer;
                            continue;
                        }
                        let Some(source) = current else { return self.lost(worker, "it did not answer").await };
                        worker.kill("a file took too long to import");
                        return Round::Failed(source, Failure::TimedOut(limit));
                    }
                };
                match event {
                    Some(LoadEvent::Importing(source)) => {
                        let patience = if self.is_troubled(&source) { Duration::ZERO } else { SLOW };
                        current = Some(source);
                        slow = Box::pin(tokio::time::sleep(patience));
                        late = Box::pin(tokio::time::sleep(limit));
                    }
                    Some(LoadEvent::Imported { source, config, handler, warnings }) => {
                        current = None;
                        if let Some(file) = asked.iter().find(|file| file.source == source) {
                            if file.kind == LoadKind::Config {
                                has_config = true;
                                limit = (self.pool.config.import_timeout)(Some(&config));
                            }
                            let imported = Imported { module: file.module.clone(), config, handler, warnings };
                            report.imported.insert(source, imported);
                        }
                    }
                    Some(LoadEvent::Refused { source, error }) => {
                        current = None;
                        let file = asked.iter().find(|file| file.source == source);
                        if let Some(file) = file
                            && let Some(module) = file.last_good.clone().filter(|module| *module != file.module)
                        {
                            again.push(PlannedFile { module, last_good: None, ..file.clone() });
                        }
                        report.failed.push((source, Failure::Refused(error)));
                    }
                    Some(LoadEvent::Ready) => break,
                    Some(LoadEvent::Hello(_)) => {}
                    None => {
                        let reason = worker.death().await;
                        return match current {
                            Some(source) => Round::Failed(source, Failure::Died(reason)),
                            None => self.lost(worker, &reason).await,
                        };
                    }
                }
            }
            if again.is_empty() {
                return Round::Ready(worker, report);
            }
            asked = again;
        }
    }

    fn is_troubled(&self, source: &SourcePath) -> bool {
        self.files.iter().any(|file| file.source == *source && file.troubled)
    }

    /// Everything but the file that is slow, in another process.
    fn start_alternative(&self, slow: Option<SourcePath>) {
        let Some(slow) = slow else { return };
        let why = if self.is_troubled(&slow) { Failure::Apart } else { Failure::Slow(SLOW) };
        let mut other = Self {
            pool: Arc::clone(&self.pool),
            root: self.root.clone(),
            files: self.files.clone(),
            failed: self.failed.clone(),
            done: self.done.clone(),
            cancel: self.cancel.clone(),
            launches: self.launches,
        };
        other.give_up(&slow, why);
        other.spawn();
    }

    /// The process is of no use, and no file is to blame: a pause, so that a broken interpreter does not spin.
    async fn lost(&self, worker: Worker<H>, reason: &str) -> Round<H> {
        worker.kill("it is of no use");
        self.pool
            .report_launch_failure(&std::io::Error::other(format!("a worker ended before it was ready: {reason}")));
        tokio::time::sleep(Duration::from_secs(1)).await;
        Round::Failed(SourcePath::from(""), Failure::Died(reason.to_owned()))
    }
}

impl<H: Host> Worker<H> {
    /// How the process came to its end, as precisely as is known.
    async fn death(&self) -> String {
        match self.connection.ended().await {
            // A breach of the protocol says more than the process's status, and that more than that it ended.
            End::Worker(reason) if reason != End::PROCESS_ENDED => {
                self.kill("it broke the protocol");
                reason
            }
            End::Worker(_) => tokio::time::timeout(Duration::from_secs(2), self.process.ended())
                .await
                .unwrap_or_else(|_| "it closed its connection".into()),
            End::Engine(reason) => reason,
        }
    }
}

fn load_file(file: &PlannedFile) -> LoadFile {
    LoadFile { source: file.source.clone(), module: file.module.clone(), kind: file.kind }
}

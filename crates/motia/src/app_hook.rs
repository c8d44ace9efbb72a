//! The `app` hook of motia.config: a Node process of its own that runs the project's express application, supervised. What it
//! registers is asked before the steps (`motia_server::App`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use motia_core::record::Level;
use motia_engine::Telemetry;
use motia_server::{App, AppPath, Edge};
use motia_worker::process::{Process, Program, Spawner};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::console::Console;

/// How long the first start may hold up the port.
const START: Duration = Duration::from_secs(10);
/// How long the hook may take in all until its application listens.
const LONGEST_START: Duration = Duration::from_secs(60);
/// An application whose process says nothing for this long is blocked. It says that it is there twice a second.
const SILENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An application that lived shorter than this died young: the next start waits longer.
const YOUNG: Duration = Duration::from_secs(10);

/// What an application's process needs.
pub(crate) struct Config {
    pub(crate) spawner: Spawner,
    /// Sockets are named after this path, with numbers.
    pub(crate) socket: PathBuf,
    pub(crate) edge: Edge,
    pub(crate) console: Console,
    pub(crate) telemetry: Telemetry,
    /// How long one that is replaced may finish what it holds.
    pub(crate) patience: Duration,
}

/// The application of a project, if its config has one.
pub(crate) struct AppHook {
    config: Arc<Config>,
    tasks: TaskTracker,
    running: Option<Running>,
    started: u32,
}

struct Running {
    module: PathBuf,
    program: Program,
    stop: CancellationToken,
}

/// What the process says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Said {
    Ready { paths: Vec<AppPath>, middleware: Vec<String> },
    Missing(String),
    Failed(String),
}

impl AppHook {
    pub(crate) fn new(config: Config) -> Self {
        Self { config: Arc::new(config), tasks: TaskTracker::new(), running: None, started: 0 }
    }

    /// Runs the hook of a compiled config, or none: the module, and Node, started with `app.mjs` of the SDK. The one before goes on until
    /// the new one is ready. `wait`: until then.
    pub(crate) async fn serve(&mut self, hook: Option<(PathBuf, Program)>, wait: bool) {
        let Some((module, program)) = hook else {
            if let Some(running) = self.running.take() {
                self.config.edge.set_app(None);
                running.stop.cancel();
            }
            return;
        };
        if self.running.as_ref().is_some_and(|running| running.module == module && running.program == program) {
            return;
        }
        self.started += 1;
        let stop = CancellationToken::new();
        let running = Running { module: module.clone(), program: program.clone(), stop: stop.clone() };
        let before = self.running.replace(running);
        let (ready, started) = oneshot::channel();
        let supervisor = Supervisor { config: Arc::clone(&self.config), program, module, number: self.started, stop };
        self.tasks.spawn(supervisor.run(before.map(|before| before.stop), ready, self.tasks.clone()));
        if wait && tokio::time::timeout(START, started).await.is_err() {
            self.config.console.warning("app: the hook takes long; the port opens without it");
        }
    }

    /// Ends it, once what it holds is answered, or after a while.
    pub(crate) async fn stop(&mut self, patience: Duration) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
        }
        self.tasks.close();
        // The processes die with us.
        let _ = tokio::time::timeout(patience, self.tasks.wait()).await;
    }
}

struct Supervisor {
    config: Arc<Config>,
    program: Program,
    module: PathBuf,
    number: u32,
    stop: CancellationToken,
}

/// A process that was started.
struct Started {
    process: Process,
    control: BufReader<UnixStream>,
    /// Its own: one that is on its way out takes its socket along.
    socket: PathBuf,
}

/// Why an application is not there any more.
enum End {
    Ended(String),
    Silent,
    Stopped,
}

impl Supervisor {
    /// Keeps it running. `before` is stopped once the application is ready, or once it is clear that it has nothing to say.
    async fn run(self, mut before: Option<CancellationToken>, ready: oneshot::Sender<()>, tasks: TaskTracker) {
        let (mut ready, mut pause) = (Some(ready), FIRST_PAUSE);
        for attempt in 1.. {
            let Config { edge, console, telemetry, .. } = &*self.config;
            let began = telemetry.clock().elapsed();
            let (mut started, said) = match self.start(attempt, &tasks).await {
                Ok(started) => started,
                Err(error) => {
                    console.error(&format!("app: the hook's process could not be started: {error:#}"));
                    if ready.is_some() || self.pause(&mut pause).await.is_none() {
                        return;
                    }
                    continue;
                }
            };
            // Another is there, or none is to be: what this one still does at its start nobody waits for.
            if self.stop.is_cancelled() {
                before.take().inspect(CancellationToken::cancel);
                return started.kill();
            }
            let app = match said {
                Some(Said::Ready { paths, middleware }) => {
                    if ready.is_some() && !middleware.is_empty() {
                        console.warning(&costs(&middleware));
                    }
                    let app = Arc::new(App::new(started.socket.clone(), paths));
                    edge.set_app(Some(Arc::clone(&app)));
                    Some(app)
                }
                Some(Said::Missing(package)) => {
                    console.warning(&missing(&package));
                    edge.set_app(None);
                    before.take().inspect(CancellationToken::cancel);
                    return;
                }
                Some(Said::Failed(why)) => {
                    started.kill();
                    console.error(&format!("app: the hook of motia.config failed, what it adds is missing: {why}"));
                    // What it needs may come back, if it has run before.
                    if ready.is_some() || self.pause(&mut pause).await.is_none() {
                        return;
                    }
                    continue;
                }
                None if ready.is_some() => {
                    let how = started.process.ended().await;
                    return console.error(&format!("app: the hook's process ended before it was ready ({how})"));
                }
                None => None,
            };
            before.take().inspect(CancellationToken::cancel);
            ready.take().map(|ready| ready.send(()));
            let process = started.process.clone();
            let end = tokio::select! {
                how = process.ended() => End::Ended(how),
                () = started.silence() => End::Silent,
                () = self.stop.cancelled() => End::Stopped,
            };
            if telemetry.clock().elapsed().saturating_sub(began) >= YOUNG {
                pause = FIRST_PAUSE;
            }
            let milliseconds = pause.as_millis();
            match end {
                End::Stopped => return started.finish(self.config.patience).await,
                End::Ended(how) => console
                    .error(&format!("app: the hook's process ended ({how}); it is started again in {milliseconds} ms")),
                End::Silent => {
                    console.error(&format!(
                        "app: the hook's process (pid {}) has not answered for {} s, so something blocks its thread: an endless loop, a long \
                         computation? Requests that wait for it get 503; another is started in {milliseconds} ms",
                        started.process.pid,
                        SILENCE.as_secs()
                    ));
                    app.inspect(|app| app.give_up());
                    // If it goes on after all, its responses that are under way may end.
                    let (grace, stop) = (self.config.patience, self.stop.clone());
                    tasks.spawn(async move {
                        let _ = tokio::time::timeout(grace, stop.run_until_cancelled(started.process.ended())).await;
                        started.kill();
                    });
                }
            }
            if self.pause(&mut pause).await.is_none() {
                return;
            }
        }
    }

    /// Waits before the next start, longer each time. `None`: nobody wants it any more.
    async fn pause(&self, pause: &mut Duration) -> Option<()> {
        self.stop.run_until_cancelled(tokio::time::sleep(*pause)).await?;
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        Some(())
    }

    /// Starts a process and waits for what it says first: nothing, if it ended, or if nobody wants it any more.
    async fn start(&self, attempt: u32, tasks: &TaskTracker) -> Result<(Started, Option<Said>)> {
        let mut socket = self.config.socket.as_os_str().to_owned();
        socket.push(format!("{}-{attempt}.sock", self.number));
        let socket = PathBuf::from(socket);
        // Of an engine that was killed.
        let _ = std::fs::remove_file(&socket);
        let mut program = self.program.clone();
        program.arguments.extend([socket.clone().into(), self.module.clone().into(), program.folder.clone().into()]);
        let telemetry = self.config.telemetry.clone();
        let output = move |stderr, line| telemetry.log(if stderr { Level::Warn } else { Level::Info }, line);
        let (process, control) = self.config.spawner.spawn(program, tasks, output).await?;
        let mut started = Started { process, control: BufReader::new(control), socket };
        let mut line = String::new();
        let said = tokio::select! {
            read = started.control.read_line(&mut line) => read.unwrap_or(0) > 0,
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(LONGEST_START) => {
                let why = format!("it was not ready within {} s: does it wait for something, or loop?", LONGEST_START.as_secs());
                return Ok((started, Some(Said::Failed(why))));
            }
        };
        let said =
            said.then(|| serde_json::from_str(&line).context("the SDK said what nobody understands")).transpose()?;
        Ok((started, said))
    }
}

impl Started {
    /// Returns once nothing has come from it for too long.
    async fn silence(&mut self) {
        let mut ticks = tokio::time::interval(TICK);
        // A machine that slept says nothing about the process.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut silence, mut ended) = (Duration::ZERO, false);
        while silence <= SILENCE {
            tokio::select! {
                heard = self.control.fill_buf(), if !ended => {
                    let length = heard.map_or(0, <[u8]>::len);
                    self.control.consume(length);
                    // Its own end says more.
                    ended = length == 0;
                    silence = Duration::ZERO;
                }
                _ = ticks.tick() => silence += TICK,
            }
        }
    }

    /// Asks it to stop. What it holds may end within `patience`, unless it is blocked.
    async fn finish(mut self, patience: Duration) {
        let _ = self.control.get_mut().shutdown().await;
        let process = self.process.clone();
        tokio::select! {
            _ = process.ended() => {}
            () = self.silence() => {}
            () = tokio::time::sleep(patience) => {}
        }
        self.kill();
    }

    fn kill(&self) {
        self.process.kill();
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn missing(package: &str) -> String {
    format!(
        "app: the hook needs the package {package}, which this project does not have: npm install {package}@4. Or leave the hook out: \
         the knob `cors` replaces cors middleware, `static` serves files, and /healthz answers by itself"
    )
}

fn costs(middleware: &[String]) -> String {
    let names = middleware.join(", ");
    format!(
        "app: every request passes through middleware without a path ({names}), which costs time. The knobs `cors` and `static` do \
         the same inside the engine"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_says_is_understood() {
        let ready = r#"{"ready":{"paths":[{"path":"/health","under":false}],"middleware":["cors"]}}"#;
        assert!(matches!(serde_json::from_str(ready), Ok(Said::Ready { paths, .. }) if paths[0].path == "/health"));
        assert!(matches!(serde_json::from_str(r#"{"missing":"express"}"#), Ok(Said::Missing(_))));
        assert!(matches!(serde_json::from_str(r#"{"failed":"x"}"#), Ok(Said::Failed(_))));
    }
}

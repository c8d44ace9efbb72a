//! The `app` hook of motia.config: a Node process of its own that runs the project's express application, supervised. What it
//! registers is asked before the steps (`motia_server::App`).

use std::ffi::OsString;
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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::console::Console;

/// How long the first start may hold up the port.
const START: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An application that lived shorter than this died young: the next start waits longer.
const YOUNG: Duration = Duration::from_secs(10);

/// What an application's process needs.
pub(crate) struct Config {
    /// Node, started with `app.mjs` of the SDK.
    pub(crate) program: Program,
    pub(crate) spawner: Spawner,
    /// Sockets are named after this path, with a number.
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
    environment: Vec<(OsString, OsString)>,
    tasks: TaskTracker,
    running: Option<Running>,
    started: u32,
}

struct Running {
    module: PathBuf,
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
        let environment = config.program.environment.clone();
        Self { config: Arc::new(config), environment, tasks: TaskTracker::new(), running: None, started: 0 }
    }

    /// Processes to come have this environment.
    pub(crate) fn set_environment(&mut self, environment: Vec<(OsString, OsString)>) {
        self.environment = environment;
        if let Some(running) = &mut self.running {
            // The same module is to be started again.
            running.module = PathBuf::new();
        }
    }

    /// Runs the hook of a compiled config, or none. The one before goes on until the new one is ready. `wait`: until then.
    pub(crate) async fn serve(&mut self, module: Option<PathBuf>, wait: bool) {
        let Some(module) = module else {
            if let Some(running) = self.running.take() {
                self.config.edge.set_app(None);
                running.stop.cancel();
            }
            return;
        };
        if self.running.as_ref().is_some_and(|running| running.module == module) {
            return;
        }
        self.started += 1;
        let mut socket = self.config.socket.as_os_str().to_owned();
        socket.push(format!("{}.sock", self.started));
        let mut program = self.config.program.clone();
        program.environment.clone_from(&self.environment);
        program.arguments.extend([socket.clone(), module.clone().into(), program.folder.clone().into()]);
        let stop = CancellationToken::new();
        let before = self.running.replace(Running { module, stop: stop.clone() });
        let (ready, started) = oneshot::channel();
        let supervisor = Supervisor { config: Arc::clone(&self.config), program, socket: socket.into(), stop };
        self.tasks.spawn(supervisor.run(before.map(|before| before.stop), ready, self.tasks.clone()));
        if wait && tokio::time::timeout(START, started).await.is_err() {
            self.config.console.warning("app: the hook takes long; the port opens without it");
        }
    }

    /// Ends it, once what it holds is answered.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
        }
        self.tasks.close();
        // The processes die with us.
        let _ = tokio::time::timeout(self.config.patience, self.tasks.wait()).await;
    }
}

struct Supervisor {
    config: Arc<Config>,
    program: Program,
    socket: PathBuf,
    stop: CancellationToken,
}

impl Supervisor {
    /// Keeps it running. `before` is stopped once the application is ready, or once it is clear that it has nothing to say.
    async fn run(self, mut before: Option<CancellationToken>, ready: oneshot::Sender<()>, tasks: TaskTracker) {
        let (mut ready, mut pause) = (Some(ready), FIRST_PAUSE);
        loop {
            let Config { edge, console, telemetry, .. } = &*self.config;
            let began = telemetry.clock().elapsed();
            let (process, control, said) = match self.start(&tasks).await {
                Ok(started) => started,
                Err(error) => {
                    console.error(&format!("app: the hook's process could not be started: {error:#}"));
                    if ready.is_some() || self.pause(&mut pause).await.is_none() {
                        return;
                    }
                    continue;
                }
            };
            match said {
                Some(Said::Ready { paths, middleware }) => {
                    if ready.is_some() && !middleware.is_empty() {
                        console.warning(&costs(&middleware));
                    }
                    // One that was replaced meanwhile has nothing to say any more.
                    if !self.stop.is_cancelled() {
                        edge.set_app(Some(App::new(self.socket.clone(), paths)));
                    }
                }
                Some(Said::Missing(package)) => {
                    console.warning(&missing(&package));
                    edge.set_app(None);
                    before.take().inspect(CancellationToken::cancel);
                    return;
                }
                Some(Said::Failed(why)) => {
                    process.kill();
                    console.error(&format!("app: the hook of motia.config failed, what it adds is missing: {why}"));
                    // What it needs may come back, if it has run before.
                    if ready.is_some() || self.pause(&mut pause).await.is_none() {
                        return;
                    }
                    continue;
                }
                None if ready.is_some() => {
                    let how = process.ended().await;
                    return console.error(&format!("app: the hook's process ended before it was ready ({how})"));
                }
                None => {}
            }
            before.take().inspect(CancellationToken::cancel);
            ready.take().map(|ready| ready.send(()));
            let how = tokio::select! {
                how = process.ended() => how,
                () = self.stop.cancelled() => return self.finish(&process, control).await,
            };
            if telemetry.clock().elapsed().saturating_sub(began) >= YOUNG {
                pause = FIRST_PAUSE;
            }
            let milliseconds = pause.as_millis();
            console.error(&format!("app: the hook's process ended ({how}); it is started again in {milliseconds} ms"));
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

    async fn start(&self, tasks: &TaskTracker) -> Result<(Process, BufReader<UnixStream>, Option<Said>)> {
        // Of one that was killed.
        let _ = std::fs::remove_file(&self.socket);
        let telemetry = self.config.telemetry.clone();
        let output = move |stderr, line| telemetry.log(if stderr { Level::Warn } else { Level::Info }, line);
        let (process, control) = self.config.spawner.spawn(self.program.clone(), tasks, output).await?;
        let (mut control, mut line) = (BufReader::new(control), String::new());
        let said = tokio::select! {
            read = control.read_line(&mut line) => read.unwrap_or(0) > 0,
            () = self.stop.cancelled() => false,
        };
        let said =
            said.then(|| serde_json::from_str(&line).context("the SDK said what nobody understands")).transpose()?;
        Ok((process, control, said))
    }

    async fn finish(&self, process: &Process, mut control: BufReader<UnixStream>) {
        // The end of the stream asks it to stop.
        let _ = control.get_mut().shutdown().await;
        let _ = tokio::time::timeout(self.config.patience, process.ended()).await;
        process.kill();
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

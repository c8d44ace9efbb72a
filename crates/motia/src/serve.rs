//! `motia dev` and `motia start`: everything put together, and taken apart again in order.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use motia_compile::{Changes, Compiler, SdkModules, Snapshots};
use motia_core::ids::Runtime;
use motia_core::project::{Durability, ProjectConfig};
use motia_core::record::Level;
use motia_core::{Clock, SystemClock};
use motia_engine::terminal::{Format, Mask, Terminal};
use motia_engine::{Backends, Engine, Telemetry};
use motia_server::{Edge, Mode, Server};
use motia_store::Store;
use motia_worker::process::Spawner;
use tokio_util::sync::CancellationToken;

use crate::app_hook::{self, AppHook};
use crate::changes::{Watched, is_lock_file};
use crate::cli::{Address, Serve};
use crate::console::Console;
use crate::descriptors::Descriptors;
use crate::project::{ConfigTrouble, Parts, Project, Ready};
use crate::runtimes::{self, Runtimes};
use crate::sdk::Sdk;
use crate::signals::Signals;
use crate::variables::Variables;
use crate::{dotenv, install};

/// Runs until a signal. `inspect`: where a debugger may attach. Errors are what keeps the project from starting at all.
pub(crate) async fn run(options: Serve, mode: Mode, inspect: Option<u16>) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let root = env::current_dir().context("the current folder cannot be used")?;
    let motia_dir = options.motia_dir.as_ref().map_or_else(|| root.join(".motia"), |folder| root.join(folder));
    let file_variables = dotenv::load(&root).context("cannot read .env")?;
    let variables = variables(&file_variables, options.debug);
    let address = options.address(mode == Mode::Dev, |name| variables.text(name)).map_err(anyhow::Error::msg)?;

    let mask = Mask::default();
    hide(&mask, &file_variables);
    let level = if options.debug {
        Some(Level::Debug)
    } else {
        variables.text("LOG_LEVEL").and_then(|level| level.parse().ok())
    };
    let telemetry = start_telemetry(&options, mode, level.unwrap_or(Level::Info), &clock, &mask)?;
    let console = Console::new(format(mode), telemetry.clone(), mask.clone());
    let descriptors = Descriptors::raise();
    if let Some(warning) = descriptors.warning() {
        console.warning(&warning);
    }
    let stopped = Instance {
        options,
        mode,
        inspect,
        root,
        motia_dir,
        variables,
        address,
        clock,
        telemetry: telemetry.clone(),
        console,
        mask,
        descriptors,
    }
    .run()
    .await;
    telemetry.stop();
    stopped
}

/// Where the engine of a project says how it can be reached.
pub(crate) const ENGINE_FILE: &str = "engine.json";

struct Instance {
    options: Serve,
    mode: Mode,
    inspect: Option<u16>,
    root: PathBuf,
    motia_dir: PathBuf,
    variables: Variables,
    address: Address,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    console: Console,
    mask: Mask,
    descriptors: Descriptors,
}

impl Instance {
    async fn run(self) -> Result<()> {
        let began = self.clock.elapsed();
        if self.options.mermaid {
            self.console.warning("--mermaid: diagrams are not written in this version");
        }
        for file in install::recover(&self.root)? {
            self.console.warning(&format!("{file} is back as it was before a `motia install` that was cut off"));
        }
        let store = self.open_store()?;
        let sdk = Sdk::write(&self.motia_dir)?;
        if let Some(problem) = install::place_packages(&self.root) {
            // A container's folder may be read-only: nothing that runs needs them.
            self.telemetry.log(Level::Debug, problem);
        }
        if let Some(hint) = install::hint(&self.root, &self.motia_dir).filter(|_| self.mode == Mode::Dev) {
            self.console.info("INFO", &hint);
        }
        let engine = self.engine(&store);
        let spawner = self.spawner()?;
        let edge = Edge::new(engine.clone(), self.mode);
        let compiler = Compiler::new(motia_compile::Config {
            root: self.root.clone(),
            motia_dir: self.motia_dir.clone(),
            sdk: sdk_modules(&sdk),
        });
        let runtimes = Runtimes::new(runtimes::Config {
            root: self.root.clone(),
            sdk,
            variables: self.variables.clone(),
            spawner: spawner.clone(),
            engine: engine.clone(),
            inspect: self.inspect,
        });
        let parts = Parts {
            app: self.app_hook(&edge, spawner)?,
            runtimes,
            engine: engine.clone(),
            edge: edge.clone(),
            store: store.clone(),
            console: self.console.clone(),
            debugged: self.inspect.is_some(),
        };
        let mut project = Project::new(self.root.clone(), compiler, Snapshots::new(&self.motia_dir), parts);
        let mut signals = Signals::new()?;
        // Before the first look at the files, so that no change falls between.
        let mut watched = match self.mode {
            Mode::Dev => Some(Watched::start(&self.root, &self.motia_dir)?),
            Mode::Start => None,
        };

        // The port opens once the routes are known. A signal may come before that.
        project.update(Vec::new(), true).await?;
        let mut serving = None;
        let shutdown = CancellationToken::new();
        let ready = self.first_workers(&mut project, &mut signals).await?;
        let mut fatal = None;
        if let Some(loaded) = ready {
            project.accept(loaded).await;
            let server = self.bind(edge).await?;
            self.announce(&engine, server.port, began);
            serving = Some(engine.tasks().spawn(server.run(shutdown.clone())));
            fatal = self.attend(&mut project, &mut signals, &mut watched, &store, &engine).await;
        }

        self.console.info("STOPPING", "no further work is taken; what runs may finish");
        shutdown.cancel();
        engine.stop_intake();
        let budget = Budget::of(engine.settings().shutdown_timeout, Arc::clone(&self.clock));
        let finish = async {
            // Requests first: one whose body is still coming needs a worker yet.
            if let Some(serving) = &mut serving {
                let _ = tokio::time::timeout(budget.work(), serving).await;
            }
            let stopped = engine.stop(budget.work(), budget.part_of_rest()).await;
            if let Some(serving) = serving.filter(|serving| !serving.is_finished()) {
                // Every handler has answered or been cut off: what is left are the last bytes of responses.
                let _ = tokio::time::timeout(budget.part_of_rest(), serving).await;
            }
            stopped.map_err(|_| motia_engine::Error::Deadline(budget.all))
        };
        match signals.insist(finish).await {
            Some(Ok(())) => project.stop_app(budget.part_of_rest()).await,
            Some(Err(error)) => {
                self.console.warning(&error.to_string());
                project.stop_app(budget.part_of_rest()).await;
            }
            // At once. Workers die with us, and events run again at the next start.
            None => self.console.warning("stopped at once; what was running is cut off"),
        }
        // Whoever looks for this engine finds that it is gone.
        let _ = fs::remove_file(self.motia_dir.join(ENGINE_FILE));
        if let Some(reason) = fatal {
            anyhow::bail!(
                "the store failed, and what is on disk is unknown: {reason}. Check the disk, then start again"
            );
        }
        store.close(budget.part_of_rest()).await.context(
            "what was written last could not be stored: nothing that was acknowledged is lost, and events whose end it was run again",
        )?;
        self.console.info("STOPPED", "everything that was acknowledged is stored");
        Ok(())
    }

    /// Waits for a worker of each language that has imported its files; `None` if a signal comes first.
    async fn first_workers(&self, project: &mut Project, signals: &mut Signals) -> Result<Option<Workers>> {
        let mut ready = Workers::new();
        loop {
            while project.awaits_workers() {
                match signals.race(project.loaded()).await {
                    Some((runtime, Some(loaded))) => {
                        ready.retain(|(before, _)| *before != runtime);
                        ready.push((runtime, loaded));
                    }
                    Some((runtime, None)) => drop(project.loading_ended(runtime)),
                    None => return Ok(None),
                }
            }
            if ready.is_empty()
                && let Some(why) = project.hopeless()
            {
                anyhow::bail!("nothing of this project can run: {why}");
            }
            match project.config_trouble(&ready).filter(|_| self.mode == Mode::Start) {
                // Requests that come before it is there would find a project with other rules.
                Some(ConfigTrouble::UnderWay) => {
                    self.console.info("INFO", "the project's config takes long to import");
                    project.await_another(Runtime::Node);
                }
                Some(ConfigTrouble::Broken(source, why)) => anyhow::bail!(
                    "{source} cannot be used, and without it the project does not start: what it restricts (validation, cors, \
                     limits) would not hold. {why}"
                ),
                None => return Ok(Some(ready)),
            }
        }
    }

    /// Waits for changes and workers until a signal comes, or until the store fails: then it answers with why.
    async fn attend(
        &self,
        project: &mut Project,
        signals: &mut Signals,
        watched: &mut Option<Watched>,
        store: &Store,
        engine: &Engine,
    ) -> Option<String> {
        loop {
            if let Some(watched) = &watched {
                watched.watch_outside(project.inputs());
            }
            let changed = async {
                match watched {
                    Some(watched) => watched.next().await,
                    None => std::future::pending().await,
                }
            };
            let pause = project.pause_before_retry();
            // What came is dealt with after the wait: nothing may cut that off half-way.
            let event = tokio::select! {
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => Event::Retry,
                () = signals.stop() => return None,
                reason = store.failed() => return Some(reason),
                () = engine.reload_asked(), if self.mode == Mode::Dev => Event::Asked,
                (runtime, loaded) = project.loaded() => Event::Loaded(runtime, loaded),
                changed = changed => Event::Changed(changed),
            };
            match event {
                Event::Loaded(runtime, Some(loaded)) => project.accept(vec![(runtime, loaded)]).await,
                Event::Loaded(runtime, None) => {
                    if project.loading_ended(runtime) {
                        project.take_over().await;
                    }
                }
                Event::Changed(changes) => self.reload(project, changes).await,
                Event::Asked => project.reload(Vec::new(), true).await,
                Event::Retry => project.reload(Vec::new(), false).await,
            }
        }
    }

    async fn reload(&self, project: &mut Project, changes: Changes) {
        for error in &changes.errors {
            self.console.warning(error);
        }
        let root = &self.root;
        // While something does not compile, a package that was installed may be the one that is missing. (A project file that is missing
        // is an input.)
        let installed = |path: &Path| project.has_failures() && is_lock_file(path);
        let counts = |path: &Path| changes.everything || project.matters(path) || installed(path);
        let changed: Vec<_> = changes.paths.iter().filter(|path| counts(path)).collect();
        if changed.is_empty() && !changes.everything {
            return;
        }
        let environment_changed = changes.everything || changed.iter().any(|path| **path == root.join(".env"));
        if environment_changed {
            match dotenv::load(root) {
                Ok(file) => {
                    hide(&self.mask, &file);
                    project.set_variables(variables(&file, self.options.debug));
                }
                Err(error) => self.console.error(&format!(".env cannot be read, its last values hold: {error}")),
            }
        }
        let names = changed.iter().map(|path| path.strip_prefix(root).unwrap_or(path).display().to_string());
        project.reload(names.collect(), environment_changed).await;
    }

    fn open_store(&self) -> Result<Store> {
        let telemetry = self.telemetry.clone();
        Ok(Store::open(motia_store::Config {
            dir: self.motia_dir.clone(),
            // Until the project's own configuration is known.
            durability: Durability::Fsync,
            clock: Arc::clone(&self.clock),
            report: Arc::new(move |level, text| telemetry.log(level, text)),
        })?)
    }

    fn engine(&self, store: &Store) -> Engine {
        Engine::new(motia_engine::engine::Config {
            backends: Backends {
                state: store.state(),
                streams: store.streams(),
                queue: store.queue(),
                cron: store.cron(),
                journal: store.journal(),
                traces: store.traces(),
            },
            telemetry: self.telemetry.clone(),
            settings: ProjectConfig::default(),
        })
    }

    /// All processes of user code descend from it.
    fn spawner(&self) -> Result<Spawner> {
        let binary = env::current_exe().context("the motia binary cannot find itself")?;
        Ok(Spawner::start(binary, self.descriptors.inherited)?)
    }

    fn app_hook(&self, edge: &Edge, spawner: Spawner) -> Result<AppHook> {
        Ok(AppHook::new(app_hook::Config {
            spawner,
            socket: admin_socket(&self.motia_dir)?.with_extension("app"),
            edge: edge.clone(),
            console: self.console.clone(),
            telemetry: self.telemetry.clone(),
            patience: ProjectConfig::default().shutdown_timeout,
        }))
    }

    async fn bind(&self, edge: Edge) -> Result<Server> {
        let config = motia_server::server::Config {
            hosts: self.address.hosts.clone(),
            port: self.address.port,
            mode: self.mode,
            admin_socket: admin_socket(&self.motia_dir)?,
            connections: self.descriptors.connections(),
        };
        let server = Server::bind(&config, edge).await?;
        let engine_file = serde_json::json!({
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "socket": config.admin_socket,
            "port": server.port,
        });
        let path = self.motia_dir.join(ENGINE_FILE);
        write_private(&path, engine_file.to_string().as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(server)
    }

    fn announce(&self, engine: &Engine, port: u16, began: Duration) {
        if self.address.port != 0 && port != self.address.port {
            self.console.warning(&format!("port {} is in use, using {port} instead", self.address.port));
        }
        let project = engine.project();
        let took = self.clock.elapsed().saturating_sub(began).as_millis();
        let steps = count(project.steps().count(), "step");
        let streams = count(project.streams().count(), "stream");
        let url = self.address.url(port);
        self.console.info("READY", &format!("{url} ({steps}, {streams}, {took} ms)"));
    }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// How long a stop may take in all, and how it is spent: most of it on what runs, the rest on storing what is known.
struct Budget {
    all: Duration,
    clock: Arc<dyn Clock>,
    began: Duration,
}

impl Budget {
    fn of(all: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { all, began: clock.elapsed(), clock }
    }

    fn left(&self) -> Duration {
        self.all.saturating_sub(self.clock.elapsed().saturating_sub(self.began))
    }

    /// What of it is kept for the end.
    fn rest(&self) -> Duration {
        (self.all / 4).min(Duration::from_secs(1))
    }

    /// How long what runs may still go on.
    fn work(&self) -> Duration {
        self.left().saturating_sub(self.rest())
    }

    /// For one of the few last things. Each gets a moment, however late it is.
    fn part_of_rest(&self) -> Duration {
        (self.left() / 2).max(Duration::from_millis(100))
    }
}

/// Workers that have imported their language's files.
type Workers = Vec<(Runtime, Ready)>;

/// What a running project waits for.
enum Event {
    Loaded(Runtime, Option<Ready>),
    Changed(Changes),
    Asked,
    Retry,
}

/// The variables of workers. `--debug` shows their debug lines too.
fn variables(file: &[(String, String)], debug: bool) -> Variables {
    let mut variables = Variables::with_file(file);
    if debug {
        variables.set_default("LOG_LEVEL", "debug");
    }
    variables
}

/// Values of the environment file that look secret are not shown from now on.
fn hide(mask: &Mask, file: &[(String, String)]) {
    mask.set(file.iter().map(|(name, value)| (name.as_str(), value.as_str())));
}

fn format(mode: Mode) -> Format {
    let terminal = std::io::stdout().is_terminal();
    match mode {
        Mode::Start if !terminal => Format::Json,
        _ => Format::Text { color: terminal && env::var_os("NO_COLOR").is_none() },
    }
}

fn start_telemetry(
    options: &Serve,
    mode: Mode,
    level: Level,
    clock: &Arc<dyn Clock>,
    mask: &Mask,
) -> Result<Telemetry> {
    let details = options.verbose || (mode == Mode::Dev && !options.disable_verbose);
    let terminal = Terminal::new(std::io::stdout(), format(mode), level, details, mask.clone());
    Ok(Telemetry::start(Arc::clone(clock), vec![Box::new(terminal)])?)
}

fn sdk_modules(sdk: &Sdk) -> SdkModules {
    let package = |name: &str| sdk.file("node/packages").join(name).join("index.mjs");
    SdkModules {
        interop: sdk.file("node/lib/interop.mjs"),
        motia: package("motia"),
        core: package("@motiadev/core"),
        plugin: package("@motiadev/plugin-shim"),
        adapter: package("@motiadev/adapter-shim"),
    }
}

/// The engine's own socket: in a folder of this user's alone. Its path is short, since sockets allow about 100 bytes, and belongs to
/// this project alone.
fn admin_socket(motia_dir: &Path) -> Result<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let base = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    let folder = base.map_or_else(|| env::temp_dir().join(format!("motia-{uid}")), |base| base.join("motia"));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let metadata = fs::symlink_metadata(&folder)?;
    let (mode, owner) = (metadata.permissions().mode() & 0o777, metadata.uid());
    anyhow::ensure!(
        metadata.is_dir() && owner == uid && mode & 0o077 == 0,
        "{} must be a folder of your own that nobody else can enter (it has mode {mode:o} and belongs to user {owner})",
        folder.display()
    );
    let project = fs::canonicalize(motia_dir).unwrap_or_else(|_| motia_dir.to_owned());
    let name = blake3::hash(project.as_os_str().as_encoded_bytes()).to_hex();
    Ok(folder.join(format!("{}.sock", &name[..16])))
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    fs::rename(unfinished, path)
}

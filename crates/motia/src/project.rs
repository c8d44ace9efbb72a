//! A project's way from files to what runs: discovery, compilation, import, and the swap. Start and reload are the same way.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use motia_compile::{Compiler, Diagnostic, Discovery, FileKind, Generation, SourceFile, discover};
use motia_core::ids::Runtime;
use motia_core::project::{Isolation, ProjectConfig, StaticMount, Timeouts, WorkerCount};
use motia_core::{Clock, SourcePath};
use motia_engine::{Engine, EngineHost};
use motia_server::Edge;
use motia_store::Store;
use motia_worker::message::LoadKind;
use motia_worker::{LoadReport, Loaded, Plan, PlannedFile, Pool, PoolSettings};
use tokio::sync::mpsc;

use crate::app_hook::AppHook;
use crate::assemble::{Assembled, assemble, problem_of_settings};
use crate::console::Console;

/// The pauses between tries of a reload that fails.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Generations that workers may still load files from: the current one's, and those of the old workers that a pool keeps.
const KEPT_GENERATIONS: usize = 5;

/// What it takes to bring a project up to date.
pub(crate) struct Project {
    root: PathBuf,
    compiler: Option<Compiler>,
    engine: Engine,
    edge: Edge,
    store: Store,
    console: Console,
    debugged: bool,
    app: AppHook,
    clock: Arc<dyn Clock>,
    /// Generations that may be in use, the newest last.
    generations: VecDeque<Arc<Generation>>,
    /// The files that were there at the last update.
    files: Vec<SourceFile>,
    /// Per file, the module that was imported last, and the generation that it lies in.
    last_good: HashMap<SourcePath, (PathBuf, Arc<Generation>)>,
    /// Files whose import held things up the last time.
    troubled: HashSet<SourcePath>,
    /// What was said of each file when it was taken in.
    lines: HashMap<SourcePath, String>,
    /// Said once, not at each reload.
    warned: HashSet<String>,
    /// What the config said when it could be used last.
    settings: ProjectConfig,
    loading: Option<InProgress>,
    /// What could not be reloaded, for a reason that may pass: a full disk.
    behind: Option<Behind>,
    /// How long the next try waits; `None` where none has failed, and so none has been said to.
    retry_pause: Option<Duration>,
}

/// A reload that is to be tried again.
#[derive(Default)]
struct Behind {
    changed: Vec<String>,
    force: bool,
}

/// What a project is brought to.
pub(crate) struct Parts {
    pub(crate) app: AppHook,
    pub(crate) engine: Engine,
    pub(crate) edge: Edge,
    pub(crate) store: Store,
    pub(crate) console: Console,
    /// A debugger may stand in a handler for as long as it likes.
    pub(crate) debugged: bool,
}

/// Why a project's config does not hold.
pub(crate) enum ConfigTrouble {
    /// It is still being imported.
    UnderWay,
    /// It cannot be used. Its name, and why.
    Broken(SourcePath, String),
}

/// A plan that a worker is loading.
struct InProgress {
    discovery: Discovery,
    plan: Plan,
    generation: Arc<Generation>,
    loaded: mpsc::UnboundedReceiver<Loaded<EngineHost>>,
    update: Update,
}

/// What is said of an update once it has taken over.
struct Update {
    began: Duration,
    changed: Vec<String>,
    /// What did not compile.
    broken: Vec<String>,
    first: bool,
}

impl Project {
    pub(crate) fn new(root: PathBuf, compiler: Compiler, parts: Parts) -> Self {
        let Parts { app, engine, edge, store, console, debugged } = parts;
        let clock = Arc::clone(engine.telemetry().clock());
        Self {
            root,
            compiler: Some(compiler),
            engine,
            edge,
            store,
            console,
            debugged,
            app,
            clock,
            generations: VecDeque::new(),
            files: Vec::new(),
            last_good: HashMap::new(),
            troubled: HashSet::new(),
            lines: HashMap::new(),
            warned: HashSet::new(),
            settings: ProjectConfig::default(),
            loading: None,
            behind: None,
            retry_pause: None,
        }
    }

    /// Brings the project up to date, with what could not be reloaded before. If that fails, it is tried again.
    pub(crate) async fn reload(&mut self, changed: Vec<String>, force: bool) {
        let mut wanted = self.behind.take().unwrap_or_default();
        if force || !changed.is_empty() {
            // Whoever changed something is to learn what became of it.
            self.retry_pause = None;
        }
        wanted.force |= force;
        for file in changed {
            if !wanted.changed.contains(&file) {
                wanted.changed.push(file);
            }
        }
        if let Err(error) = self.update(wanted.changed.clone(), wanted.force).await {
            self.fall_behind(wanted, &format!("the project was not reloaded, what ran before goes on: {error:#}"));
        }
    }

    /// How long to wait before [`Project::reload`] is called again, if that is necessary.
    pub(crate) fn pause_before_retry(&self) -> Option<Duration> {
        self.retry_pause.filter(|_| self.behind.is_some())
    }

    fn fall_behind(&mut self, wanted: Behind, why: &str) {
        self.behind = Some(wanted);
        self.retry_pause = Some(match self.retry_pause {
            Some(pause) => (pause * 2).min(LONGEST_RETRY),
            None => {
                self.console.error(&format!("{why}; trying again until it works"));
                FIRST_RETRY
            }
        });
    }

    /// Compiles what is on disk now and lets a fresh worker import it. [`Project::loaded`] brings the result. Nothing happens if
    /// nothing changed, unless `force` is set: the environment may have changed.
    pub(crate) async fn update(&mut self, changed: Vec<String>, force: bool) -> Result<()> {
        let began = self.clock.elapsed();
        let Some(mut compiler) = self.compiler.take() else { return Ok(()) };
        let root = self.root.clone();
        // Both read many files: not on a thread that requests need.
        let (compiler, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = discover(&root).and_then(|discovery| Ok((compiler.compile(&discovery.files)?, discovery)));
            (compiler, outcome)
        })
        .await?;
        self.compiler = Some(compiler);
        let (generation, discovery) = outcome?;
        let broken = self.compile_errors(&generation);
        for warning in &discovery.warnings {
            self.warn_once(warning.to_string());
        }
        for warning in &generation.warnings {
            self.warn_once(warning.render(self.console.color()));
        }
        let same = self.files == discovery.files
            && self.generations.back().is_some_and(|current| current.hash == generation.hash);
        if !discovery.files.iter().any(|file| file.kind == FileKind::Step) {
            self.warn_once("no steps were found in steps/ and src/: add one such as steps/hello.step.ts".into());
        }
        self.files.clone_from(&discovery.files);
        let first = self.generations.is_empty();
        if same && !force && generation.failed.is_empty() {
            return Ok(());
        }
        let update = Update { began, changed, broken, first };
        let generation = Arc::new(generation);
        let plan = self.plan(&discovery, &generation);
        self.keep(Arc::clone(&generation));
        match self.pool() {
            Some(pool) if !plan.files.is_empty() => {
                let loaded = pool.load(plan.clone());
                self.loading = Some(InProgress { discovery, plan, generation, loaded, update });
            }
            pool => {
                // What may still be loading is of files that are gone.
                self.loading = None;
                if let Some(pool) = pool {
                    pool.stop_loading();
                }
                let assembled = assemble(&discovery, &LoadReport::default());
                self.take_over(assembled, update).await;
            }
        }
        Ok(())
    }

    /// Waits for a worker that has imported the project; `None` once there is none to come. Pending while nothing loads. Nothing is
    /// lost if the wait is given up.
    pub(crate) async fn loaded(&mut self) -> Option<Loaded<EngineHost>> {
        match &mut self.loading {
            Some(progress) => progress.loaded.recv().await,
            None => std::future::pending().await,
        }
    }

    /// No worker came, or no further one.
    pub(crate) fn loading_ended(&mut self) {
        self.loading = None;
    }

    /// Lets a worker take over that has imported the project. Must not be given up half-way: the worker would serve under the routes of
    /// the one before.
    pub(crate) async fn accept(&mut self, loaded: Loaded<EngineHost>) {
        let Some(progress) = &mut self.loading else { return };
        let assembled = assemble(&progress.discovery, &loaded.report);
        let trouble = loaded.report.failed.iter().filter(|(_, failure)| failure.is_trouble());
        self.troubled = trouble.map(|(source, _)| source.clone()).collect();
        let modules = loaded.report.imported.iter().map(|(source, imported)| (source.clone(), imported.module.clone()));
        for (source, module) in modules.collect::<Vec<_>>() {
            // A module of an older generation was kept: so is its generation.
            let known = self.last_good.get(&source).filter(|(known, _)| *known == module);
            if known.is_none() {
                self.last_good.insert(source, (module, Arc::clone(&progress.generation)));
            }
        }
        let config = progress.discovery.files.iter().find(|file| file.kind == FileKind::Config);
        let config = config.and_then(|file| Some(loaded.report.imported.get(&file.path)?.module.clone()));
        let plan = progress.plan.clone();
        // A slow file comes later, with a worker of its own: what was said is not said again.
        let again = Update { changed: progress.update.changed.clone(), broken: Vec::new(), ..progress.update };
        let update = std::mem::replace(&mut progress.update, again);
        let settings = self.settings_of(&assembled);
        if let Some(pool) = self.pool() {
            pool.serve(loaded, &plan, pool_settings(&settings));
        }
        let (module, first) = (config.filter(|_| settings.app), update.first);
        self.take_over(assembled, update).await;
        self.app.serve(module, first).await;
    }

    /// What holds: what the config says, or said last.
    fn settings_of(&mut self, assembled: &Assembled) -> ProjectConfig {
        if let Some(settings) = &assembled.settings {
            self.settings = settings.clone();
        }
        let mut settings = self.settings.clone();
        if self.debugged {
            settings.timeouts = Timeouts::NEVER;
        }
        settings
    }

    /// Whether the project has a config that does not hold, given what a worker has imported.
    pub(crate) fn config_trouble(&self, report: &LoadReport) -> Option<ConfigTrouble> {
        let source = &self.files.iter().find(|file| file.kind == FileKind::Config)?.path;
        let why = match report.imported.get(source) {
            Some(imported) => problem_of_settings(&imported.config)?,
            None => match report.failed.iter().rev().find(|(failed, _)| failed == source) {
                Some((_, failure)) if failure.is_under_way() => return Some(ConfigTrouble::UnderWay),
                Some((_, failure)) => failure.to_string(),
                None => {
                    let failed = &self.generations.back()?.failed;
                    let (_, diagnostic) = failed.iter().find(|(failed, _)| failed == source)?;
                    format!("it does not compile\n{}", diagnostic.render(self.console.color()))
                }
            },
        };
        Some(ConfigTrouble::Broken(source.clone(), why))
    }

    /// Ends the process of the `app` hook, once what it holds is answered.
    pub(crate) async fn stop_app(&mut self) {
        self.app.stop().await;
    }

    /// The files whose change matters.
    pub(crate) fn inputs(&self) -> &BTreeSet<PathBuf> {
        static NONE: BTreeSet<PathBuf> = BTreeSet::new();
        self.generations.back().map_or(&NONE, |generation| &generation.inputs)
    }

    /// Whether a file that is no input yet would be one if it were there.
    pub(crate) fn may_load(&self, path: &Path) -> bool {
        self.generations.back().is_some_and(|generation| generation.may_load(path))
    }

    /// Whether something does not compile.
    pub(crate) fn has_failures(&self) -> bool {
        self.generations.back().is_some_and(|generation| !generation.failed.is_empty())
    }

    /// Whether a worker is importing the project.
    pub(crate) fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// The environment of workers changed: the spare one is of no use any more.
    pub(crate) fn set_environment(&mut self, environment: Vec<(OsString, OsString)>) {
        self.app.set_environment(environment.clone());
        if let Some(pool) = self.pool() {
            pool.set_environment(environment);
        }
    }

    fn warn_once(&mut self, warning: String) {
        if !self.warned.contains(&warning) {
            self.console.warning(&warning);
            self.warned.insert(warning);
        }
    }

    fn pool(&self) -> Option<Pool<EngineHost>> {
        self.engine.pool(Runtime::Node)
    }

    /// What does not compile, for people.
    fn compile_errors(&self, generation: &Generation) -> Vec<String> {
        let describe = |(source, diagnostic): &(SourcePath, Diagnostic)| {
            let kept = if self.last_good.contains_key(source) { "; its last good version goes on" } else { "" };
            format!("{source} does not compile{kept}\n{}", diagnostic.render(self.console.color()))
        };
        generation.failed.iter().map(describe).collect()
    }

    fn plan(&self, discovery: &Discovery, generation: &Generation) -> Plan {
        let files = discovery.files.iter().filter_map(|file| {
            let last_good = self.last_good.get(&file.path).map(|(module, _)| module.clone());
            let module = generation.modules.get(&file.path).cloned().or_else(|| last_good.clone())?;
            let kind = match file.kind {
                FileKind::Step => LoadKind::Step,
                FileKind::Stream => LoadKind::Stream,
                FileKind::Config => LoadKind::Config,
            };
            let troubled = self.troubled.contains(&file.path);
            Some(PlannedFile { source: file.path.clone(), kind, module, last_good, troubled })
        });
        Plan { root: self.root.clone(), files: files.collect() }
    }

    fn keep(&mut self, generation: Arc<Generation>) {
        self.generations.push_back(generation);
        if self.generations.len() > KEPT_GENERATIONS {
            self.generations.pop_front();
        }
        let in_use: Vec<_> =
            self.generations.iter().chain(self.last_good.values().map(|(_, generation)| generation)).collect();
        let in_use: Vec<_> = in_use.into_iter().map(|generation| generation.hash.clone()).collect();
        if let Some(compiler) = &self.compiler {
            // Disk space is all that is lost; the next reload tries again.
            if let Err(error) = compiler.prune(&in_use) {
                self.console.warning(&error.to_string());
            }
        }
    }

    async fn take_over(&mut self, assembled: Assembled, update: Update) {
        let Update { began, changed, broken, first } = update;
        let settings = self.settings_of(&assembled);
        let Assembled { settings: read, project, routes, lines, errors, warnings } = assembled;
        self.store.set_durability(settings.durability);
        self.store.set_retention(settings.retention);
        let missing = missing_folders(&settings, &self.root);
        self.engine.set_settings(settings.clone());
        if let Err(error) = self.engine.apply(project).await {
            self.fall_behind(Behind { changed, force: true }, &format!("{error}; what ran before goes on"));
            return;
        }
        self.retry_pause = None;
        self.edge.set_site(routes, &settings, &self.root);
        self.say_lines(lines);
        for error in broken.iter().chain(&errors) {
            self.console.error(error);
        }
        if read.is_none() {
            self.console.error(if first {
                "the project's config does not hold, see above: UNTIL IT DOES, THE DEFAULTS HOLD, for validation and cors too"
            } else {
                "the project's config does not hold, see above: until it does, what it said last holds"
            });
        }
        for warning in warnings.into_iter().chain(missing) {
            self.warn_once(warning);
        }
        if !first {
            let took = self.clock.elapsed().saturating_sub(began).as_millis();
            self.console.info("RELOADED", &format!("{} in {took} ms", summary(&changed)));
        }
    }

    /// Says what came, what went, and what became something else.
    fn say_lines(&mut self, lines: Vec<(SourcePath, String)>) {
        let now: HashMap<_, _> = lines.iter().cloned().collect();
        for (source, line) in &self.lines {
            if !now.contains_key(source) {
                self.console.info("REMOVED", &format!("{line} removed"));
            }
        }
        for (source, line) in &lines {
            if self.lines.get(source) != Some(line) {
                self.console.info("CREATED", &format!("{line} created"));
            }
        }
        self.lines = now;
    }
}

/// What a project's knobs mean for its workers.
fn pool_settings(settings: &ProjectConfig) -> PoolSettings {
    let isolated = settings.isolation == Isolation::Process;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = match settings.workers.node {
        WorkerCount::Exactly(count) => count.into(),
        WorkerCount::Auto => cores,
    };
    PoolSettings { workers, isolated, memory: settings.workers.memory, standby: settings.standby }
}

/// Folders of the `static` knob that are not there.
fn missing_folders(settings: &ProjectConfig, root: &Path) -> Vec<String> {
    let missing = settings.static_files.iter().filter(|mount| !root.join(&mount.folder).is_dir());
    let warning = |mount: &StaticMount| {
        let at = if mount.at.is_empty() { "/" } else { &mount.at };
        let folder = mount.folder.display();
        format!("static[\"{at}\"]: the folder '{folder}' is not there; its files are served as soon as it is")
    };
    missing.map(warning).collect()
}

fn summary(changed: &[String]) -> String {
    match changed {
        [] => "the project".into(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

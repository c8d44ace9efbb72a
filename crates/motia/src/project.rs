//! A project's way from files to what runs: discovery, compilation, import, and the swap. Start and reload are the same way.
//!
//! | module | holds |
//! |---|---|
//! | `modules` | what workers import, and what of it worked last |
//! | `loads` | the plans that workers are loading |

mod loads;
mod modules;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use motia_compile::{Compiler, FileKind, Snapshots};
use motia_core::ids::Runtime;
use motia_core::project::{Isolation, ProjectConfig, StaticMount, Timeouts, WorkerCount};
use motia_core::{Clock, SourcePath};
use motia_engine::Engine;
use motia_engine::streams::Gate;
use motia_server::Edge;
use motia_store::Store;
use motia_worker::{LoadReport, PoolSettings};

use crate::app_hook::AppHook;
use crate::assemble::{Assembled, assemble, problem_of_settings};
use crate::console::Console;
use crate::runtimes::Runtimes;
use crate::variables::Variables;
use loads::Loads;
pub(crate) use loads::Ready;
use modules::{Current, Modules};

/// The pauses between tries of a reload that fails.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// What it takes to bring a project up to date.
pub(crate) struct Project {
    root: PathBuf,
    modules: Modules,
    runtimes: Runtimes,
    engine: Engine,
    edge: Edge,
    store: Store,
    console: Console,
    debugged: bool,
    app: AppHook,
    clock: Arc<dyn Clock>,
    loads: Loads,
    /// What the workers that serve have imported.
    reports: BTreeMap<Runtime, LoadReport>,
    /// Why nothing of a language runs.
    absent: BTreeMap<Runtime, String>,
    /// What the workers that serve were told to be.
    served: BTreeMap<Runtime, PoolSettings>,
    update: Update,
    /// What was said of each file when it was taken in.
    lines: HashMap<SourcePath, String>,
    /// Said once, not at each reload.
    warned: HashSet<String>,
    /// What the config said when it could be used last.
    settings: ProjectConfig,
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
    pub(crate) runtimes: Runtimes,
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

/// The newest update, and what is said once it has taken over.
#[derive(Default)]
struct Update {
    began: Duration,
    changed: Vec<String>,
    /// What does not compile. Said once, however many workers follow.
    broken: Vec<String>,
    /// Something ran before.
    again: bool,
}

impl Project {
    pub(crate) fn new(root: PathBuf, compiler: Compiler, snapshots: Snapshots, parts: Parts) -> Self {
        let Parts { app, runtimes, engine, edge, store, console, debugged } = parts;
        let clock = Arc::clone(engine.telemetry().clock());
        Self {
            modules: Modules::new(root.clone(), compiler, snapshots),
            root,
            runtimes,
            engine,
            edge,
            store,
            console,
            debugged,
            app,
            clock,
            loads: Loads::default(),
            reports: BTreeMap::new(),
            absent: BTreeMap::new(),
            served: BTreeMap::new(),
            update: Update::default(),
            lines: HashMap::new(),
            warned: HashSet::new(),
            settings: ProjectConfig::default(),
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

    /// Makes modules of what is on disk now and lets fresh workers import it, of each language in which something changed.
    /// [`Project::loaded`] brings the results. `force`: all languages, since the environment may have changed.
    pub(crate) async fn update(&mut self, changed: Vec<String>, force: bool) -> Result<()> {
        let began = self.clock.elapsed();
        let Some((current, before)) = self.modules.make().await? else { return Ok(()) };
        for warning in &current.discovery.warnings {
            self.warn_once(warning.to_string());
        }
        for warning in &current.generation.warnings {
            self.warn_once(warning.render(self.console.color()));
        }
        if !current.discovery.files.iter().any(|file| file.kind == FileKind::Step) {
            self.warn_once("no steps were found in steps/ and src/: add one such as steps/hello.step.ts".into());
        }
        let is_stale = |runtime: &Runtime| {
            let same = before.as_ref().is_some_and(|before| current.is_as(before, *runtime));
            force || !same || changed.iter().any(|name| is_source_of(*runtime, name))
        };
        let stale: Vec<_> = Runtime::ALL.into_iter().filter(is_stale).collect();
        if stale.is_empty() {
            return Ok(());
        }
        let broken = self.modules.errors(&current, self.console.color());
        self.update = Update { began, changed, broken, again: before.is_some() };
        for runtime in stale {
            self.load(runtime, &current);
        }
        for problem in self.modules.prune() {
            self.console.warning(&problem);
        }
        if self.update.again && !self.loads.any() {
            self.take_over().await;
        }
        Ok(())
    }

    /// Lets a fresh worker of a language import its files.
    fn load(&mut self, runtime: Runtime, current: &Current) {
        let plan = self.modules.plan(runtime, current);
        // What may still be loading is of files that are gone.
        self.loads.end(runtime);
        self.absent.remove(&runtime);
        if plan.files.is_empty() {
            if let Some(pool) = self.engine.pool(runtime) {
                pool.stop_loading();
            }
            self.reports.remove(&runtime);
            return;
        }
        match self.runtimes.pool(runtime) {
            Ok(pool) => {
                let loaded = pool.load(plan.clone());
                self.loads.begin(runtime, plan, loaded);
            }
            Err(error) => self.do_without(runtime, format!("{error:#}")),
        }
    }

    /// Nothing of a language can run.
    fn do_without(&mut self, runtime: Runtime, why: String) {
        self.loads.end(runtime);
        self.reports.remove(&runtime);
        self.served.remove(&runtime);
        self.engine.remove_pool(runtime);
        self.absent.insert(runtime, why);
    }

    /// Waits for a worker that has imported its language's files; `None` once there is none to come. Pending while nothing loads.
    /// Nothing is lost if the wait is given up.
    pub(crate) async fn loaded(&mut self) -> (Runtime, Option<Ready>) {
        self.loads.next().await
    }

    /// No further worker of a language is to come. Answers whether none came at all, so that nothing of it runs.
    pub(crate) fn loading_ended(&mut self, runtime: Runtime) -> bool {
        let none = !self.loads.end(runtime) && !self.reports.contains_key(&runtime);
        if none {
            self.do_without(runtime, format!("no {runtime} worker could be started, see above"));
        }
        none
    }

    /// Lets workers take over that have imported their language's files. Must not be given up half-way: they would serve under the
    /// routes of those before.
    pub(crate) async fn accept(&mut self, mut workers: Vec<(Runtime, Ready)>) {
        let any = !workers.is_empty();
        workers.retain(|(runtime, ready)| !self.would_lose(*runtime, &ready.loaded.report));
        if any && workers.is_empty() {
            return;
        }
        for (runtime, Ready { loaded, .. }) in &workers {
            self.modules.imported(*runtime, &loaded.report);
            self.reports.insert(*runtime, loaded.report.clone());
        }
        let Some(assembled) = self.assemble() else { return };
        let settings = self.settings_of(&assembled);
        for (runtime, Ready { loaded, plan }) in workers {
            let Some(pool) = self.engine.pool(runtime) else { continue };
            let wishes = pool_settings(&settings, runtime);
            self.served.insert(runtime, wishes);
            pool.serve(loaded, &plan, wishes);
        }
        self.apply(assembled).await;
        self.serve_app(&settings).await;
        self.keep_wishes(&settings);
    }

    /// Whether something that runs would not run any more, though its file is still there: a module that it imports is broken, and no
    /// older version of its own helps. Then the workers that have it go on, with everything as it was.
    fn would_lose(&mut self, runtime: Runtime, report: &LoadReport) -> bool {
        let Some(before) = self.reports.get(&runtime) else { return false };
        let lost = |source: &SourcePath| before.imported.contains_key(source) && !report.imported.contains_key(source);
        let failed = report.failed.iter().filter(|(source, failure)| lost(source) && !failure.is_under_way());
        let errors: Vec<_> = failed.map(|(source, failure)| format!("{source}: {failure}")).collect();
        for error in &errors {
            self.console.error(error);
        }
        if !errors.is_empty() {
            self.console.error(&format!("the {runtime} that ran before goes on, with all of its files as they were"));
        }
        !errors.is_empty()
    }

    /// What the config says of a language's workers may have changed, though its files did not.
    fn keep_wishes(&mut self, settings: &ProjectConfig) {
        let Some(current) = self.modules.current().cloned() else { return };
        let differs = |(runtime, wishes): (&Runtime, &PoolSettings)| {
            let stale = *wishes != pool_settings(settings, *runtime) && !self.loads.has(*runtime);
            stale.then_some(*runtime)
        };
        for runtime in self.served.iter().filter_map(differs).collect::<Vec<_>>() {
            self.load(runtime, &current);
        }
    }

    async fn serve_app(&mut self, settings: &ProjectConfig) {
        let config = self.config_file().filter(|_| settings.app);
        let report = self.reports.get(&Runtime::Node);
        let module = config.and_then(|source| Some(report?.imported.get(&source)?.module.clone()));
        let program = module.is_some().then(|| self.runtimes.app_program());
        match program.transpose() {
            Ok(program) => self.app.serve(module.zip(program), !self.update.again).await,
            Err(error) => self.console.error(&format!("app: the hook of motia.config does not run: {error:#}")),
        }
    }

    /// The project's config, unless nobody can read it.
    fn config_file(&self) -> Option<SourcePath> {
        let current = self.modules.current()?;
        let config = current.discovery.files.iter().find(|file| file.kind == FileKind::Config)?;
        (!self.is_config_ignored(current)).then(|| config.path.clone())
    }

    /// A project without files for Node needs no Node; its config is then left alone.
    fn is_config_ignored(&self, current: &Current) -> bool {
        let config_alone = current.files_of(Runtime::Node).all(|file| file.kind == FileKind::Config);
        config_alone && self.absent.contains_key(&Runtime::Node)
    }

    /// Whether a config that nobody can run may say who may watch streams.
    fn may_guard(&self, config: &SourcePath) -> bool {
        let text = std::fs::read_to_string(self.root.join(config.as_str()));
        text.map_or(true, |text| text.contains("streamAuth"))
    }

    /// Everything that was imported, put together.
    fn assemble(&mut self) -> Option<Assembled> {
        let current = Arc::clone(self.modules.current()?);
        let mut discovery = current.discovery.clone();
        let mut closed = false;
        if self.is_config_ignored(&current) {
            closed =
                current.discovery.files.iter().any(|file| file.kind == FileKind::Config && self.may_guard(&file.path));
            discovery.files.retain(|file| file.kind != FileKind::Config);
            let streams = if closed { "; it mentions streamAuth, so nobody may watch streams" } else { "" };
            self.warn_once(format!(
                "motia.config is not read, since node was not found: the defaults hold for what it says{streams}"
            ));
        }
        let mut all = LoadReport::default();
        for report in self.reports.values() {
            all.imported.extend(report.imported.iter().map(|(source, imported)| (source.clone(), imported.clone())));
            all.failed.extend(report.failed.iter().cloned());
        }
        let mut assembled = assemble(&discovery, &all);
        if closed {
            assembled.project.gate = Gate::Closed;
        }
        for (runtime, why) in &self.absent {
            let files: Vec<_> = discovery.files.iter().filter(|file| file.language.runtime() == *runtime).collect();
            if let Some((first, more)) = files.split_first() {
                let names = match more.len() {
                    0 => format!("{} does not run", first.path),
                    more => format!("{} and {more} more {runtime} files do not run", first.path),
                };
                let error = format!("{names}: {why}");
                if self.warned.insert(error.clone()) {
                    assembled.errors.push(error);
                }
            }
        }
        Some(assembled)
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

    /// Whether the project has a config that does not hold, given what workers have imported.
    pub(crate) fn config_trouble(&self, workers: &[(Runtime, Ready)]) -> Option<ConfigTrouble> {
        let source = self.config_file()?;
        let node = workers.iter().find(|(runtime, _)| *runtime == Runtime::Node);
        let report = node.map(|(_, ready)| &ready.loaded.report);
        let why = match report.and_then(|report| report.imported.get(&source)) {
            Some(imported) => problem_of_settings(&imported.config)?,
            None => match report.and_then(|report| report.failed.iter().rev().find(|(failed, _)| *failed == source)) {
                Some((_, failure)) if failure.is_under_way() => return Some(ConfigTrouble::UnderWay),
                Some((_, failure)) => failure.to_string(),
                None => {
                    let failed = &self.modules.current()?.generation.failed;
                    match failed.iter().find(|(failed, _)| *failed == source) {
                        Some((_, diagnostic)) => {
                            format!("it does not compile\n{}", diagnostic.render(self.console.color()))
                        }
                        None => self.absent.get(&Runtime::Node)?.clone(),
                    }
                }
            },
        };
        Some(ConfigTrouble::Broken(source, why))
    }

    /// Ends the process of the `app` hook. The requests that it held are answered by now.
    pub(crate) async fn stop_app(&mut self, patience: Duration) {
        self.app.stop(patience).await;
    }

    /// Whether a changed file can make a difference: handlers write files too, and those must not set off a reload.
    pub(crate) fn matters(&self, path: &Path) -> bool {
        let Some(current) = self.modules.current() else { return true };
        let inputs = &current.generation.inputs;
        let interpreted = [Runtime::Python, Runtime::Ruby].into_iter().any(|runtime| {
            let name = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
            name.is_some_and(|name| is_source_of(runtime, name)) && current.files_of(runtime).next().is_some()
        });
        interpreted || crate::changes::matters(&self.root, inputs, path) || current.generation.may_load(path)
    }

    /// The files whose change matters, wherever they are.
    pub(crate) fn inputs(&self) -> &BTreeSet<PathBuf> {
        self.modules.inputs()
    }

    /// Whether something does not compile.
    pub(crate) fn has_failures(&self) -> bool {
        self.modules.current().is_some_and(|current| !current.generation.failed.is_empty())
    }

    /// Whether a language that is being loaded has no worker yet.
    pub(crate) fn awaits_workers(&self) -> bool {
        self.loads.awaited()
    }

    /// The worker that came is not the one to wait for.
    pub(crate) fn await_another(&mut self, runtime: Runtime) {
        self.loads.await_another(runtime);
    }

    /// Why nothing at all can run, if there is something to run.
    pub(crate) fn hopeless(&self) -> Option<String> {
        let nothing = self.reports.is_empty() && !self.loads.any();
        let mut reasons = self.absent.values();
        nothing.then(|| reasons.next().cloned()).flatten()
    }

    /// The environment of workers changed: the spare ones are of no use any more.
    pub(crate) fn set_variables(&mut self, variables: Variables) {
        self.runtimes.set_variables(variables);
    }

    fn warn_once(&mut self, warning: String) {
        if !self.warned.contains(&warning) {
            self.console.warning(&warning);
            self.warned.insert(warning);
        }
    }

    /// What runs is what was imported, with nothing new: files are gone, or nobody can run them.
    pub(crate) async fn take_over(&mut self) {
        self.accept(Vec::new()).await;
    }

    async fn apply(&mut self, assembled: Assembled) {
        let settings = self.settings_of(&assembled);
        let Assembled { settings: read, project, routes, lines, errors, warnings } = assembled;
        self.store.set_durability(settings.durability);
        self.store.set_retention(settings.retention);
        let missing = missing_folders(&settings, &self.root);
        self.engine.set_settings(settings.clone());
        if let Err(error) = self.engine.apply(project).await {
            let changed = self.update.changed.clone();
            self.fall_behind(Behind { changed, force: true }, &format!("{error}; what ran before goes on"));
            return;
        }
        self.retry_pause = None;
        self.edge.set_site(routes, &settings, &self.root);
        self.say_lines(lines);
        let broken = std::mem::take(&mut self.update.broken);
        for error in broken.iter().chain(&errors) {
            self.console.error(error);
        }
        let again = self.update.again;
        if read.is_none() {
            self.console.error(if again {
                "the project's config does not hold, see above: until it does, what it said last holds"
            } else {
                "the project's config does not hold, see above: UNTIL IT DOES, THE DEFAULTS HOLD, for validation and cors too"
            });
        }
        for warning in warnings.into_iter().chain(missing) {
            self.warn_once(warning);
        }
        if again && !self.loads.awaited() {
            let took = self.clock.elapsed().saturating_sub(self.update.began).as_millis();
            self.console.info("RELOADED", &format!("{} in {took} ms", summary(&self.update.changed)));
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

/// Whether a file, by its name below the root, may be part of what an interpreter runs. Compiled languages know their inputs.
fn is_source_of(runtime: Runtime, name: &str) -> bool {
    let extension = Path::new(name).extension();
    match runtime {
        Runtime::Node => false,
        Runtime::Python => extension.is_some_and(|extension| extension == "py"),
        Runtime::Ruby => extension.is_some_and(|extension| extension == "rb"),
    }
}

/// What a project's knobs mean for the workers of a language.
fn pool_settings(settings: &ProjectConfig, runtime: Runtime) -> PoolSettings {
    let isolated = settings.isolation == Isolation::Process;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = match settings.workers.of(runtime) {
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

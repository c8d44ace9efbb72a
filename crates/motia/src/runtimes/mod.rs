//! The workers of a project's languages, started when a project first has a file of theirs.
//!
//! | module | holds |
//! |---|---|
//! | `interpreter` | which program runs a language |
//! | `python` | the one that has a project's packages |

mod interpreter;
pub(crate) mod python;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use motia_core::ids::Runtime;
use motia_core::record::Level;
use motia_engine::{Engine, EngineHost};
use motia_worker::Pool;
use motia_worker::pool::PoolConfig;
use motia_worker::process::{Program, Spawner};
use parking_lot::Mutex;

use crate::assemble::read_settings;
use crate::sdk::Sdk;
use crate::variables::Variables;

pub(crate) use interpreter::{Environment, Interpreter, find, too_old};

/// Where debuggers look for Python, as they do by default.
const DEBUGPY: u16 = 5678;

/// Everything that starting a worker takes.
pub(crate) struct Config {
    pub(crate) root: PathBuf,
    pub(crate) sdk: Sdk,
    pub(crate) variables: Variables,
    pub(crate) spawner: Spawner,
    pub(crate) engine: Engine,
    /// Where a debugger attaches to Node.
    pub(crate) inspect: Option<u16>,
}

/// The workers of all languages.
pub(crate) struct Runtimes {
    config: Config,
    /// What shims were found to run.
    behind_shims: Mutex<HashMap<PathBuf, PathBuf>>,
}

impl Runtimes {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, behind_shims: Mutex::default() }
    }

    /// The workers of a language; the first time they are started. What they are to load starts with the interpreter that is there now:
    /// `motia install` may have made another.
    pub(crate) fn pool(&self, runtime: Runtime) -> Result<Pool<EngineHost>> {
        let program = self.program(runtime)?;
        let engine = &self.config.engine;
        if let Some(pool) = engine.pool(runtime) {
            pool.set_program(program);
            return Ok(pool);
        }
        let telemetry = engine.telemetry().clone();
        let settings = engine.clone();
        let inspect = self.inspect(runtime);
        if let Some(port) = inspect.filter(|_| runtime == Runtime::Python) {
            telemetry.log(Level::Info, format!("a debugger of Python attaches at 127.0.0.1:{port} (debugpy)"));
        }
        let pool = Pool::new(
            PoolConfig {
                runtime,
                program,
                check: Arc::new(move |version| too_old(runtime, version)),
                import_timeout: Arc::new(move |config| {
                    let read = config.and_then(read_settings);
                    read.map_or_else(|| settings.settings().timeouts.import, |read| read.timeouts.import)
                }),
                report: Arc::new(move |level, text| telemetry.log(level, text)),
                inspect,
            },
            engine.host(),
            self.config.spawner.clone(),
            engine.tasks().clone(),
        );
        engine.add_pool(runtime, pool.clone());
        Ok(pool)
    }

    /// The environment of workers changed: spare ones are of no use any more.
    pub(crate) fn set_variables(&mut self, variables: Variables) {
        self.config.variables = variables;
        self.behind_shims.lock().clear();
        for runtime in self.config.engine.runtimes() {
            // One that cannot be found any more is said when it is needed next.
            let _ = self.pool(runtime);
        }
    }

    /// How the `app` hook of motia.config is started.
    pub(crate) fn app_program(&self) -> Result<Program> {
        let mut program = self.program(Runtime::Node)?;
        program.arguments = vec!["--enable-source-maps".into(), self.config.sdk.file("node/app.mjs").into()];
        Ok(program)
    }

    fn program(&self, runtime: Runtime) -> Result<Program> {
        let Config { root, sdk, variables, .. } = &self.config;
        let mut interpreter = find(runtime, root, variables)?;
        if runtime == Runtime::Python {
            let mut known = self.behind_shims.lock();
            let shim = interpreter.program.clone();
            let behind =
                known.entry(shim).or_insert_with_key(|shim| python::behind_shim(shim.clone(), root, variables));
            interpreter.program.clone_from(behind);
        }
        let arguments: Vec<OsString> = match runtime {
            Runtime::Node => vec!["--enable-source-maps".into(), sdk.file("node/worker.mjs").into()],
            // Frozen modules have no lines for a debugger to stop at.
            Runtime::Python if self.config.inspect.is_some() => {
                vec!["-Xfrozen_modules=off".into(), sdk.file("python").into()]
            }
            Runtime::Python => vec![sdk.file("python").into()],
            Runtime::Ruby => vec![sdk.file("ruby/worker.rb").into()],
        };
        let mut variables = variables.of(&interpreter);
        if runtime == Runtime::Python {
            // What it writes past the SDK is to be seen at once, and is text in every container.
            variables.set_default("PYTHONUNBUFFERED", "1");
            variables.set_default("PYTHONUTF8", "1");
        }
        let environment = variables.0;
        Ok(Program { program: interpreter.program, arguments, folder: root.clone(), environment })
    }

    /// The debugger's port: each language has its own.
    fn inspect(&self, runtime: Runtime) -> Option<u16> {
        let port = self.config.inspect?;
        Some(match runtime {
            Runtime::Python if port == crate::cli::INSPECT_PORT => DEBUGPY,
            Runtime::Python => port.saturating_add(1),
            Runtime::Node | Runtime::Ruby => port,
        })
    }
}

//! The command line. It puts the crates together; what they do is theirs.
//!
//! | module | holds |
//! |---|---|
//! | `cli` | commands and flags |
//! | `serve` | `motia dev` and `motia start` |
//! | `signals` | the signals that end an engine |
//! | `project` | a project's way from files to what runs |
//! | `app_hook` | the process of `app` in motia.config |
//! | `assemble` | configs to steps, streams and routes |
//! | `changes` | the files that change in `dev` |
//! | `console` | start-up and reload lines |
//! | `install` | `motia install` |
//! | `manage` | commands for an engine that runs |
//! | `packages` | the packages that editors and `tsc` find |
//! | `descriptors` | how many files and connections may be open |
//! | `runtimes` | the workers of each language, and the interpreters that they run on |
//! | `sdk`, `variables`, `dotenv` | what workers need |
//! | `doctor` | `motia doctor` |

mod app_hook;
mod assemble;
mod changes;
mod cli;
mod console;
mod descriptors;
mod doctor;
mod dotenv;
mod install;
mod manage;
mod packages;
mod project;
mod runtimes;
mod sdk;
mod serve;
mod signals;
mod variables;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::Parser;
use motia_server::Mode;
use motia_worker::launcher;

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The engine runs its own binary to launch workers: see `motia_worker::launcher`.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() == Some(OsStr::new(launcher::ARGUMENT)) {
        let Err(error) = launcher::run(arguments);
        eprintln!("motia: a worker could not be launched: {error}");
        return ExitCode::FAILURE;
    }
    let outcome = match Cli::parse().command {
        Command::Dev(options) => {
            block_on(serve::run(options.serve, Mode::Dev, options.inspect)).map(|()| ExitCode::SUCCESS)
        }
        Command::Start(options) => block_on(serve::run(options, Mode::Start, None)).map(|()| ExitCode::SUCCESS),
        Command::Install(options) => block_on(install::run(options)),
        Command::Emit(options) => block_on(manage::emit(options)).map(|()| ExitCode::SUCCESS),
        Command::Queue(options) => block_on(manage::queue(options)).map(|()| ExitCode::SUCCESS),
        Command::Cron(options) => block_on(manage::cron(options)).map(|()| ExitCode::SUCCESS),
        Command::Backup(options) => manage::backup(&options).map(|()| ExitCode::SUCCESS),
        Command::Import(options) => manage::import(&options).map(|()| ExitCode::SUCCESS),
        Command::Doctor => doctor::run(),
        Command::Version => {
            println!("motia {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("motia: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(threads());
    }
    let runtime = runtime.enable_all().thread_name("motia").build()?;
    let outcome = runtime.block_on(work);
    // Threads that read or compile may still be at it; nothing waits for them.
    runtime.shutdown_background();
    outcome
}

/// One thread for two cores: the other core runs handlers. Threads that wake one another for each request, and take its worker's core for
/// that, answer a fifth fewer of them (`bench/README.md`).
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

//! How a worker process starts. The engine's own binary runs again as a launcher that prepares the process and then becomes the
//! worker: everything that must happen between fork and exec happens here, in safe code.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The first argument that makes the binary a launcher.
pub const ARGUMENT: &str = "__worker";

/// The command line of a launcher, after the binary: it starts `program` for the engine `parent`. The worker may have `files` open at
/// a time, or as many as the engine.
pub fn arguments(parent: u32, files: Option<u64>, program: &OsStr) -> Vec<OsString> {
    let files = files.map(|files| files.to_string()).unwrap_or_default();
    vec![ARGUMENT.into(), parent.to_string().into(), files.into(), program.into()]
}

/// Runs as launcher; `arguments` are those after [`ARGUMENT`]. Returns only if the worker could not be started.
///
/// The engine's socket comes as stdin, the one descriptor that crosses an exec by itself. It moves to another number, since
/// user code that touches `process.stdin` breaks descriptor 0.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> io::Result<Infallible> {
    let mut arguments = arguments.into_iter();
    let usage = || {
        let usage = "this command is the engine's own: it takes a parent, a number of files and a program";
        io::Error::new(io::ErrorKind::InvalidInput, usage)
    };
    let parent: i32 = arguments.next().and_then(|pid| pid.to_str()?.parse().ok()).ok_or_else(usage)?;
    let files = arguments.next().ok_or_else(usage)?;
    let program = arguments.next().ok_or_else(usage)?;

    // `dup` leaves close-on-exec off: that is what lets the worker inherit it.
    let socket = rustix::io::dup(io::stdin())?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;

    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // If the engine died before the line above, the signal would never come.
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        return Err(io::Error::other("the engine is gone"));
    }

    if let Some(files) = files.to_str().and_then(|files| files.parse().ok()) {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum })?;
    }

    let socket = socket.into_raw_fd();
    Err(Command::new(program).args(arguments).env("MOTIA_FD", socket.to_string()).exec())
}

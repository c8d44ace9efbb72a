//! A worker process.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::launcher;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The interpreter.
    pub program: PathBuf,
    /// Its arguments: flags and the SDK's worker script.
    pub arguments: Vec<OsString>,
    /// The working folder: the project's root.
    pub folder: PathBuf,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// Starts processes, all from one thread that lives as long as the engine: the signal by which a worker dies with its
/// parent follows the thread that made it.
#[derive(Clone)]
pub struct Spawner {
    requests: mpsc::UnboundedSender<Request>,
}

struct Request {
    program: Program,
    answer: oneshot::Sender<io::Result<(Child, UnixStream)>>,
}

impl Spawner {
    /// Starts the thread. Must be called inside the runtime. `binary`: the engine's own, to run as launcher. `files`: how many files
    /// a worker may have open, if not as many as the engine.
    pub fn start(binary: PathBuf, files: Option<u64>) -> io::Result<Self> {
        let (requests, mut inbox) = mpsc::unbounded_channel::<Request>();
        let runtime = tokio::runtime::Handle::current();
        thread::Builder::new().name("worker-spawner".into()).spawn(move || {
            let _guard = runtime.enter();
            while let Some(request) = inbox.blocking_recv() {
                // Whoever asked may have given up; the child is killed on drop then.
                let _ = request.answer.send(spawn(&binary, files, &request.program));
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a process and the tasks that watch it. `output` gets each line that it writes to stdout and stderr.
    pub async fn spawn(
        &self,
        program: Program,
        tasks: &TaskTracker,
        output: impl Fn(bool, String) + Send + Sync + 'static,
    ) -> io::Result<(Process, UnixStream)> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the engine is stopping");
        self.requests.send(Request { program, answer }).map_err(|_| gone())?;
        let (mut child, socket) = answered.await.map_err(|_| gone())??;
        let output = Arc::new(output);
        if let Some(stdout) = child.stdout.take() {
            let output = Arc::clone(&output);
            tasks.spawn(lines(stdout, move |line| output(false, line)));
        }
        if let Some(stderr) = child.stderr.take() {
            tasks.spawn(lines(stderr, move |line| output(true, line)));
        }
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let alive = Arc::new(Mutex::new(pid));
        let (exited, exit) = watch::channel(None);
        let ended = Arc::clone(&alive);
        tasks.spawn(async move {
            let status = child.wait().await;
            // From here on the pid may belong to someone else: nobody may signal it any more. What is left of its group dies.
            if let Some(pid) = ended.lock().take() {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            exited.send_replace(Some(match status {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            }));
        });
        Ok((Process { pid: pid.map_or(0, |pid| pid.as_raw_nonzero().get()), alive, exit }, socket))
    }
}

fn spawn(binary: &PathBuf, files: Option<u64>, program: &Program) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(binary)
        .args(launcher::arguments(std::process::id(), files, program.program.as_os_str()))
        .args(&program.arguments)
        .current_dir(&program.folder)
        .env_clear()
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C in the terminal reaches only the engine.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

/// A longer line is passed on in pieces.
const LONGEST_LINE: usize = 64 << 10;

async fn lines(stream: impl AsyncRead + Unpin, output: impl Fn(String)) {
    // Bytes, not text: user code may write anything.
    let (mut reader, mut line) = (BufReader::new(stream), Vec::new());
    loop {
        let room = u64::try_from(LONGEST_LINE - line.len()).unwrap_or(0);
        match (&mut reader).take(room).read_until(b'\n', &mut line).await {
            Ok(read) if read > 0 => {}
            _ => break,
        }
        if line.ends_with(b"\n") || line.len() >= LONGEST_LINE {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            output(String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)).into_owned());
            line.clear();
        }
    }
    if !line.is_empty() {
        output(String::from_utf8_lossy(&line).into_owned());
    }
}

/// A running process. Dropping this does not end it; [`Process::kill`] does.
#[derive(Clone)]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// `None` once it has ended.
    alive: Arc<Mutex<Option<Pid>>>,
    exit: watch::Receiver<Option<String>>,
}

impl Process {
    /// Ends it and everything that it started.
    pub fn kill(&self) {
        if let Some(pid) = *self.alive.lock() {
            // It may have ended this very moment.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Waits for its end and says how it came, for people.
    pub async fn ended(&self) -> String {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => "its end was not seen".into(),
        }
    }
}

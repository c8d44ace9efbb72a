//! A project in a folder of its own, the engine that runs it, and a client.

pub(crate) mod http;
pub(crate) mod shim;
pub(crate) mod socket;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use http::{Answer, Client};

/// Longer than anything takes on a busy machine; a test that gets there has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A project in a temporary folder.
pub(crate) struct Project {
    path: PathBuf,
    /// Goes with the last project in it.
    folder: Arc<tempfile::TempDir>,
}

impl Project {
    /// A project of these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let project = Self { path: folder.path().to_owned(), folder };
        for (path, content) in files {
            project.write(path, content);
        }
        project
    }

    /// A copy of an example.
    pub(crate) fn example(name: &str) -> Self {
        let project = Self::new(&[]);
        copy(&examples().join(name), project.path());
        project
    }

    /// A project in a folder of this one.
    pub(crate) fn within(&self, folder: &str) -> Self {
        Self { path: self.path.join(folder), folder: Arc::clone(&self.folder) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path().join(path)).expect("removed");
    }

    /// `motia dev` on a free port; returns once it is ready.
    pub(crate) fn dev(&self) -> Engine {
        self.run(&["dev", "--port", "0"])
    }

    /// `motia start` on a free port; returns once it is ready.
    pub(crate) fn start(&self) -> Engine {
        self.run(&["start", "--port", "0", "--host", "127.0.0.1"])
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Engine {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Engine {
        let mut engine = self.launch(arguments, environment);
        let ready = engine.wait_for("http://");
        engine.set_port(&ready);
        engine
    }

    /// Starts the binary without waiting for anything.
    pub(crate) fn launch(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Engine {
        let mut command = alone(env!("CARGO_BIN_EXE_motia"));
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
        self.spawn(command)
    }

    /// Starts what a shell runs.
    pub(crate) fn launch_shell(&self, script: &str) -> Engine {
        let mut command = alone("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        self.spawn(command)
    }

    /// Starts `motia dev` in a terminal, and gives its keyboard. `None` where there is no program that makes terminals.
    pub(crate) fn dev_in_a_terminal(&self) -> Option<(Engine, ChildStdin)> {
        Command::new("script")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .ok()
            .filter(|status| status.success())?;
        let mut command = alone("script");
        let dev = format!("{} dev --port 0", env!("CARGO_BIN_EXE_motia"));
        command.args(["-qefc", &dev, "/dev/null"]).env("NO_COLOR", "1").stdin(Stdio::piped());
        let mut engine = self.spawn(command);
        let ready = engine.wait_for("http://");
        engine.port = ready.split("http://").nth(1).and_then(port_of).expect("a port in the ready line");
        let keyboard = engine.child.stdin.take().expect("piped");
        Some((engine, keyboard))
    }

    /// A command of `motia` beside an engine; answers with what it printed.
    pub(crate) fn motia(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "motia {arguments:?}: {error}");
        out.into_owned()
    }

    /// The same, for one that fails: what it says.
    pub(crate) fn motia_fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(!output.status.success(), "motia {arguments:?} succeeded: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Output {
        alone(env!("CARGO_BIN_EXE_motia")).args(arguments).current_dir(self.path()).output().expect("the binary runs")
    }

    fn spawn(&self, mut command: Command) -> Engine {
        let mut child = command
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = Arc::new(Lines::default());
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Lines::read(&lines, stdout);
        Lines::read(&lines, stderr);
        Engine { child, lines, port: 0 }
    }
}

/// A program that does not see how the tests themselves were started.
fn alone(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("PORT").env_remove("HOST").env_remove("LOG_LEVEL").env_remove("VIRTUAL_ENV");
    command
}

fn port_of(url: &str) -> Option<u16> {
    let digits = url.split_once(':')?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the example is there") {
        let entry = entry.expect("readable");
        let name = entry.file_name();
        if name == ".motia" {
            continue;
        }
        let target = to.join(&name);
        if name == "node_modules" {
            std::os::unix::fs::symlink(entry.path(), target).expect("linked");
        } else if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// A running engine. Killed when it is dropped.
pub(crate) struct Engine {
    child: Child,
    lines: Arc<Lines>,
    pub(crate) port: u16,
}

impl Engine {
    /// The port that a ready line names.
    pub(crate) fn set_port(&mut self, ready: &str) {
        self.port = ready.split("http://").nth(1).and_then(port_of).expect("a port in the ready line");
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.client().request("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, json: &str) -> Answer {
        self.client().request("POST", path, &[("content-type", "application/json")], json.as_bytes())
    }

    /// Waits for a line that contains a text, and returns it. Lines before the last [`Engine::mark`] do not count.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.lines.wait_for(text).unwrap_or_else(|| panic!("no line contains {text:?} in\n{}", self.output()))
    }

    /// From here on, only lines to come count.
    pub(crate) fn mark(&self) {
        let mut state = self.lines.state.lock().expect("lines");
        state.seen = state.all.len();
    }

    /// Everything that it printed so far.
    pub(crate) fn output(&self) -> String {
        self.lines.state.lock().expect("lines").all.join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The worker that serves, as the admin API knows it.
    pub(crate) fn worker_pid(&self) -> i32 {
        *self.worker_pids("serving").first().expect("a worker serves")
    }

    /// The workers in a state: `serving`, `silent` or `finishing`.
    pub(crate) fn worker_pids(&self, state: &str) -> Vec<i32> {
        self.worker_pids_of("node", state)
    }

    /// The same, for another language.
    pub(crate) fn worker_pids_of(&self, language: &str, state: &str) -> Vec<i32> {
        let health = self.get("/__motia/health").json();
        let workers = health["workers"][language].as_array().cloned().expect("a list of workers");
        let in_state = workers.iter().filter(|worker| worker["state"] == state);
        in_state.map(|worker| i32::try_from(worker["pid"].as_i64().expect("a pid")).expect("a pid")).collect()
    }

    pub(crate) fn signal(&self, signal: &str) {
        send_signal(i64::from(self.pid()), signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> (std::process::ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                // The last lines may still be in the pipe.
                thread::sleep(Duration::from_millis(50));
                return (status, self.output());
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.output());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the engine printed\n{}\n---", self.output());
        }
    }
}

pub(crate) fn send_signal(pid: i64, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill -{signal} {pid}");
}

/// Random numbers that can be had again: the seed is printed, and `MOTIA_SEED` sets it.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
        let seed = std::env::var("MOTIA_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::try_from(now & u128::from(u64::MAX)).expect("fits"));
        println!("MOTIA_SEED={seed}");
        Self(seed)
    }

    /// A number below `most`.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most as u64).expect("fits")
    }
}

/// Waits until something holds.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What a process printed.
#[derive(Default)]
struct Lines {
    state: Mutex<LinesState>,
    more: Condvar,
}

#[derive(Default)]
struct LinesState {
    all: Vec<String>,
    /// Lines before this one do not count any more.
    seen: usize,
}

impl Lines {
    fn read(lines: &Arc<Self>, stream: impl std::io::Read + Send + 'static) {
        let lines = Arc::clone(lines);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.state.lock().expect("lines").all.push(line);
                lines.more.notify_all();
            }
        });
    }

    fn wait_for(&self, text: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().expect("lines");
        loop {
            if let Some(line) = state.all.iter().skip(state.seen).find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.more.wait_timeout(state, left).expect("lines").0;
        }
    }
}

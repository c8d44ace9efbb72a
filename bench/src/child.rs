//! Candidates as processes: started, waited for, stopped.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use motia_core::Clock;
use rustix::process::{Pid, Signal, getppid, kill_process_group, set_parent_process_death_signal};

use crate::candidate::Candidate;
use crate::client::{self, Body};

/// The first argument with which the bench starts itself to become a candidate.
pub(crate) const LAUNCH: &str = "__launch";

const READY_WITHIN: Duration = Duration::from_secs(60);
/// For one question while it is not ready.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than Motia's own time to finish what runs.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// A process in a group of its own, which ends with the bench however that ends.
pub(crate) struct Child(std::process::Child);

impl Child {
    /// A command that becomes this program.
    pub(crate) fn command(program: &OsStr) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([LAUNCH, &std::process::id().to_string()]).arg(program);
        Ok(command)
    }

    /// `log` is where its output goes.
    pub(crate) fn spawn(mut command: Command, log: File) -> Result<Self> {
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self(command.spawn()?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, and sees that it does. Whether it ended by itself.
    pub(crate) fn stop(mut self) -> Result<bool> {
        self.signal(Signal::TERM);
        let step = Duration::from_millis(10);
        for _ in 0..(STOPPED_WITHIN.as_millis() / step.as_millis()) {
            if self.0.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(step);
        }
        self.signal(Signal::KILL);
        self.0.wait()?;
        Ok(false)
    }

    /// To its whole group, which is named by its first process. Only while that is not yet waited for: then the id is surely its own.
    fn signal(&mut self, signal: Signal) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let (Some(group), Ok(None)) = (group, self.0.try_wait()) {
            // It may have ended just now.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Child {
    /// For the ways out of the bench that are errors.
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A candidate that answers.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From exec to the first 200.
    pub(crate) ready: Duration,
    /// Its output.
    pub(crate) log: PathBuf,
}

impl Running {
    /// Starts it on a free port and asks until it answers. `logs` is where its output goes.
    pub(crate) fn start(candidate: &Candidate, logs: &Path, clock: &Arc<dyn Clock>) -> Result<Self> {
        let port = free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = logs.join(format!("{}.log", candidate.name));
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Child::command(candidate.program.as_os_str())?;
        command.args(candidate.arguments.iter().map(|argument| argument.replace("{port}", &port.to_string())));
        command.env("PORT", port.to_string()).env("NODE_ENV", "production");
        command.envs(candidate.variables.iter().map(|(name, value)| (name, value))).current_dir(&candidate.folder);
        let question = client::request("GET", candidate.ready, &Body::None);
        let began = clock.elapsed();
        let child = Child::spawn(command, output).with_context(|| format!("cannot start {}", candidate.name))?;
        let mut running = Self { child, address, ready: Duration::ZERO, log };
        loop {
            if matches!(client::ask(address, &question, PATIENCE), Ok((200, _))) {
                running.ready = clock.elapsed().saturating_sub(began);
                return Ok(running);
            }
            if let Some(status) = running.child.0.try_wait()? {
                bail!("{} ended before it answered ({status}):\n{}", candidate.name, tail(&running.log));
            }
            if clock.elapsed().saturating_sub(began) > READY_WITHIN {
                bail!("{} did not answer within {READY_WITHIN:?}:\n{}", candidate.name, tail(&running.log));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and sees that it does. Whether it ended by itself.
    pub(crate) fn stop(self) -> Result<bool> {
        self.child.stop()
    }
}

/// A port that is free again for whoever is started with it; nobody else here asks for a given one.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What the bench does when it is started with [`LAUNCH`]: it becomes the candidate, which then ends with the bench however that
/// ends.
pub(crate) fn launch(mut arguments: impl Iterator<Item = OsString>) -> Result<Infallible> {
    let parent = arguments.next().and_then(|text| text.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let program = arguments.next().context("there is no program to launch")?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before it was watched.
    anyhow::ensure!(parent.is_some() && getppid() == parent, "the bench is gone");
    Err(Command::new(&program).args(arguments).exec())
        .with_context(|| format!("cannot run {}", PathBuf::from(program).display()))
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

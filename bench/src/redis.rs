//! A Redis for the peers alone, on the same disk as Motia's store, which keeps what it is given for at most a second in memory:
//! `appendfsync everysec`, what most run.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child::{self, Child};
use crate::lab::{self, Lab};

const READY_WITHIN: Duration = Duration::from_secs(10);

/// Ends with its owner.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
}

impl Redis {
    /// None where there is no Redis to run: the peers that need it are left out.
    pub(crate) fn start(lab: &Lab, name: &str) -> Result<Option<Self>> {
        let installed = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if installed.is_err() {
            lab::say("redis-server is not installed: peers that need it are left out");
            return Ok(None);
        }
        let port = child::free_port()?;
        let folder = lab.scratch.path().join(format!("redis-{name}"));
        std::fs::create_dir_all(&folder)?;
        let log: PathBuf = lab.scratch.logs().join(format!("redis-{name}.log"));
        let mut command = Child::command("redis-server".as_ref())?;
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]).current_dir(&folder);
        let child = Child::spawn(command, File::create(&log)?).context("cannot start redis-server")?;
        let began = lab.clock.elapsed();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if lab.clock.elapsed() - began > READY_WITHIN {
                bail!("redis-server does not listen:\n{}", child::tail(&log));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(Self { child, port }))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stop(self) -> Result<bool> {
        self.child.stop()
    }
}

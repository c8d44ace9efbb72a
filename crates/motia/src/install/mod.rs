//! `motia install`: a project's own packages, without the original's; and `.bin/motia`, so that npm scripts find this binary.
//!
//! | module | holds |
//! |---|---|
//! | `node` | package.json, and our packages beside its own |
//! | `python` | requirements.txt, into the project's environment |
//! | `requirements` | the requirements.txt that an installer gets |
//! | `ruby` | the Gemfile |
//! | `manifest` | what a package.json says |
//! | `manager` | npm, pnpm, yarn, bun |
//! | `swap` | a package.json that is another one while a manager runs |
//! | `bin` | `node_modules/.bin/motia` |

mod bin;
mod manager;
mod manifest;
mod node;
mod python;
mod requirements;
mod ruby;
mod swap;

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Install;
use crate::variables::Variables;
use crate::{manage, packages};
use manifest::Manifest;

/// Set for package managers: a postinstall script that calls `motia install` has nothing to do then.
const RUNNING: &str = "MOTIA_INSTALLING";

/// Installs in the current folder. The exit code is that of the package manager that failed.
pub(crate) async fn run(options: Install) -> Result<ExitCode> {
    if env::var_os(RUNNING).is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    let root = env::current_dir().context("the current folder cannot be used")?;
    manager::check_writable(&root)?;
    for file in recover(&root)? {
        say(&format!("{file} is back: an install before this one was cut off"));
    }
    let manifest = Manifest::read(&root)?;
    let takes_node = takes_packages(&root, manifest.as_ref());
    let variables = Variables::of_project(&root).context("cannot read .env")?;
    anyhow::ensure!(
        takes_node || python::is_wanted(&root) || ruby::is_wanted(&root),
        "there is no package.json, requirements.txt or Gemfile in {}, so there is nothing to install: run this in the folder of the project",
        root.display()
    );
    let mut code = if takes_node { node::install(&root, manifest, options.verbose).await? } else { 0 };
    if code == 0 {
        code = python::install(&root, &variables).await?;
    }
    if code == 0 {
        code = ruby::install(&root, &variables).await?;
    }
    if code == 0 {
        // What failed for want of a package may work now.
        manage::reload().await;
    }
    Ok(ExitCode::from(code))
}

/// Puts back what an install left that was cut off; the names of the files.
pub(crate) fn recover(root: &Path) -> Result<Vec<String>> {
    let restored = swap::recover(root)?;
    Ok(restored.iter().map(|file| file.strip_prefix(root).unwrap_or(file).display().to_string()).collect())
}

/// Whether a folder is one for packages. One with a tsconfig.json alone has an editor that looks for ours.
fn takes_packages(root: &Path, manifest: Option<&Manifest>) -> bool {
    manifest.is_some() || root.join("tsconfig.json").exists()
}

/// Puts the packages where the editor finds them, in a project that has a place for them. Answers with why it could not.
pub(crate) fn place_packages(root: &Path) -> Option<String> {
    let manifest = Manifest::read(root).ok().flatten();
    if !takes_packages(root, manifest.as_ref()) {
        return None;
    }
    let wanted = manifest.map(|manifest| manifest.left_out()).unwrap_or_default();
    let placed = packages::place(root, &wanted);
    placed.err().map(|error| format!("the packages for editors and tsc are left out: {error:#}"))
}

/// What someone should know whose npm scripts find another `motia`, said once per project.
pub(crate) fn hint(root: &Path, motia_dir: &Path) -> Option<String> {
    let told = motia_dir.join("told-of-install");
    let manifest = Manifest::read(root).ok().flatten()?;
    let moving = !manifest.left_out().is_empty() && manifest.runs_motia();
    if !moving || bin::is_linked(root) || told.exists() {
        return None;
    }
    // Said again if that cannot be written.
    let _ = fs::write(told, "");
    Some("package.json names the packages of Motia 0.x: run `motia install` once, and npm scripts such as `npm run dev` run this motia".into())
}

fn say(text: &str) {
    println!("➜ [INSTALL] {text}");
}

/// The signals that end a command: they are the package manager's, and we outlive it.
struct Forwarded {
    signals: [tokio::signal::unix::Signal; 3],
}

impl Forwarded {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            signals: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
        })
    }

    async fn wait(&mut self, mut child: Child) -> Result<u8> {
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let [interrupt, terminate, hangup] = &mut self.signals;
        loop {
            let signal = tokio::select! {
                ended = child.wait() => {
                    let status = ended.context("the package manager's end was not seen")?;
                    // As shells say it: 128 and the signal.
                    let signalled = || std::os::unix::process::ExitStatusExt::signal(&status).map_or(1, |signal| 128 + signal);
                    return Ok(u8::try_from(status.code().unwrap_or_else(signalled)).unwrap_or(1));
                }
                // A terminal has sent it to the package manager too.
                _ = interrupt.recv() => continue,
                _ = terminate.recv() => Signal::TERM,
                _ = hangup.recv() => Signal::HUP,
            };
            if let Some(pid) = pid {
                // It may have ended this very moment.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

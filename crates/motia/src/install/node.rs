//! The packages of a package.json.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};

use super::manager::{self, Choice};
use super::manifest::Manifest;
use super::swap::Swap;
use super::{Forwarded, RUNNING, bin, say};
use crate::packages::{self, Placed};

/// Lets the project's package manager install what is not ours, and puts ours beside it. Answers with the manager's exit code.
pub(super) async fn install(root: &Path, manifest: Option<Manifest>, verbose: bool) -> Result<u8> {
    let binary = env::current_exe().context("the motia binary cannot find itself")?;
    let lifecycle = manager::running_lifecycle(|name| env::var(name).ok());
    if let Some(manifest) = manifest.as_ref().filter(|_| !lifecycle) {
        let code = let_manager_install(root, &binary, manifest).await?;
        if code != 0 {
            return Ok(code);
        }
    }
    let wanted = manifest.map(|manifest| manifest.left_out()).unwrap_or_default();
    let placed = packages::place(root, &wanted)?;
    bin::link(root, &binary).context("cannot write node_modules/.bin/motia")?;
    match placed {
        Placed::OwnCopy(own) => say(&format!(
            "{} is installed and stays; steps run with the motia of this binary all the same",
            own.display()
        )),
        Placed::There { written } if written > 0 || verbose => {
            say("motia and @motiadev/* are in node_modules, for editors and tsc")
        }
        Placed::There { .. } => {}
    }
    if !lifecycle {
        say("npm scripts run this motia (node_modules/.bin/motia)");
    }
    Ok(0)
}

async fn let_manager_install(root: &Path, binary: &Path, manifest: &Manifest) -> Result<u8> {
    let left_out = manifest.left_out();
    if manifest.others() == 0 && !root.join("node_modules").exists() {
        say("package.json names no packages of its own");
        return Ok(0);
    }
    let choice = Choice::of(root, manifest.package_manager());
    let mut command = choice.command(root, binary).await?;
    command.env(RUNNING, "1");
    let without = if left_out.is_empty() { String::new() } else { format!(", without {}", left_out.join(", ")) };
    say(&format!("installing with {}{without}", choice.manager.name()));
    // From here to the end of the swap no signal may end us.
    let mut signals = Forwarded::new()?;
    let swap = Swap::begin(root, &manifest.filtered(), &choice.locks)?;
    let outcome = match command.spawn() {
        Ok(child) => signals.wait(child).await,
        Err(error) => Err(choice.cannot_run(&error)),
    };
    swap.end()?;
    let code = outcome?;
    if code != 0 {
        say(&format!(
            "{} ended with {code}: see above. package.json and the lock file are as they were",
            choice.manager.name()
        ));
    }
    Ok(code)
}

//! The gems of a Gemfile.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use super::{Forwarded, RUNNING, say};
use crate::variables::Variables;

/// Whether a project has gems to install.
pub(super) fn is_wanted(root: &Path) -> bool {
    root.join("Gemfile").is_file()
}

/// Lets bundler install them. Answers with its exit code. A machine without Ruby goes on without them: its steps say so when they run.
pub(super) async fn install(root: &Path, variables: &Variables) -> Result<u8> {
    if !is_wanted(root) {
        return Ok(0);
    }
    let Some(bundle) = variables.on_path(&["bundle"]) else {
        say("the Gemfile is left out: bundle is not on PATH. It comes with Ruby");
        return Ok(0);
    };
    say("installing the Gemfile with bundler");
    let mut signals = Forwarded::new()?;
    let child = Command::new(&bundle).arg("install").current_dir(root).env(RUNNING, "1").spawn();
    let code = signals.wait(child.with_context(|| format!("{} cannot be run", bundle.display()))?).await?;
    if code != 0 {
        say(&format!("bundler ended with {code}: see above"));
    }
    Ok(code)
}

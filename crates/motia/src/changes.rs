//! Changes of a project's files, as the reload loop takes them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::sync::mpsc;

/// A project that is watched.
pub(crate) struct Changes {
    changed: mpsc::UnboundedReceiver<Vec<PathBuf>>,
}

impl Changes {
    pub(crate) fn watch(_root: &Path, _motia_dir: &Path) -> Result<Self> {
        let (_tell, changed) = mpsc::unbounded_channel();
        Ok(Self { changed })
    }

    /// The files that changed since the last time.
    pub(crate) async fn next(&mut self) -> Vec<PathBuf> {
        match self.changed.recv().await {
            Some(changed) => changed,
            None => std::future::pending().await,
        }
    }
}

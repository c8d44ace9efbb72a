//! Commands for an engine that runs: queues, schedules, events by hand; and `motia backup` and `motia import`.
//!
//! | module | holds |
//! |---|---|
//! | `client` | finding the engine and asking it |
//! | `queue` | `motia queue` |
//! | `cron` | `motia cron` |
//! | `emit` | `motia emit` |
//! | `backup` | `motia backup` |
//! | `import` | `motia import` |
//! | `table` | lists for people |

mod backup;
mod client;
mod cron;
mod emit;
mod import;
mod queue;
mod table;

pub(crate) use backup::{Backup, run as backup};
pub(crate) use cron::{Cron, run as cron};
pub(crate) use emit::{Emit, run as emit};
pub(crate) use import::{Import, run as import};
pub(crate) use queue::{Queue, run as queue};

use std::path::PathBuf;

use clap::Args;

/// Which engine is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The engine's folder, as its own --motia-dir [default: .motia]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub(crate) motia_dir: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Lets an engine that runs in this folder import the project's files anew, if one does.
pub(crate) async fn reload() {
    let which = Which { motia_dir: None, json: false };
    if let Ok(engine) = client::Client::find(&which) {
        // An engine of another version, or one that is stopping.
        let _ = engine.post("reload", &serde_json::json!({})).await;
    }
}

impl Which {
    pub(crate) fn folder(&self) -> PathBuf {
        self.motia_dir.clone().unwrap_or_else(|| ".motia".into())
    }
}

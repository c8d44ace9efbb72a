//! `motia backup`: a copy of the store, whether or not an engine runs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Which;

/// Copy the store, also while an engine runs. To restore it, stop the engine and put the copy in the place of .motia/motia.db.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    which: Which,
    /// Where the copy goes [default: motia-<date and time>.db]
    file: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(options: &Backup) -> Result<()> {
    let now = jiff::Zoned::now();
    let file = options.file.clone().unwrap_or_else(|| format!("motia-{}.db", now.strftime("%Y%m%d-%H%M%S")).into());
    let bytes =
        motia_store::backup(&options.which.folder(), &file, motia_core::Timestamp(now.timestamp().as_millisecond()))?;
    if options.which.json {
        println!("{}", serde_json::json!({ "file": file, "bytes": bytes }));
    } else {
        println!(
            "{} holds everything that was committed when it began ({} MB)",
            file.display(),
            bytes.div_ceil(1 << 20)
        );
    }
    Ok(())
}

//! `motia import redis`: state, streams and events of a Motia 0.17 project.
//!
//! | module | holds |
//! |---|---|
//! | `layout` | how 0.17 kept things in Redis |
//! | `reader` | reading all of it |
//! | `folder` | a `redis-server` of our own, for the files of one that does not run |

mod folder;
mod layout;
mod reader;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use motia_core::Timestamp;
use motia_store::{Adopted, Adoption, Left};

use super::Which;
use folder::Private;
use reader::Reader;

/// Bring the data of a Motia 0.x project into its store
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// From Redis, where Motia 0.17 kept state, streams and events. Stop the engine first; it is safe to repeat
    Redis {
        #[command(flatten)]
        which: Which,
        /// A URL (redis://localhost:6379/0), or the folder of its files (.motia/appendonlydir)
        source: String,
        /// Only count what is there
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs the command.
pub(crate) fn run(options: &Import) -> Result<()> {
    let From::Redis { which, source, dry_run } = &options.from;
    // Lives until everything is read.
    let (_private, url) = if source.contains("://") {
        (None, source.clone())
    } else {
        let private = Private::start(Path::new(source))?;
        let url = private.url();
        (Some(private), url)
    };
    let mut reader = Reader::connect(&url).with_context(|| format!("cannot read from {source}"))?;
    let found = if *dry_run { count(&mut reader)? } else { adopt(&mut reader, &which.folder())? };
    println!(
        "{}",
        if which.json { as_json(&found, *dry_run, reader.skipped()) } else { text(&found, *dry_run, reader.skipped()) }
    );
    Ok(())
}

fn count(reader: &mut Reader) -> Result<Adopted> {
    let mut found = Adopted::default();
    reader.each(&mut |left| {
        *match left {
            Left::State { .. } => &mut found.values,
            Left::Item { .. } => &mut found.items,
            Left::Event(event) if event.dead.is_some() => &mut found.dead,
            Left::Event(_) => &mut found.events,
        } += 1;
        Ok(())
    })?;
    Ok(found)
}

fn adopt(reader: &mut Reader, folder: &Path) -> Result<Adopted> {
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let mut adoption = Adoption::open(folder, now, &(Arc::new(|_, text| eprintln!("{text}")) as _))?;
    reader.each(&mut |left| Ok(adoption.store(left)?))?;
    Ok(adoption.finish()?)
}

fn as_json(found: &Adopted, dry: bool, skipped: &[String]) -> String {
    let Adopted { values, items, events, dead, known } = found;
    serde_json::json!({
        "dryRun": dry, "state": values, "streamItems": items, "events": events, "deadLetters": dead, "known": known,
        "skipped": skipped,
    })
    .to_string()
}

fn text(found: &Adopted, dry: bool, skipped: &[String]) -> String {
    let Adopted { values, items, events, dead, known } = found;
    let mut text = format!(
        "{}: {values} values of state, {items} stream items, {events} events that wait, {dead} dead letters",
        if dry { "found" } else { "imported" }
    );
    if *known > 0 {
        text += &format!("\n{known} were there already");
    }
    for skipped in skipped {
        text += &format!("\nskipped {skipped}");
    }
    if dry {
        text += "\nnothing was changed; without --dry-run it is imported";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said() {
        let found = Adopted { values: 3, items: 2, events: 1, dead: 4, known: 5 };
        let skipped = ["motia:state:x: no JSON".to_owned()];
        insta::assert_snapshot!(text(&found, true, &skipped), @r"
        found: 3 values of state, 2 stream items, 1 events that wait, 4 dead letters
        5 were there already
        skipped motia:state:x: no JSON
        nothing was changed; without --dry-run it is imported
        ");
        insta::assert_snapshot!(text(&Adopted { known: 0, ..found }, false, &[]), @"imported: 3 values of state, 2 stream items, 1 events that wait, 4 dead letters");
        insta::assert_snapshot!(as_json(&found, false, &[]), @r#"{"dryRun":false,"state":3,"streamItems":2,"events":1,"deadLetters":4,"known":5,"skipped":[]}"#);
    }
}

//! A copy of the store while an engine may be running: one snapshot, written in one go.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use motia_core::Timestamp;
use rusqlite::{Connection, OpenFlags};

use crate::OpenError;
use crate::open::{FILE, look};

/// Copies the store in `dir` into a new file, which is closed to others; answers with its size. The copy is as it was when this began,
/// compact, and knows that it is one: whoever resumes from something that is not in it must be told.
pub fn backup(dir: &Path, to: &Path, now: Timestamp) -> Result<u64, OpenError> {
    let from = dir.join(FILE);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    if look(&from)? {
        return Err(OpenError::NoStore { file: from });
    }
    // Made by us, so that nobody else can ever read it; and never in the place of something that is there.
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(to).map_err(|source| copy_error(to, &source))?;
    let outcome = copy(&from, to, now).map_err(|source| copy_error(to, &source));
    if outcome.is_err() {
        // It is of no use.
        let _ = fs::remove_file(to);
    }
    outcome?;
    let copy = File::open(to).map_err(io(to))?;
    copy.sync_all().map_err(io(to))?;
    copy.metadata().map(|metadata| metadata.len()).map_err(io(to))
}

fn copy_error(to: &Path, why: &dyn std::error::Error) -> OpenError {
    OpenError::Copy { to: to.to_owned(), why: why.to_string() }
}

fn copy(from: &Path, to: &Path, now: Timestamp) -> Result<(), rusqlite::Error> {
    // An engine that runs has the file open for writing; a reader of WAL needs to write its own marks beside it.
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    drop(source);
    let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    copy.execute("INSERT OR REPLACE INTO meta VALUES ('backup', ?1)", [now.as_millis()])?;
    Ok(())
}

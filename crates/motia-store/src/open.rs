//! Opening: the owner lock, a look at the file before the first connection, the schema.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use motia_core::{StepName, Timestamp};
use motia_ports::streams::Epoch;
use rusqlite::{Connection, OpenFlags};

use crate::sequence::BLOCK;
use crate::state::Special;
use crate::streams::changes::begin_epoch;
use crate::{Reporter, import};

/// `PRAGMA application_id`: "Mota".
const APPLICATION_ID: u32 = 0x4d6f_7461;
/// How the schema came to be: a version each. A new file goes through all of them too, so that it is the same as an old one.
const VERSIONS: [&str; 3] = [include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];
/// `PRAGMA user_version`: grows with the schema.
const SCHEMA_VERSION: u32 = VERSIONS.len() as u32;
/// The tables that every version has.
const TABLES: [&str; 8] =
    ["meta", "state", "stream_items", "subscriptions", "deliveries", "payloads", "failures", "ticks"];
const READERS: usize = 2;
/// The store's file in its folder.
pub(crate) const FILE: &str = "motia.db";

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine runs on this project.
    #[error(
        "another engine is running on this project (pid {pid}, lock {lock}); stop it first, or give this one its own --motia-dir"
    )]
    Owned {
        /// The owner's process id, as it wrote it down.
        pid: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// The file is not a database of ours.
    #[error("{file} is not a Motia store: {found}. It was left as it is; move it away, or use another --motia-dir")]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// There is nothing there.
    #[error("there is no store at {file}: no engine ever ran with this folder")]
    NoStore {
        /// Where it would be.
        file: PathBuf,
    },
    /// A part of the file is missing.
    #[error(
        "{file} is damaged: it says that it has {expected} bytes, but there are {found}. It was left as it is; restore a backup (motia backup makes them), or use another --motia-dir"
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How large it says it is.
        expected: u64,
        /// How large it is.
        found: u64,
    },
    /// The file is empty or gone, and it was not always.
    #[error(
        "{file} is {what}: what was stored in it is lost, unless there is a backup (motia backup makes them). Nothing was touched; to begin with nothing, remove {remains}"
    )]
    Lost {
        /// The file.
        file: PathBuf,
        /// What it is.
        what: &'static str,
        /// What is left of it.
        remains: PathBuf,
    },
    /// A copy cannot be made.
    #[error("cannot copy the store to {to}: {why}")]
    Copy {
        /// The copy.
        to: PathBuf,
        /// Why.
        why: String,
    },
    /// A table is missing.
    #[error(
        "{file} is damaged: its table '{table}' is missing. It was left as it is; restore a backup (motia backup makes them), or use another --motia-dir"
    )]
    Incomplete {
        /// The file.
        file: PathBuf,
        /// The table.
        table: String,
    },
    /// The file was written by a newer version.
    #[error("{file} has schema version {found}, but this version of motia reads up to {known}; use the newer motia")]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot use {path}: it must be a folder that this user may write to; --motia-dir names another one")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot open {file}")]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// "One engine per project": held as long as the store is open. A file of its own, since closing any descriptor of a
/// database file would drop SQLite's own locks on it.
pub(crate) struct OwnerLock {
    _file: File,
}

/// Everything that [`open`] makes.
pub(crate) struct Opened {
    pub(crate) owner: OwnerLock,
    pub(crate) connection: Connection,
    pub(crate) readers: Vec<Connection>,
    pub(crate) upkeep: Connection,
    /// The WAL, to sync it.
    pub(crate) wal: File,
    pub(crate) trace_key: [u8; 16],
    /// First numbers of blocks that are reserved and on disk.
    pub(crate) trace_ids: u64,
    pub(crate) deliveries: u64,
    pub(crate) revisions: u64,
    pub(crate) changes: u64,
    /// No message about streams has a later timestamp.
    pub(crate) epoch: Epoch,
    pub(crate) stamped_until: Timestamp,
    pub(crate) paused: Vec<StepName>,
    pub(crate) special: Special,
    /// The latest time that queues have seen.
    pub(crate) queue_time: Timestamp,
}

pub(crate) fn open(dir: &Path, now: Timestamp, report: &Reporter) -> Result<Opened, OpenError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error(dir))?;
    close_to_others(dir).map_err(io_error(dir))?;
    let owner = own(dir)?;
    let file = dir.join(FILE);
    let new = look(&file)?;
    let sqlite = |source| OpenError::Sqlite { file: file.clone(), source };

    if new {
        make(dir, &file, now)?;
    } else {
        check_tables(&file)?;
    }
    let connection = connect(&file, false).map_err(sqlite)?;
    migrate(&connection).map_err(sqlite)?;
    connection
        .execute_batch(
            "UPDATE ticks SET outcome = 'interrupted', reason = 'the engine ended while it ran' WHERE outcome = 'running'",
        )
        .map_err(sqlite)?;
    import::import(&connection, dir, now, report).map_err(sqlite)?;
    let trace_ids = reserve(&connection, "trace_ids").map_err(sqlite)?;
    let deliveries = reserve(&connection, "deliveries").map_err(sqlite)?;
    let revisions = reserve(&connection, "revisions").map_err(sqlite)?;
    let changes = reserve(&connection, "changes").map_err(sqlite)?;
    let epoch = begin_epoch(&connection).map_err(sqlite)?;
    let stamped_until = connection
        .query_row("SELECT value FROM meta WHERE key = 'stream_stamps'", [], |row| row.get(0))
        .map(Timestamp)
        .map_err(sqlite)?;
    let paused = paused(&connection).map_err(sqlite)?;
    let special = Special::look(&connection).map_err(sqlite)?;
    let queue_time = queue_time(&connection).map_err(sqlite)?;
    let trace_key =
        connection.query_row("SELECT value FROM meta WHERE key = 'trace_key'", [], |row| row.get(0)).map_err(sqlite)?;
    let wal_path = dir.join("motia.db-wal");
    let wal = File::open(&wal_path).map_err(io_error(&wal_path))?;
    wal.sync_data().map_err(io_error(&wal_path))?;
    let readers = (0..READERS).map(|_| connect(&file, true)).collect::<Result<_, _>>().map_err(sqlite)?;
    let upkeep = connect(&file, false).map_err(sqlite)?;
    Ok(Opened {
        owner,
        connection,
        readers,
        upkeep,
        wal,
        trace_key,
        trace_ids,
        deliveries,
        revisions,
        changes,
        epoch,
        stamped_until,
        paused,
        special,
        queue_time,
    })
}

/// A folder that the original left behind is open to all. One that somebody else owns (a volume, say) is theirs to close.
fn close_to_others(dir: &Path) -> io::Result<()> {
    if fs::metadata(dir)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    match fs::set_permissions(dir, fs::Permissions::from_mode(0o700)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}

fn own(dir: &Path) -> Result<OwnerLock, OpenError> {
    let path = dir.join("engine.lock");
    let failed = |source| OpenError::Io { path: path.clone(), source };
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // The pid only helps the message.
            let _ = file.read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown".into() } else { pid.trim().to_owned() };
            return Err(OpenError::Owned { pid, lock: path });
        }
        Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(OwnerLock { _file: file })
}

/// Makes the file beside its place, whole: an empty file in its place is never one that is being made.
fn make(dir: &Path, file: &Path, now: Timestamp) -> Result<(), OpenError> {
    let unfinished = dir.join("motia.db.unfinished");
    let io_error = |source| OpenError::Io { path: unfinished.clone(), source };
    let sqlite = |source| OpenError::Sqlite { file: unfinished.clone(), source };
    for left_behind in ["", "-wal", "-shm"] {
        // Of a start that was cut off.
        let _ = fs::remove_file(dir.join(format!("motia.db.unfinished{left_behind}")));
    }
    // Made by us, so that nobody else can ever read it.
    OpenOptions::new().create(true).append(true).mode(0o600).open(&unfinished).map_err(io_error)?;
    let connection = connect(&unfinished, false).map_err(sqlite)?;
    create(&connection, now).map_err(sqlite)?;
    connection.close().map_err(|(_, source)| sqlite(source))?;
    // No connection is open: closing this descriptor drops no lock.
    File::open(&unfinished).and_then(|made| made.sync_all()).map_err(io_error)?;
    fs::rename(&unfinished, file).map_err(io_error)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error)
}

/// Whether a file that is to be written has the tables of its version.
fn check_tables(file: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite { file: file.to_owned(), source };
    let connection = connect(file, true).map_err(sqlite)?;
    let has = |table: &str| {
        connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
            [table],
            |row| row.get::<_, bool>(0),
        )
    };
    for table in TABLES {
        if !has(table).map_err(sqlite)? {
            return Err(OpenError::Incomplete { file: file.to_owned(), table: table.to_owned() });
        }
    }
    Ok(())
}

/// Looks at the file before SQLite does: a foreign or damaged file is never touched. Answers whether it is to be made.
pub(crate) fn look(file: &Path) -> Result<bool, OpenError> {
    let mut header = Vec::new();
    if fs::metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(OpenError::Foreign { file: file.to_owned(), found: "it is not a regular file".to_owned() });
    }
    let lost = |what, remains| OpenError::Lost { file: file.to_owned(), what, remains };
    match File::open(file) {
        Ok(open) => {
            open.take(100)
                .read_to_end(&mut header)
                .map_err(|source| OpenError::Io { path: file.to_owned(), source })?;
        }
        // What is in the WAL is of no use without it, and would be taken for that of the next one.
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_wal(file) => {
            return Err(lost("gone, but its WAL is there", wal_of(file)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(source) => return Err(OpenError::Io { path: file.to_owned(), source }),
    }
    if header.is_empty() {
        return Err(lost("empty", file.to_owned()));
    }
    let foreign = |found: &str| OpenError::Foreign { file: file.to_owned(), found: found.to_owned() };
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(foreign("it is not an SQLite database"));
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    let (Some(version), Some(application)) = (number(60), number(68)) else { return Err(foreign("it is cut off")) };
    if application != APPLICATION_ID {
        return Err(foreign("it is an SQLite database of another program"));
    }
    if version > SCHEMA_VERSION {
        return Err(OpenError::Newer { file: file.to_owned(), found: version, known: SCHEMA_VERSION });
    }
    let found = fs::metadata(file).map_or(0, |metadata| metadata.len());
    match (number(28), page_size(&header)) {
        // What the WAL holds may be what is missing: then the checkpoint that was cut off is simply made again.
        (Some(pages), Some(size)) if !has_wal(file) && u64::from(pages) * size > found => {
            Err(OpenError::Damaged { file: file.to_owned(), expected: u64::from(pages) * size, found })
        }
        _ => Ok(false),
    }
}

fn page_size(header: &[u8]) -> Option<u64> {
    match u16::from_be_bytes(header.get(16..18)?.try_into().ok()?) {
        1 => Some(65_536),
        size => Some(size.into()),
    }
}

fn has_wal(file: &Path) -> bool {
    fs::metadata(wal_of(file)).is_ok_and(|metadata| metadata.len() > 0)
}

fn wal_of(file: &Path) -> PathBuf {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

fn connect(file: &Path, read_only: bool) -> Result<Connection, rusqlite::Error> {
    let mode = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let connection = Connection::open_with_flags(file, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.busy_timeout(Duration::from_secs(5))?;
    if !read_only {
        // In this order: auto_vacuum has no effect once the file has pages, and nothing is written before it is set.
        connection.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA journal_size_limit = 67108864;",
        )?;
    }
    Ok(connection)
}

/// Makes the schema, in one transaction with the marks by which the next start knows the file.
fn create(connection: &Connection, now: Timestamp) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!(
        "BEGIN; {first}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;
         INSERT INTO meta VALUES ('trace_key', randomblob(16)), ('trace_ids', 0), ('deliveries', 1),
             ('created', {now});
         COMMIT;",
        first = VERSIONS[0],
        now = now.as_millis(),
    ))?;
    migrate(connection)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")
}

/// Brings the schema up to date, each version in one transaction.
fn migrate(connection: &Connection) -> Result<(), rusqlite::Error> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (known, sql) in (1..).zip(VERSIONS).skip(version as usize) {
        connection
            .execute_batch(&format!("BEGIN; {sql} PRAGMA user_version = {known}; COMMIT;"))
            .inspect_err(|_| drop(connection.execute_batch("ROLLBACK")))?;
    }
    Ok(())
}

/// The steps that are paused.
fn paused(connection: &Connection) -> Result<Vec<StepName>, rusqlite::Error> {
    connection.prepare("SELECT step FROM paused")?.query_map([], |row| Ok(row.get::<_, String>(0)?.into()))?.collect()
}

/// When something was emitted or failed last: the clock may have been put back since. Replays have the time of their first event.
fn queue_time(connection: &Connection) -> Result<Timestamp, rusqlite::Error> {
    connection
        .query_row(
            "SELECT max(coalesce((SELECT max(emitted) FROM (SELECT emitted FROM deliveries ORDER BY id DESC LIMIT 100)), 0),
                        coalesce((SELECT max(at) FROM failures), 0))",
            [],
            |row| row.get(0),
        )
        .map(Timestamp)
}

/// Reserves the next block of a sequence; answers with its first number.
pub(crate) fn reserve(connection: &Connection, key: &str) -> Result<u64, rusqlite::Error> {
    let first: i64 = connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))?;
    connection.execute("UPDATE meta SET value = ?2 WHERE key = ?1", (key, first + BLOCK.cast_signed()))?;
    Ok(first.cast_unsigned())
}

//! A `redis-server` of our own on a copy of the files that one left behind: they are read as they are, and never changed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Loading gigabytes takes a while.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
const LOOK: Duration = Duration::from_millis(50);

/// The server. Ends, with its files, when it is dropped.
pub(super) struct Private {
    child: Child,
    folder: TempDir,
}

impl Private {
    /// Starts one on a copy of `source`, the folder that holds the manifest.
    pub(super) fn start(source: &Path) -> Result<Self> {
        let names = fs::read_dir(source).with_context(|| format!("cannot read the folder {}", source.display()))?;
        let manifest = names
            .flatten()
            .map(|entry| entry.file_name())
            .find_map(|name| name.to_str()?.strip_suffix(".manifest").map(str::to_owned));
        let Some(manifest) = manifest else {
            bail!("{} holds no files of Redis: a *.manifest is missing", source.display());
        };
        let server = find_server(source)?;
        // Of a name that nobody can foresee, and closed to others: it is somebody's data.
        let folder =
            tempfile::Builder::new().prefix("motia-import-").tempdir().context("cannot make a folder for a copy")?;
        let data = folder.path().join("appendonlydir");
        fs::create_dir(&data).with_context(|| format!("cannot make {}", data.display()))?;
        for entry in fs::read_dir(source)?.flatten() {
            fs::copy(entry.path(), data.join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new(&server)
            .args(["--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700", "--save", ""])
            .args(["--appendonly", "yes", "--appenddirname", "appendonlydir", "--appendfilename", &manifest])
            .arg("--dir")
            .arg(folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", server.to_string_lossy()))?;
        let mut private = Self { child, folder };
        private.wait()?;
        Ok(private)
    }

    pub(super) fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// Until it has loaded the files.
    fn wait(&mut self) -> Result<()> {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                bail!("redis-server could not load the files ({status}):\n{}", last.join("\n"));
            }
            let answer = redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            if answer.is_ok() {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
        bail!("redis-server has not loaded the files within {} minutes", PATIENCE.as_secs() / 60)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What is left to do if these fail is nothing. Its files go with the folder, after it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `redis-server`: as `REDISMS_SYSTEM_BINARY` says, from PATH, or the one that Motia 0.17 had built.
fn find_server(source: &Path) -> Result<OsString> {
    if let Some(named) = std::env::var_os("REDISMS_SYSTEM_BINARY").filter(|named| !named.is_empty()) {
        return Ok(named);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| file.is_file());
    if let Some(server) = in_path.or_else(|| built(source)) {
        return Ok(server.into());
    }
    bail!(
        "reading the files of a Redis needs a redis-server, and there is none in PATH. Install one (apt install redis-server, \
         brew install redis), name one by REDISMS_SYSTEM_BINARY, or start the old Redis and give its URL"
    )
}

/// The original kept the server that it had built beside the project's packages, or in the user's cache.
fn built(source: &Path) -> Option<PathBuf> {
    let source = fs::canonicalize(source).ok()?;
    let beside = source.ancestors().map(|folder| folder.join("node_modules/.cache/redis-memory-server/redis-binaries"));
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/redis-binaries"));
    beside.chain(home).find_map(|cache| {
        let versions = fs::read_dir(cache).ok()?;
        versions.flatten().map(|version| version.path().join("redis-server")).find(|file| file.is_file())
    })
}

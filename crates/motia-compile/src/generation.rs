//! Compiled output on disk, in folders that are never changed once they are there.
//!
//! A generation is `compiled/<hash>/`, named by what went into it. It is written beside its place and renamed, so that
//! it is complete if it exists. What is the same as in the generation before is linked, not written. While a worker
//! or another `motia` process may load files of it, a shared lock on `compiled/<hash>.lock` keeps it from being pruned.
//! `compiled/.lock` is held for the moment in which such a lock is taken, for the one in which a generation gets its
//! place, and while generations are removed, so that none comes between the steps of another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::output;

/// The name of a generation: the hash of all that decides what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationHash(Arc<str>);

impl fmt::Display for GenerationHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The file of a generation that lists the others.
const MANIFEST: &str = "manifest.json";

/// Makes the names of unfinished generations differ within a process.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// The folder of all generations.
pub(crate) struct Generations {
    folder: PathBuf,
}

/// A generation on disk, kept there while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) hash: GenerationHash,
    pub(crate) folder: PathBuf,
    manifest: Manifest,
    _lock: File,
}

/// What a generation consists of.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The hash of everything that decides what is in the file.
    key: String,
    /// In bytes. A power cut may leave files empty that were renamed in time.
    length: u64,
}

/// A file that a generation is to have.
pub(crate) struct Item {
    pub(crate) path: String,
    pub(crate) key: String,
    /// `None` if the generation before has it.
    pub(crate) text: Option<String>,
}

impl Manifest {
    fn is_whole(&self, folder: &Path) -> bool {
        let is_there = |(path, entry): (&String, &Entry)| {
            fs::metadata(folder.join(path)).is_ok_and(|metadata| metadata.len() == entry.length)
        };
        self.files.iter().all(is_there)
    }
}

impl Held {
    /// Whether nobody has removed anything of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.folder.join(MANIFEST).exists() && self.manifest.is_whole(&self.folder)
    }

    /// Whether it has this very file.
    pub(crate) fn has(&self, path: &str, key: &str) -> bool {
        self.manifest.files.get(path).is_some_and(|entry| entry.key == key)
    }
}

impl Generations {
    pub(crate) fn new(motia_dir: &Path) -> Self {
        Self { folder: motia_dir.join("compiled") }
    }

    /// The hash of a generation with these files.
    pub(crate) fn hash(items: &[Item], extra: &[u8]) -> GenerationHash {
        let files: BTreeSet<(&str, &str)> = items.iter().map(|item| (item.path.as_str(), item.key.as_str())).collect();
        let mut hasher = blake3::Hasher::new();
        for (path, key) in files {
            hasher.update(path.as_bytes()).update(&[0]).update(key.as_bytes()).update(&[0]);
        }
        GenerationHash(hasher.update(extra).finalize().to_hex()[..32].into())
    }

    /// The generation that was written last, by any process.
    pub(crate) fn newest(&self) -> Option<Held> {
        let entries = fs::read_dir(&self.folder).ok()?;
        let made = entries.flatten().filter_map(|entry| {
            let modified = fs::metadata(entry.path().join(MANIFEST)).and_then(|metadata| metadata.modified()).ok()?;
            Some((modified, entry.file_name().into_string().ok().filter(|name| !name.contains('.'))?))
        });
        let (_, hash) = made.max()?;
        self.open(GenerationHash(hash.into())).ok()?
    }

    /// The generation of this name, if it is there and whole.
    pub(crate) fn open(&self, hash: GenerationHash) -> Result<Option<Held>, Error> {
        let lock = self.lock(&hash)?;
        Ok(self.load(hash, lock).ok())
    }

    fn load(&self, hash: GenerationHash, lock: File) -> Result<Held, File> {
        let folder = self.folder.join(&*hash.0);
        let manifest = fs::read(folder.join(MANIFEST)).ok();
        let manifest: Option<Manifest> = manifest.and_then(|text| serde_json::from_slice(&text).ok());
        match manifest.filter(|manifest| manifest.is_whole(&folder)) {
            Some(manifest) => Ok(Held { hash, folder, manifest, _lock: lock }),
            None => Err(lock),
        }
    }

    /// Opens a generation, or writes it first. Files without a text are taken from `before`.
    pub(crate) fn write(&self, hash: GenerationHash, items: &[Item], before: Option<&Held>) -> Result<Held, Error> {
        let lock = self.lock(&hash)?;
        let lock = match self.load(hash.clone(), lock) {
            Ok(held) => return Ok(held),
            Err(lock) => lock,
        };
        let folder = self.folder.join(&*hash.0);
        let count = UNFINISHED.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{hash}.{}-{count}", process::id()));
        let manifest = fill(&unfinished, items, before).inspect_err(|_| {
            // The disk may be full: what is of no use must not stay.
            let _ = fs::remove_dir_all(&unfinished);
        })?;
        let _all = self.lock_all()?;
        // Something that is there by now is the work of a process that was faster, or damaged.
        if folder.exists() {
            match self.load(hash.clone(), lock.try_clone().map_err(output(&folder))?) {
                Ok(held) => {
                    let _ = fs::remove_dir_all(&unfinished);
                    return Ok(held);
                }
                Err(_) => fs::remove_dir_all(&folder).map_err(output(&folder))?,
            }
        }
        fs::rename(&unfinished, &folder).map_err(output(&folder))?;
        Ok(Held { hash, folder, manifest, _lock: lock })
    }

    /// Removes the generations that nobody holds and that are not to be kept.
    pub(crate) fn prune(&self, keep: &[GenerationHash]) -> Result<(), Error> {
        if !self.folder.exists() {
            return Ok(());
        }
        let _all = self.lock_all()?;
        // A generation, its lock and what was left unfinished of it have the same stem.
        let mut by_stem: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for entry in fs::read_dir(&self.folder).map_err(output(&self.folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.split('.').next().unwrap_or_default();
            if !stem.is_empty() && !keep.iter().any(|hash| *hash.0 == *stem) {
                by_stem.entry(stem.to_owned()).or_default().push(entry.path());
            }
        }
        for (stem, mut paths) in by_stem {
            let lock_path = self.folder.join(format!("{stem}.lock"));
            let lock = open_lock(&lock_path)?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(output(&lock_path)(error)),
            }
            // The lock goes last: without it the rest would be anybody's.
            paths.retain(|path| *path != lock_path);
            for path in paths {
                fs::remove_dir_all(&path).map_err(output(&path))?;
            }
            fs::remove_file(&lock_path).map_err(output(&lock_path))?;
        }
        Ok(())
    }

    fn lock(&self, hash: &GenerationHash) -> Result<File, Error> {
        fs::create_dir_all(&self.folder).map_err(output(&self.folder))?;
        let _all = self.lock_all()?;
        let path = self.folder.join(format!("{hash}.lock"));
        let lock = open_lock(&path)?;
        lock.lock_shared().map_err(output(&path))?;
        Ok(lock)
    }

    fn lock_all(&self) -> Result<File, Error> {
        let path = self.folder.join(".lock");
        let lock = open_lock(&path)?;
        lock.lock().map_err(output(&path))?;
        Ok(lock)
    }
}

fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(output(path))
}

/// Writes and links the files of a generation into a new folder.
fn fill(folder: &Path, items: &[Item], before: Option<&Held>) -> Result<Manifest, Error> {
    fs::create_dir_all(folder).map_err(output(folder))?;
    let mut folders = BTreeSet::new();
    let mut manifest = Manifest::default();
    for item in items {
        let path = folder.join(&item.path);
        if let Some(parent) = path.parent()
            && folders.insert(parent.to_path_buf())
        {
            fs::create_dir_all(parent).map_err(output(parent))?;
        }
        let length = match &item.text {
            Some(text) => fs::write(&path, text).map(|()| text.len() as u64),
            None => share(before, &item.path, &path),
        };
        let length = length.map_err(output(&path))?;
        manifest.files.insert(item.path.clone(), Entry { key: item.key.clone(), length });
    }
    let path = folder.join(MANIFEST);
    let text = serde_json::to_string(&manifest).map_err(io::Error::from).map_err(output(&path))?;
    fs::write(&path, text).map_err(output(&path))?;
    Ok(manifest)
}

/// Links a file of the generation before, or copies it where the file system has no links. Gives its length.
fn share(before: Option<&Held>, path: &str, to: &Path) -> io::Result<u64> {
    let entry = before.and_then(|before| Some((before.folder.join(path), before.manifest.files.get(path)?)));
    let (from, entry) = entry.ok_or(io::ErrorKind::NotFound)?;
    fs::hard_link(&from, to).or_else(|_| fs::copy(&from, to).map(drop))?;
    Ok(entry.length)
}

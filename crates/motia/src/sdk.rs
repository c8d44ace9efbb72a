//! The SDKs that the binary carries, written to disk where workers load them from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Every file of `sdk/` that runs, by its path in there.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Every file of the stream clients, by its path in `sdk/`.
const CLIENTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/clients.rs"));

/// The SDKs on disk: `node`, `python` and `ruby` in one folder.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    folder: PathBuf,
}

impl Sdk {
    /// Writes them below the project's `.motia`, unless this very version is there.
    pub(crate) fn write(motia_dir: &Path) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        for (name, bytes) in FILES {
            hasher.update(name.as_bytes()).update(&[0]).update(bytes);
        }
        let sdks = motia_dir.join("sdk");
        let folder = sdks.join(&hasher.finalize().to_hex()[..16]);
        if folder.is_dir() {
            return Ok(Self { folder });
        }
        // Written beside its place and renamed: whoever finds the folder finds it whole.
        let unfinished = sdks.join(format!("unfinished-{}", std::process::id()));
        write_all(&unfinished).with_context(|| format!("cannot write the SDK to {}", unfinished.display()))?;
        match fs::rename(&unfinished, &folder) {
            Ok(()) => {}
            // Another process was faster: its files are the same.
            Err(_) if folder.is_dir() => fs::remove_dir_all(&unfinished)?,
            Err(error) => return Err(error).with_context(|| format!("cannot write the SDK to {}", folder.display())),
        }
        Ok(Self { folder })
    }

    /// A file or folder, such as `node/worker.mjs`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn write_all(folder: &Path) -> io::Result<()> {
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// The files of one of the npm packages that users import, by their paths inside of it.
pub(crate) fn package_files(package: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let (files, folder) = match package.strip_prefix("@motiadev/") {
        Some(client) if client.starts_with("stream-client") => (CLIENTS, format!("{client}/")),
        _ => (FILES, format!("node/packages/{package}/")),
    };
    files.iter().filter_map(move |(name, bytes)| Some((name.strip_prefix(folder.as_str())?, *bytes)))
}

/// The files of the Python package `motia`, by their paths inside of it.
pub(crate) fn python_package() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("python/motia/")?, *bytes)))
}

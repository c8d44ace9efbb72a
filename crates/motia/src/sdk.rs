//! The SDKs that the binary carries, written to disk where workers load them from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Every file of `sdk/node` that runs.
const NODE: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sdk_node.rs"));

/// Writes the Node SDK below the project's `.motia`, unless this very version is there. Answers with its folder.
pub(crate) fn write_node(motia_dir: &Path) -> Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in NODE {
        hasher.update(name.as_bytes()).update(&[0]).update(bytes);
    }
    let sdks = motia_dir.join("sdk");
    let folder = sdks.join(&hasher.finalize().to_hex()[..16]);
    if folder.is_dir() {
        return Ok(folder);
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
    Ok(folder)
}

fn write_all(folder: &Path) -> io::Result<()> {
    for (name, bytes) in NODE {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// The files of one of the packages that users import, by their paths inside of it.
pub(crate) fn package_files(package: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let folder = format!("packages/{package}/");
    NODE.iter().filter_map(move |(name, bytes)| Some((name.strip_prefix(folder.as_str())?, *bytes)))
}

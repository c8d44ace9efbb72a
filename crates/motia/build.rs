//! Embeds the SDKs, every file of `sdk/` that runs, and the stream clients: as tables of paths and bytes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The SDKs, and what at the root of each is only for developing it.
const LANGUAGES: [(&str, &[&str]); 3] = [
    ("node", &["test", "package-lock.json", "package.json"]),
    ("python", &["tests", "bench", "pyproject.toml"]),
    ("ruby", &["test", "bench", "Gemfile", "Gemfile.lock"]),
];

/// The packages of those who watch streams, and what each needs.
const CLIENTS: [&str; 4] = ["stream-client", "stream-client-browser", "stream-client-node", "stream-client-react"];

/// What tools leave behind, wherever that is.
const LEFTOVERS: [&str; 6] = ["node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".venv", ".bundle"];

fn main() -> io::Result<()> {
    // Asked for when it runs: a build folder may have been filled from another checkout.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let sdk = Path::new(&manifest).join("../../sdk").canonicalize()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let of_language = |(language, left_out): (&str, &[&str])| files_of(&sdk.join(language), left_out);
    let languages: io::Result<Vec<_>> = LANGUAGES.into_iter().map(of_language).collect();
    fs::write(out.join("sdk.rs"), table(&sdk, languages?.concat()))?;
    let clients: io::Result<Vec<_>> =
        CLIENTS.into_iter().map(|client| files_of(&sdk.join(client), &["test"])).collect();
    fs::write(out.join("clients.rs"), table(&sdk, clients?.concat()))
}

/// Every file of a folder, without what at its root is left out.
fn files_of(root: &Path, left_out: &[&str]) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if !left_out.iter().any(|left_out| entry.file_name() == *left_out) {
            collect(entry, &mut files)?;
        }
    }
    Ok(files)
}

/// Rust code for paths below a folder, and bytes.
fn table(sdk: &Path, mut files: Vec<PathBuf>) -> String {
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(sdk).unwrap_or(&file);
        let _ = writeln!(table, "    ({name:?}, include_bytes!({file:?})),");
    }
    table.push(']');
    table
}

/// The files of an entry.
fn collect(entry: fs::DirEntry, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if LEFTOVERS.iter().any(|leftover| entry.file_name() == *leftover) {
        return Ok(());
    }
    if entry.file_type()?.is_dir() {
        for entry in fs::read_dir(entry.path())? {
            collect(entry?, files)?;
        }
    } else {
        files.push(entry.path());
    }
    Ok(())
}

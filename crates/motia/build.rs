//! Embeds the SDK: every file of `sdk/node` that runs, as a table of paths and bytes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is only for developing the SDK.
const LEFT_OUT: [&str; 4] = ["node_modules", "test", "package-lock.json", "package.json"];

fn main() -> io::Result<()> {
    // Asked for when it runs: a build folder may have been filled from another checkout.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&manifest).join("../../sdk/node").canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file);
        let _ = writeln!(table, "    ({:?}, include_bytes!({:?})),", name, file);
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("sdk_node.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // A package's own package.json says how Node reads its files: only the one at the root is for developing.
        let at_root = folder.ends_with("sdk/node");
        if LEFT_OUT.iter().any(|left_out| name == *left_out) && (at_root || name == "node_modules") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

//! Where sources and compiled files lie, and how one names another.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use motia_core::SourcePath;

use crate::facts::Format;

/// The folder of a generation that holds what was compiled from outside the project's root.
const OUTSIDE: &str = "__outside";

/// Resolves `.` and `..` by the text alone.
pub(crate) fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The path with `/` between its folders.
fn unix(path: &Path) -> String {
    let mut out = String::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::Prefix(_) => {}
            other => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(&other.as_os_str().to_string_lossy());
            }
        }
    }
    out
}

/// How a file is called in messages: relative to the root if it is inside it.
pub(crate) fn display_path(root: &Path, file: &Path) -> SourcePath {
    match file.strip_prefix(root) {
        Ok(inside) => SourcePath::from(unix(inside)),
        Err(_) => SourcePath::from(file.to_string_lossy().into_owned()),
    }
}

/// Where a source is compiled to, relative to its generation. The whole name of the source stays in it, so that
/// `a.ts` and `a.js` do not collide.
pub(crate) fn output_path(root: &Path, file: &Path, format: Format) -> String {
    let extension = format.extension();
    match file.strip_prefix(root) {
        Ok(inside) => format!("{}.{extension}", unix(inside)),
        Err(_) => {
            let folder = file.parent().unwrap_or(file).to_string_lossy();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            format!("{OUTSIDE}/{}/{name}.{extension}", short_hash(&folder))
        }
    }
}

/// The specifier by which one compiled file names another; both are relative to the generation.
pub(crate) fn relative_specifier(from: &str, to: &str) -> String {
    let mut from: Vec<&str> = from.split('/').collect();
    from.pop();
    let to: Vec<&str> = to.split('/').collect();
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut out = if shared == from.len() { "./".to_owned() } else { "../".repeat(from.len() - shared) };
    out.push_str(&to[shared..].join("/"));
    out
}

/// As [`relative_specifier`], where a URL is read: by `import`.
pub(crate) fn relative_url(from: &str, to: &str) -> String {
    percent_encode(&relative_specifier(from, to))
}

/// The `file:` URL of an absolute path, as Node's `pathToFileURL` writes it.
pub(crate) fn file_url(path: &Path) -> String {
    format!("file://{}", percent_encode(&path.to_string_lossy()))
}

pub(crate) fn percent_encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            0..=b' ' | 0x7f.. | b'"' | b'#' | b'%' | b'<' | b'>' | b'?' | b'\\' | b'`' | b'{' | b'}' => {
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// A name for generated files, from what they stand for.
pub(crate) fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

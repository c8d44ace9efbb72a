//! `static`: folders whose files are served beside the steps.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::fields::{FieldError, Fields, kind};

/// A folder whose files are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticMount {
    /// Where, as a path of URLs: empty for `/`, else with a slash before it and none after it.
    pub at: String,
    /// The folder, absolute or relative to the project's root.
    pub folder: PathBuf,
    /// The file in it that answers pages that are not there: that of a single-page app.
    pub fallback: Option<String>,
}

/// The member of a project's config: `{ "/": "public", "/app": { folder: "dist", fallback: "index.html" } }`.
pub(super) fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Vec<StaticMount> {
    let mut mounts: Vec<StaticMount> = Vec::new();
    match fields.raw("static") {
        None => {}
        Some(Value::Object(entries)) => {
            for (at, entry) in entries {
                match StaticMount::read(at, entry, warnings) {
                    Ok(mount) if mounts.iter().any(|other| other.at == mount.at) => {
                        warnings.push(format!("static[\"{at}\"]: there is such a path already; this one is left out"));
                    }
                    Ok(mount) => mounts.push(mount),
                    Err(error) => warnings.push(format!("{error}; it is left out")),
                }
            }
        }
        Some(other) => warnings.push(format!(
            "static: should be an object of paths and folders, such as {{ '/': 'public' }}, but is {}; no files are served",
            kind(other)
        )),
    }
    // `/a/b` is asked before `/a`.
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.at.len()));
    mounts
}

impl StaticMount {
    fn read(at: &str, entry: &Value, warnings: &mut Vec<String>) -> Result<Self, FieldError> {
        let member = format!("static[\"{at}\"]");
        let wrong = |problem: String| FieldError { member: member.clone(), problem };
        if !at.starts_with('/') || at.contains(['*', ':', '?', '#', '%', '\\']) || at.contains("//") {
            return Err(wrong("the path should be plain and begin with a slash, such as \"/\" or \"/assets\"".into()));
        }
        let (folder, fallback) = match entry {
            Value::String(folder) => (folder.as_str(), None),
            Value::Object(_) => {
                let mut fields = Fields::new(&member, entry)?;
                let read = (fields.required_string("folder")?, fields.string("fallback")?);
                warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
                read
            }
            other => {
                let problem = format!("should be a folder or {{ folder, fallback }}, but is {}", kind(other));
                return Err(wrong(problem));
            }
        };
        let folder = folder_of(folder).map_err(wrong)?;
        if let Some(file) = fallback
            && (file.is_empty() || file.split('/').any(|part| part.is_empty() || part.starts_with('.')))
        {
            return Err(wrong(format!(
                "fallback should be a file in the folder, such as \"index.html\", but is '{file}'"
            )));
        }
        Ok(Self { at: at.trim_end_matches('/').to_owned(), folder, fallback: fallback.map(str::to_owned) })
    }
}

/// A relative folder stays in the project and is not the project itself: nobody serves their sources by a slip.
fn folder_of(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let mut folder = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => folder.push(name),
            Component::ParentDir if folder.pop() => {}
            Component::CurDir => {}
            _ => {
                return Err(format!(
                    "the folder '{text}' is outside of the project; write its absolute path if that is meant"
                ));
            }
        }
    }
    let hidden = folder.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
    match folder.iter().next() {
        None => Err("the folder is the project itself, and its sources would be served; name one inside it".into()),
        Some(_) if hidden => Err(format!("the folder '{text}' is hidden, and hidden files are not served")),
        Some(first) if first == "node_modules" => Err(format!("the folder '{text}' holds packages; name another")),
        Some(_) => Ok(folder),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: Value) -> (Vec<StaticMount>, Vec<String>) {
        let config = json!({ "static": config });
        let mut warnings = Vec::new();
        let mounts = read(&mut Fields::new("", &config).expect("object"), &mut warnings);
        (mounts, warnings)
    }

    #[test]
    fn mounts_are_read_the_longest_first() {
        let (mounts, warnings) = parse(json!({
            "/": "public", "/app/": { "folder": "./web/dist", "fallback": "index.html" }, "/docs": "/srv/docs"
        }));
        assert_eq!(warnings, Vec::<String>::new());
        let mount = |at: &str, folder: &str, fallback: Option<&str>| StaticMount {
            at: at.into(),
            folder: folder.into(),
            fallback: fallback.map(str::to_owned),
        };
        assert_eq!(
            mounts,
            [
                mount("/docs", "/srv/docs", None),
                mount("/app", "web/dist", Some("index.html")),
                mount("", "public", None)
            ]
        );
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        for (config, warning) in [
            (
                json!("public"),
                "static: should be an object of paths and folders, such as { '/': 'public' }, but is the string \"public\"; no files are served",
            ),
            (
                json!({ "assets": "public" }),
                "static[\"assets\"]: the path should be plain and begin with a slash, such as \"/\" or \"/assets\"; it is left out",
            ),
            (
                json!({ "/": "../elsewhere" }),
                "static[\"/\"]: the folder '../elsewhere' is outside of the project; write its absolute path if that is meant; it is left out",
            ),
            (
                json!({ "/": "a/.." }),
                "static[\"/\"]: the folder is the project itself, and its sources would be served; name one inside it; it is left out",
            ),
            (
                json!({ "/": ".motia" }),
                "static[\"/\"]: the folder '.motia' is hidden, and hidden files are not served; it is left out",
            ),
            (
                json!({ "/": "node_modules/x" }),
                "static[\"/\"]: the folder 'node_modules/x' holds packages; name another; it is left out",
            ),
            (
                json!({ "/": 5 }),
                "static[\"/\"]: should be a folder or { folder, fallback }, but is the number 5; it is left out",
            ),
            (
                json!({ "/": { "fallback": "x" } }),
                "static[\"/\"].folder: is missing; it should be a string; it is left out",
            ),
            (
                json!({ "/": { "folder": "dist", "fallback": "../../etc/passwd" } }),
                "static[\"/\"]: fallback should be a file in the folder, such as \"index.html\", but is '../../etc/passwd'; it is left out",
            ),
        ] {
            assert_eq!(parse(config), (Vec::new(), vec![warning.to_owned()]));
        }
        let (mounts, warnings) = parse(json!({ "/a": "x", "/a/": "y" }));
        assert_eq!(mounts.len(), 1);
        assert_eq!(warnings, ["static[\"/a/\"]: there is such a path already; this one is left out"]);
    }
}

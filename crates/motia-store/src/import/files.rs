//! What the original kept in files beside our store: `motia.state.json`, `streams/<name>.stream.json`. Each is read once, and stays
//! on disk (behaviour-0.17.md E, F1).
//!
//! Both are objects of `"<group>:<key>": "<JSON>"`.

use std::fs;
use std::path::{Path, PathBuf};

use motia_core::Timestamp;
use motia_core::raw::RawObject;
use motia_core::record::Level;
use rusqlite::Connection;
use serde_json::value::RawValue;

use super::{Result, created, store_value};
use crate::Reporter;

/// A file of the original.
struct Source {
    path: PathBuf,
    /// Of the store's folder; also its name in `meta`.
    name: String,
    /// The stream whose items it holds; none: it holds state.
    stream: Option<String>,
}

/// Imports what was not imported yet. A file that cannot be read costs a warning, and is looked at again at the next start.
pub(crate) fn import(connection: &Connection, dir: &Path, now: Timestamp, report: &Reporter) -> Result<()> {
    for source in sources(dir) {
        let mark = format!("imported {}", source.name);
        if marked(connection, &mark)? {
            continue;
        }
        let text = fs::read(&source.path);
        let members = match text.as_deref().map(members) {
            Ok(Ok(members)) => members,
            Ok(Err(error)) => {
                cannot(report, &source, &error);
                continue;
            }
            Err(error) => {
                cannot(report, &source, error);
                continue;
            }
        };
        let transaction = connection.unchecked_transaction()?;
        let (mut count, mut odd) = (0, Vec::new());
        for member in members.members() {
            match store(connection, &source, member, now)? {
                Some(stored) => count += stored,
                None => odd.push(member.0.to_owned()),
            }
        }
        transaction.execute("INSERT INTO meta VALUES (?1, ?2)", (&mark, now.as_millis()))?;
        transaction.commit()?;
        let what = match (&source.stream, count) {
            (None, 1) => "value of state".to_owned(),
            (None, _) => "values of state".to_owned(),
            (Some(stream), 1) => format!("item of the stream '{stream}'"),
            (Some(stream), _) => format!("items of the stream '{stream}'"),
        };
        let path = source.path.display();
        if !odd.is_empty() {
            let names = odd.join(", ");
            report(Level::Warn, format!("{path}: what is no JSON object is no item, and was left out: {names}"));
        }
        report(Level::Info, format!("imported {count} {what} from {path}; the file stays, and is not read again"));
    }
    say_once_of_redis(connection, dir, now, report)
}

fn sources(dir: &Path) -> Vec<Source> {
    let state = Source { path: dir.join("motia.state.json"), name: "motia.state.json".into(), stream: None };
    let mut sources = Vec::from_iter(state.path.is_file().then_some(state));
    let streams = fs::read_dir(dir.join("streams")).into_iter().flatten().flatten();
    let mut streams: Vec<_> = streams
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let stream = file.strip_suffix(".json")?;
            let stream = stream.strip_suffix(".stream").unwrap_or(stream).to_owned();
            Some(Source { path: entry.path(), name: format!("streams/{file}"), stream: Some(stream) })
        })
        .collect();
    streams.sort_by(|one, other| one.name.cmp(&other.name));
    sources.extend(streams);
    sources
}

fn marked(connection: &Connection, mark: &str) -> Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)", [mark], |row| row.get(0))
}

/// What is in a file; in an empty one is nothing.
fn members(text: &[u8]) -> serde_json::Result<RawObject<'_>> {
    if text.trim_ascii().is_empty() { Ok(RawObject::default()) } else { serde_json::from_slice(text) }
}

fn cannot(report: &Reporter, source: &Source, why: &dyn std::error::Error) {
    let path = source.path.display();
    report(Level::Warn, format!("{path} is data of Motia 0.x that cannot be imported: {why}. Mend or remove it"));
}

/// Stores a member. Answers how many were stored; `None`: it is nothing that could be.
fn store(
    connection: &Connection,
    source: &Source,
    (joined, raw): (&str, &RawValue),
    now: Timestamp,
) -> Result<Option<usize>> {
    let value = value(raw);
    let Some(stream) = &source.stream else { return store_value(connection, joined, &value).map(Some) };
    let Some(created) = created(&value, now) else { return Ok(None) };
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO joined_items (stream, joined, created, item) SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM stream_items WHERE stream = ?1 AND grp || ':' || id = ?2)",
        )?
        .execute((stream, joined, created, &value))
        .map(Some)
}

/// The JSON inside of a text. A text that holds none, or a value that is no text, stands for itself.
fn value(raw: &RawValue) -> String {
    let inner = serde_json::from_str::<String>(raw.get()).ok();
    match inner {
        Some(text) if serde_json::from_str::<&RawValue>(&text).is_ok() => text,
        _ => raw.get().to_owned(),
    }
}

/// Most data of 0.17 lies in the Redis that it brought along.
fn say_once_of_redis(connection: &Connection, dir: &Path, now: Timestamp, report: &Reporter) -> Result<()> {
    const SAID: &str = "said of appendonlydir";
    let folder = dir.join("appendonlydir");
    if folder.is_dir() && !marked(connection, SAID)? {
        connection.execute("INSERT INTO meta VALUES (?1, ?2)", (SAID, now.as_millis()))?;
        report(
            Level::Warn,
            format!("{0} is the data of Motia 0.17's Redis. `motia import redis {0}` brings it here", folder.display()),
        );
    }
    Ok(())
}

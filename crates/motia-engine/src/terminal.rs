//! The sink that people read: a line per log line, details beneath it. Or JSON lines, where no terminal is there to read them.

use std::io::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;
use motia_core::record::{Level, LogLine, Record};
use motia_ports::TelemetrySink;
use parking_lot::RwLock;
use serde_json::Value;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text {
        /// With colours.
        color: bool,
    },
    /// One JSON object a line, for machines.
    Json,
}

/// Writes log lines.
pub struct Terminal<W> {
    out: W,
    format: Format,
    /// Quieter lines are left out.
    level: Level,
    /// Whether details are shown beneath lines.
    details: bool,
    zone: TimeZone,
    mask: Mask,
}

/// Values that must not be shown: those of `.env` keys that look secret (design.md section 9). Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    secrets: Arc<RwLock<Vec<String>>>,
}

impl Mask {
    /// Picks the secrets out of an environment file. They replace those of before.
    pub fn set<'a>(&self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.contains(word))
        };
        let variables = variables.into_iter().filter(|(name, value)| value.len() >= 8 && secret(name));
        let mut secrets: Vec<_> = variables.map(|(_, value)| value.to_owned()).collect();
        // Longer ones first: one may contain another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        *self.secrets.write() = secrets;
    }

    /// The text without them.
    pub fn apply(&self, text: String) -> String {
        let hide =
            |text: String, secret: &String| if text.contains(secret) { text.replace(secret, "********") } else { text };
        self.secrets.read().iter().fold(text, hide)
    }
}

impl<W: Write + Send + 'static> Terminal<W> {
    /// Writes to `out` what is at least as loud as `level`.
    pub fn new(out: W, format: Format, level: Level, details: bool, mask: Mask) -> Self {
        Self { out, format, level, details, zone: TimeZone::system(), mask }
    }

    fn json(&self, line: &LogLine) -> String {
        let mut object = serde_json::json!({
            "time": line.at.to_string(),
            "level": line.level,
            "msg": line.message,
        });
        if let Some(trace) = line.trace {
            object["traceId"] = trace.as_str().into();
        }
        if let Some(step) = &line.step {
            object["step"] = step.as_str().into();
        }
        if let Ok(details) = serde_json::from_slice::<Value>(&line.details) {
            object["details"] = details;
        }
        format!("{object}\n")
    }

    fn text(&self, line: &LogLine, color: bool) -> String {
        let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
        let level = match line.level {
            Level::Debug => paint("2", "[DEBUG]"),
            Level::Info => paint("36", "[INFO]"),
            Level::Warn => paint("33", "[WARN]"),
            Level::Error => paint("31", "[ERROR]"),
        };
        let time = jiff::Timestamp::from_millisecond(line.at.as_millis())
            .map(|at| at.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f").to_string())
            .unwrap_or_default();
        let mut text = paint("2", &format!("[{time}]"));
        let trace = line.trace.map(|trace| paint("2", trace.as_str()));
        let step = line.step.as_ref().map(|step| paint("1", step.as_str()));
        for part in [trace, Some(level), step].into_iter().flatten() {
            text.push(' ');
            text.push_str(&part);
        }
        text.push(' ');
        // Further lines of the message are set in, so that they cannot be taken for lines of their own.
        text.push_str(&line.message.trim_end().replace('\n', "\n    "));
        text.push('\n');
        if self.details
            && let Ok(details) = serde_json::from_slice::<Value>(&line.details)
        {
            tree(&mut text, &details, 0);
        }
        text
    }
}

impl<W: Write + Send + 'static> TelemetrySink for Terminal<W> {
    fn take(&mut self, records: &[Record], dropped: u64) {
        let mut text = String::new();
        if dropped > 0 {
            text.push_str(&format!("[{dropped} records were dropped: they came faster than they could be written]\n"));
        }
        for record in records {
            match record {
                Record::Notice(notice) => {
                    text.push_str(notice);
                    text.push('\n');
                }
                Record::Log(line) if line.level >= self.level => text.push_str(&match self.format {
                    Format::Text { color } => self.text(line, color),
                    Format::Json => self.json(line),
                }),
                _ => {}
            }
        }
        if !text.is_empty() {
            // The terminal may be gone (a closed pipe): the engine goes on without it.
            let _ = self.out.write_all(self.mask.apply(text).as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

/// Most members shown of one object or list, and how deep.
const WIDTH: usize = 20;
const DEPTH: usize = 4;

/// Details as people read them: `├ name: value`.
fn tree(out: &mut String, value: &Value, depth: usize) {
    let indent = "│ ".repeat(depth);
    let members: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        scalar => {
            out.push_str(&format!("{indent}└ {}\n", short(scalar)));
            return;
        }
    };
    let count = members.len();
    for (n, (key, value)) in members.into_iter().enumerate() {
        if n == WIDTH {
            out.push_str(&format!("{indent}└ … {} more\n", count - WIDTH));
            return;
        }
        let branch = if n + 1 == count { "└" } else { "├" };
        let nested = matches!(value, Value::Object(map) if !map.is_empty())
            || matches!(value, Value::Array(list) if !list.is_empty());
        if nested && depth + 1 < DEPTH {
            out.push_str(&format!("{indent}{branch} {key}:\n"));
            tree(out, value, depth + 1);
        } else {
            out.push_str(&format!("{indent}{branch} {key}: {}\n", short(value)));
        }
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.replace('\n', "\n    "),
        other => other.to_string(),
    };
    match text.char_indices().nth(2000) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use motia_core::Timestamp;
    use motia_core::trace::TraceIds;
    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, details: bool, lines: Vec<LogLine>) -> String {
        let page = Page::default();
        let mask = Mask::default();
        mask.set([("OPENAI_API_KEY", "sk-very-secret"), ("NAME", "not-secret-at-all"), ("TOKEN", "short")]);
        let mut terminal = Terminal::new(page.clone(), format, Level::Info, details, mask);
        terminal.zone = TimeZone::UTC;
        let records: Vec<_> = lines.into_iter().map(Record::Log).collect();
        terminal.take(&records, 0);
        let bytes = page.0.lock().clone();
        String::from_utf8(bytes).expect("text")
    }

    fn line(level: Level, message: &str, details: &str) -> LogLine {
        LogLine {
            at: Timestamp(1_795_371_060_908),
            level,
            trace: Some(TraceIds::new([0; 16]).nth(0)),
            step: Some("CreateOrder".into()),
            message: message.into(),
            details: Bytes::copy_from_slice(details.as_bytes()),
        }
    }

    #[test]
    fn lines_for_people() {
        let lines = vec![
            line(Level::Debug, "too quiet", ""),
            line(Level::Info, "🐾 created", r#"{"body":{"name":"Max","tags":["a","b"],"none":null},"n":1}"#),
            line(Level::Error, "failed: Error: no\n    at handler (steps/a.step.ts:3:9)", ""),
            LogLine {
                trace: None,
                step: None,
                ..line(Level::Warn, "key sk-very-secret, name not-secret-at-all", "\"text\"")
            },
        ];
        let trace = TraceIds::new([0; 16]).nth(0).to_string();
        let text = written(Format::Text { color: false }, true, lines).replace(&trace, "TRACE");
        insta::assert_snapshot!(text, @r"
        [18:11:00.908] TRACE [INFO] CreateOrder 🐾 created
        ├ body:
        │ ├ name: Max
        │ ├ tags:
        │ │ ├ 0: a
        │ │ └ 1: b
        │ └ none: null
        └ n: 1
        [18:11:00.908] TRACE [ERROR] CreateOrder failed: Error: no
                at handler (steps/a.step.ts:3:9)
        [18:11:00.908] [WARN] key ********, name not-secret-at-all
        └ text
        ");
    }

    #[test]
    fn lines_for_machines() {
        let text = written(Format::Json, false, vec![line(Level::Info, "hello", r#"{"a":1}"#)]);
        let object: Value = serde_json::from_str(&text).expect("one JSON object");
        assert_eq!(object["msg"], "hello");
        assert_eq!(object["details"]["a"], 1);
        assert_eq!(object["level"], "info");
        assert!(object["time"].as_str().expect("text").ends_with('Z'));
    }
}

//! What the runtime tells whoever started it: lines for people, log lines for machines.

use motia_core::record::{Level, Record};
use motia_engine::Telemetry;
use motia_engine::terminal::{Format, Mask};

/// Where start-up and reload lines go.
#[derive(Clone)]
pub(crate) struct Console {
    format: Format,
    telemetry: Telemetry,
    mask: Mask,
}

impl Console {
    pub(crate) fn new(format: Format, telemetry: Telemetry, mask: Mask) -> Self {
        Self { format, telemetry, mask }
    }

    /// `➜ [CREATED] Step (API) steps/a.step.ts created` (L7677).
    pub(crate) fn info(&self, tag: &str, text: &str) {
        self.line(Level::Info, "36", "➜", tag, text);
    }

    pub(crate) fn warning(&self, text: &str) {
        self.line(Level::Warn, "33", "⚠", "WARNING", text);
    }

    pub(crate) fn error(&self, text: &str) {
        self.line(Level::Error, "31", "✖", "ERROR", text);
    }

    /// Whether code frames may have colours.
    pub(crate) fn color(&self) -> bool {
        matches!(self.format, Format::Text { color: true })
    }

    fn line(&self, level: Level, code: &str, sign: &str, tag: &str, text: &str) {
        match self.format {
            Format::Json => self.telemetry.log(level, text),
            Format::Text { color } => {
                let tag = if color { format!("\x1b[{code}m{sign} [{tag}]\x1b[0m") } else { format!("{sign} [{tag}]") };
                // Further lines belong to the first: they are set in.
                let text = self.mask.apply(text.trim_end().replace('\n', "\n  "));
                // By the pipeline, as everything: a terminal that nobody reads must not hold us up.
                self.telemetry.record(Record::Notice(format!("{tag} {text}")));
            }
        }
    }
}

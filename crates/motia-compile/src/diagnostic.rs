//! What is wrong with a file, told so that it can be put right: where, what, and what to do.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

use motia_core::SourcePath;
use oxc::diagnostics::OxcDiagnostic;

/// How many lines are shown around the one that is wrong.
const CONTEXT: usize = 2;

/// Lines longer than this (minified code, embedded data) are shown in part.
const WIDTH: usize = 160;

/// An error or a warning about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file that it is about.
    pub path: SourcePath,
    /// What is wrong: one line, without the place.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where in the file; `None` if it concerns the file as a whole.
    pub location: Option<Location>,
    /// How the file was reached: the entry first, then each file by which the next was imported, then this one.
    /// Empty if it was not reached by an import.
    pub chain: Vec<SourcePath>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In bytes of the source.
    pub span: Range<usize>,
    /// How many characters of the line the caret underlines.
    pub width: usize,
    /// The line itself and its neighbours.
    pub excerpt: Vec<ExcerptLine>,
}

/// A line of source in a [`Location`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcerptLine {
    /// From 1.
    pub number: usize,
    /// Its text, without the line break.
    pub text: String,
}

impl Diagnostic {
    pub(crate) fn new(path: &SourcePath, message: impl Into<String>) -> Self {
        Self { path: path.clone(), message: message.into(), help: None, location: None, chain: Vec::new() }
    }

    pub(crate) fn at(mut self, source: &str, span: Range<usize>) -> Self {
        self.location = Location::new(source, span);
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn chain(mut self, chain: Vec<SourcePath>) -> Self {
        self.chain = chain;
        self
    }

    /// What the parser and the lowering report.
    pub(crate) fn from_oxc(path: &SourcePath, source: &str, error: &OxcDiagnostic) -> Self {
        let span = error
            .labels
            .iter()
            .find(|label| label.primary())
            .or_else(|| error.labels.first())
            .map(|label| label.offset() as usize..(label.offset() + label.len()) as usize);
        let mut diagnostic = Self::new(path, error.message.to_string());
        diagnostic.help = error.help.as_ref().map(ToString::to_string);
        match span {
            Some(span) => diagnostic.at(source, span),
            None => diagnostic,
        }
    }

    /// What a reader of JSON says, which tells the place once more at its end.
    pub(crate) fn not_json(path: &SourcePath, source: &str, why: &str, line: usize, column: usize) -> Self {
        let why = why.split(" at line ").next().unwrap_or(why);
        let at = offset(source, line, column);
        Self::new(path, format!("this is not JSON: {why}")).at(source, at..at)
    }

    /// The diagnostic as it is shown: the message, the place with a code frame, the chain of imports and the help.
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut out = paint.bold(&self.message);
        let place = match &self.location {
            Some(at) => format!("{}:{}:{}", self.path, at.line, at.column),
            None => self.path.to_string(),
        };
        let _ = write!(out, "\n  {} {}", paint.dim("at"), paint.accent(&place));
        if let Some(location) = &self.location {
            location.render(paint, &mut out);
        }
        if self.chain.len() > 1 {
            let chain: Vec<&str> = self.chain.iter().map(SourcePath::as_str).collect();
            let _ = write!(out, "\n  {} {}", paint.dim("imported from"), chain.join(" → "));
        }
        if let Some(help) = &self.help {
            let _ = write!(out, "\n  {} {help}", paint.dim("help:"));
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Location {
    /// `None` for spans that are not in the source: those of code that the compiler made up.
    fn new(source: &str, span: Range<usize>) -> Option<Self> {
        let before = source.get(..span.start)?;
        let covered = source.get(span.clone())?;
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count();
        let first = line.saturating_sub(CONTEXT);
        let mut lines: Vec<&str> = source.split('\n').collect();
        // The end of the file is a line only if that is where it went wrong.
        if lines.len() > line + 1 && lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let excerpt = (first..lines.len().min(line + CONTEXT + 1))
            .map(|index| ExcerptLine { number: index + 1, text: lines[index].trim_end_matches('\r').to_owned() })
            .collect();
        let width = covered.lines().next().map_or(1, |first| first.chars().count().max(1));
        Some(Self { line: line + 1, column: column + 1, span, width, excerpt })
    }

    fn render(&self, paint: Paint, out: &mut String) {
        let gutter = self.excerpt.last().map_or(1, |line| line.number.to_string().len());
        for line in &self.excerpt {
            let marked = (line.number == self.line).then(|| self.column - 1..self.column - 1 + self.width);
            let (text, marked) = window(&line.text, marked);
            let number = paint.dim(&format!("{:>gutter$} |", line.number));
            let _ = write!(out, "\n    {number} {}", text.trim_end());
            if let Some(marked) = marked {
                let carets = paint.accent(&"^".repeat(marked.len()));
                let bar = paint.dim("|");
                let _ = write!(out, "\n    {:gutter$} {bar} {:indent$}{carets}", "", "", indent = marked.start);
            }
        }
    }
}

/// As much of a line as is shown: around the characters that are marked, else its beginning. Gives also where the marked ones are in it.
fn window(line: &str, marked: Option<Range<usize>>) -> (String, Option<Range<usize>>) {
    let chars: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let start = match &marked {
        Some(marked) if chars.len() > WIDTH && marked.end >= WIDTH => {
            marked.start.saturating_sub(WIDTH / 2).min(chars.len() + 1 - WIDTH)
        }
        _ => 0,
    };
    let end = chars.len().min(start + WIDTH);
    let mut shown = chars[start..end].to_vec();
    // What is cut off is the place of an ellipsis.
    if let Some(first) = shown.first_mut().filter(|_| start > 0) {
        *first = '…';
    }
    if let Some(last) = shown.last_mut().filter(|_| end < chars.len()) {
        *last = '…';
    }
    let marked = marked.map(|marked| {
        let from = marked.start - start;
        from..(marked.end - start).min(WIDTH.max(from + 1))
    });
    (shown.into_iter().collect(), marked)
}

/// Colour by meaning: none if it is off.
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn accent(self, text: &str) -> String {
        self.with("31", text)
    }
}

/// The place of a line and a column, as readers of JSON count them.
pub(crate) fn offset(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The text of a file, shared with whoever points into it.
pub(crate) type Source = Arc<str>;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(source: &str, at: &str) -> String {
        let start = source.find(at).unwrap_or_default();
        Diagnostic::new(&SourcePath::from("a.ts"), "wrong").at(source, start..start + at.len()).render(false)
    }

    #[test]
    fn a_long_line_is_shown_around_what_is_wrong() {
        let words = |from: usize, to: usize| (from..to).map(|n| format!("w{n:03} ")).collect::<String>();
        let first = format!("{}wrong {}", words(0, 3), words(4, 80));
        let middle = format!("\tlet short = 1\n{}wrong {}\n{}", words(0, 60), words(61, 120), words(0, 80));
        let last = format!("{}wrong", words(0, 60));
        let wide = format!("{}{}{}", words(0, 60), "wrong".repeat(50), words(0, 60));
        let umlauts = format!("{}wrong{}", "ü".repeat(200), "ü".repeat(200));
        let exact = format!("{}wrong", "x".repeat(WIDTH - 5));
        let frames = [
            frame(&first, "wrong"),
            frame(&middle, "wrong"),
            frame(&last, "wrong"),
            frame(&wide, &"wrong".repeat(50)),
            frame(&umlauts, "wrong"),
            frame(&exact, "wrong"),
        ];
        insta::assert_snapshot!(frames.join("\n\n"));
    }

    #[test]
    fn what_is_marked_is_never_cut_off_at_its_beginning() {
        for length in [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH] {
            let line: String = (0..length).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
            for start in 0..=length {
                for width in [1, 7, WIDTH, 2 * WIDTH] {
                    let (shown, marked) = window(&line, Some(start..start + width));
                    let marked = marked.unwrap_or_default();
                    assert!(shown.chars().count() <= WIDTH && !marked.is_empty(), "{length} {start} {width}");
                    assert_eq!(shown.chars().nth(marked.start), line.chars().nth(start), "{length} {start} {width}");
                }
            }
        }
    }
}

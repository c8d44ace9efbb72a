//! The code blocks of the documentation of Motia 0.x, which lies beside the repository on machines that have it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The Python blocks of all pages.
pub(super) struct Documentation {
    blocks: Vec<Block>,
}

/// A block, as it is printed.
pub(super) struct Block {
    /// The page that it stands on.
    pub(super) page: String,
    /// The line of its fence, by which tests cite it.
    pub(super) line: u64,
    /// The file that it is to be.
    pub(super) title: Option<String>,
    pub(super) code: String,
}

/// `None`, and why, where the documentation is not there.
pub(super) fn documentation() -> Option<Documentation> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tools/doc-snippets");
    if !tool.is_file() {
        eprintln!("skipped: the documentation is not beside the repository, at ../shared");
        return None;
    }
    let output = match Command::new("python3").arg(&tool).env("PYTHONUTF8", "1").output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: python3 does not run: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "doc-snippets: {}", String::from_utf8_lossy(&output.stderr));
    let blocks = String::from_utf8(output.stdout).expect("text");
    let blocks = blocks.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line"));
    let blocks: Vec<_> = blocks.filter(|block: &Value| block["lang"] == "python").map(|block| read(&block)).collect();
    assert!(!blocks.is_empty(), "the documentation has no Python block");
    Some(Documentation { blocks })
}

fn read(block: &Value) -> Block {
    let text = |member: &str| block[member].as_str().map(str::to_owned);
    Block {
        page: text("page").expect("a page"),
        line: block["line"].as_u64().expect("a line"),
        title: text("title"),
        code: unindented(&text("code").expect("code")),
    }
}

/// As Markdown shows it: the indentation of a block is that of its fence, also where a text in it stands further left.
fn unindented(code: &str) -> String {
    let first = code.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let indentation = first.len() - first.trim_start().len();
    let lines = code.lines().map(|line| {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        &line[spaces.min(indentation)..]
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

impl Documentation {
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The block whose fence is at this line.
    pub(super) fn block(&self, line: u64) -> &Block {
        self.blocks.iter().find(|block| block.line == line).unwrap_or_else(|| panic!("L{line} is no Python block"))
    }

    /// What it says.
    pub(super) fn code(&self, line: u64) -> &str {
        &self.block(line).code
    }

    /// Blocks with what is put around them, in one file.
    pub(super) fn file(&self, parts: &[Part<'_>]) -> String {
        let parts = parts.iter().map(|part| match part {
            Part::Printed(line) => self.code(*line),
            Part::Own(text) => text,
        });
        parts.flat_map(|part| [part, "\n\n"]).collect()
    }
}

/// What a file is put together of.
pub(super) enum Part<'a> {
    /// A block, by its line.
    Printed(u64),
    /// What the page leaves to its reader.
    Own(&'a str),
}

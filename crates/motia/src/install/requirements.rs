//! The project's requirements.txt as an installer gets it: untouched, but for `motia`, which comes with the binary.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::say;

/// The file's name.
pub(super) const REQUIREMENTS: &str = "requirements.txt";

/// How deep files may take in others.
const DEPTH: usize = 8;

/// The requirements as the installer gets them.
pub(super) struct Requirements {
    /// The project's own file; or, if it or one that it takes in asks for `motia`, a copy beside it without that: paths in it go on from there.
    pub(super) file: PathBuf,
    /// Copies that were made. They are removed.
    made: Vec<PathBuf>,
}

impl Requirements {
    /// Those of a project.
    pub(super) fn without_ours(root: &Path) -> Result<Self> {
        let file = root.join(REQUIREMENTS);
        let mut requirements = Self { file: file.clone(), made: Vec::new() };
        if let Some(copy) = requirements.copy(&file, DEPTH)? {
            say("motia comes with this binary, so its line in requirements.txt is passed over");
            requirements.file = copy;
        }
        Ok(requirements)
    }

    /// A copy of a file beside it, if it has to differ.
    fn copy(&mut self, file: &Path, depth: usize) -> Result<Option<PathBuf>> {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let content = String::from_utf8_lossy(&content);
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        let (mut kept, mut differs) = (String::new(), false);
        for line in logical_lines(&content) {
            if asks_for_motia(line) {
                differs = true;
            } else if let Some(taken_in) = taken_in(line).map(|name| folder.join(name)).filter(|file| file.is_file())
                && depth > 0
                && let Some(copy) = self.copy(&taken_in, depth - 1)?
            {
                differs = true;
                kept.push_str(&format!("-r {}\n", copy.display()));
            } else {
                kept.push_str(line);
            }
        }
        if !differs {
            return Ok(None);
        }
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let copy = folder.join(format!(".{name}-{}.txt", std::process::id()));
        fs::write(&copy, kept).with_context(|| format!("cannot write {}", copy.display()))?;
        self.made.push(copy.clone());
        Ok(Some(copy))
    }
}

impl Drop for Requirements {
    fn drop(&mut self) {
        for copy in &self.made {
            // It is of no use to anyone, and does no harm.
            let _ = fs::remove_file(copy);
        }
    }
}

/// Lines with those that they go on in, and their ends.
fn logical_lines(content: &str) -> Vec<&str> {
    let (mut lines, mut start, mut end) = (Vec::new(), 0, 0);
    for line in content.split_inclusive('\n') {
        end += line.len();
        let goes_on =
            line.trim_end_matches(['\n', '\r']).ends_with('\\') && !content[start..].trim_start().starts_with('#');
        if !goes_on {
            lines.push(&content[start..end]);
            start = end;
        }
    }
    if start < end {
        lines.push(&content[start..end]);
    }
    lines
}

fn asks_for_motia(line: &str) -> bool {
    let line = line.trim_start();
    if option(line, &["-e", "--editable"]).is_some() {
        let egg = line.split_once("#egg=").map(|(_, egg)| name_of(egg));
        return egg.is_some_and(is_motia);
    }
    is_motia(name_of(line))
}

/// The file that a line takes in.
fn taken_in(line: &str) -> Option<&str> {
    let file = option(line.trim(), &["-r", "--requirement"])?;
    // A comment begins behind a blank.
    let file = file.split(" #").next().unwrap_or(file).trim();
    (!file.is_empty()).then_some(file)
}

/// What an option says, if a line is one of these: `-r file`, `-rfile`, `--requirement file`, `--requirement=file`.
fn option<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let rest = line.strip_prefix(name)?;
        let long = name.starts_with("--");
        (!long || rest.starts_with(['=', ' ', '\t'])).then(|| rest.trim_start_matches('=').trim())
    })
}

fn name_of(requirement: &str) -> &str {
    let end = requirement.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
    &requirement[..end.unwrap_or(requirement.len())]
}

fn is_motia(name: &str) -> bool {
    name.eq_ignore_ascii_case("motia")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(files: &[(&str, &str)]) -> (tempfile::TempDir, Requirements) {
        let root = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("written");
        }
        let requirements = Requirements::without_ours(root.path()).expect("read");
        (root, requirements)
    }

    fn kept(content: &str) -> Option<String> {
        let (_root, requirements) = given(&[(REQUIREMENTS, content)]);
        let copy = (!requirements.made.is_empty()).then(|| fs::read_to_string(&requirements.file).expect("read"));
        assert!(copy.is_some() || requirements.file.ends_with(REQUIREMENTS));
        copy
    }

    #[test]
    fn only_what_asks_for_motia_is_passed_over() {
        assert_eq!(kept("httpx==0.27.0\n# motia\nmotia-extras\n./motia\n-e ./motia\n-r more.txt\n"), None);
        let asks = "httpx==0.27.0 # pinned\nmotia\nMotia>=0.17 ; python_version > '3.8'\n-r more.txt\nmotia[x]==1\n\
                    -e git+https://example.com/motia.git#egg=motia\nmotia @ file:///x\nlast";
        assert_eq!(kept(asks).as_deref(), Some("httpx==0.27.0 # pinned\n-r more.txt\nlast"));
    }

    #[test]
    fn a_line_goes_with_those_that_it_goes_on_in() {
        let hashed =
            "motia==0.17.0 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\nhttpx==0.27.0 \\\n    --hash=sha256:3\n";
        assert_eq!(kept(hashed).as_deref(), Some("httpx==0.27.0 \\\n    --hash=sha256:3\n"));
        assert_eq!(kept("# a comment \\\nmotia\n").as_deref(), Some("# a comment \\\n"));
    }

    #[test]
    fn files_that_are_taken_in_are_looked_at_too_and_copies_go() {
        let (root, requirements) = given(&[
            (REQUIREMENTS, "-r deps/base.txt # ours\n-rplain.txt\n--requirement=missing.txt\n"),
            ("deps/base.txt", "Motia[foo]>=0.1\n-r more.txt\n"),
            ("deps/more.txt", "six\n"),
            ("plain.txt", "six\n"),
        ]);
        let [base, top] = requirements.made.clone().try_into().expect("two copies");
        assert_eq!(fs::read_to_string(&base).expect("read"), "-r more.txt\n");
        let expected = format!("-r {}\n-rplain.txt\n--requirement=missing.txt\n", base.display());
        assert_eq!(fs::read_to_string(&top).expect("read"), expected);
        drop(requirements);
        assert!(!base.exists() && !top.exists());
        drop(root);
        // Files that take in one another.
        let (_root, requirements) = given(&[(REQUIREMENTS, "-r a.txt\nmotia\n"), ("a.txt", "-r requirements.txt\n")]);
        assert!(requirements.made.len() > 1);
    }
}

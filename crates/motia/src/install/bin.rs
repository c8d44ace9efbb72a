//! `node_modules/.bin/motia`: what npm scripts find first.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SIGN: &[u8] = b"# Made by `motia install`";

/// Whether `node_modules/.bin/motia` is ours.
pub(crate) fn is_linked(root: &Path) -> bool {
    fs::read(place(root)).is_ok_and(|script| script.windows(SIGN.len()).any(|part| part == SIGN))
}

/// Makes `node_modules/.bin/motia` run this binary. The link of an original goes; its package stays.
pub(crate) fn link(root: &Path, binary: &Path) -> io::Result<()> {
    let (place, script) = (place(root), script(binary));
    if fs::read(&place).is_ok_and(|found| found == script) {
        return Ok(());
    }
    let folder = root.join("node_modules/.bin");
    fs::create_dir_all(&folder)?;
    let unfinished = folder.join(format!(".motia-{}", std::process::id()));
    fs::write(&unfinished, script)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    fs::rename(unfinished, place)
}

fn place(root: &Path) -> std::path::PathBuf {
    root.join("node_modules/.bin/motia")
}

/// A script, not a link: a binary that moved is still found on PATH.
fn script(binary: &Path) -> Vec<u8> {
    let quoted = [b"'".as_slice(), &binary.as_os_str().as_bytes().replace_quotes(), b"'"].concat();
    let parts: [&[u8]; 5] =
        [b"#!/bin/sh\n", SIGN, b": npm scripts of this project run this motia.\nmotia=", &quoted, REST];
    parts.concat()
}

const REST: &[u8] = br#"
if [ ! -x "$motia" ]; then
  motia=
  IFS=:
  for folder in $PATH; do
    case $folder in */node_modules/.bin) continue ;; esac
    if [ -x "$folder/motia" ]; then
      motia=$folder/motia
      break
    fi
  done
fi
if [ -z "$motia" ]; then
  echo "motia: the binary that 'motia install' linked here is gone. Install Motia again, then run: motia install" >&2
  exit 127
fi
exec "$motia" "$@"
"#;

trait ReplaceQuotes {
    fn replace_quotes(&self) -> Vec<u8>;
}

impl ReplaceQuotes for [u8] {
    /// For a word in single quotes of a shell.
    fn replace_quotes(&self) -> Vec<u8> {
        self.iter().flat_map(|&byte| if byte == b'\'' { b"'\\''".to_vec() } else { vec![byte] }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn program(path: &Path, says: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, format!("#!/bin/sh\necho {says} \"$@\"\n")).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    #[test]
    fn scripts_find_this_binary_then_the_one_on_path_never_themselves() {
        let root = tempfile::tempdir().expect("a folder");
        let binary = root.path().join("it's here/motia");
        program(&binary, "linked");
        program(&root.path().join("path/motia"), "on-path");
        program(&root.path().join("node_modules/.bin/motia"), "original");
        assert!(!is_linked(root.path()));
        link(root.path(), &binary).expect("linked");
        assert!(is_linked(root.path()));
        let run = |path: &str| {
            let mut command = Command::new(root.path().join("node_modules/.bin/motia"));
            let output = command.args(["dev", "a b"]).env("PATH", path).output().expect("it runs");
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let bin = format!("{0}/node_modules/.bin:{0}/path:/bin", root.path().display());
        assert_eq!(run(&bin), (Some(0), "linked dev a b\n".into()));
        fs::remove_file(&binary).expect("removed");
        assert_eq!(run(&bin), (Some(0), "on-path dev a b\n".into()));
        assert_eq!(run("/nowhere").0, Some(127));
    }
}

//! Which package manager a project uses, and how it installs without writing lock files.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tokio::process::Command;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    Npm,
    Pnpm,
    Yarn,
    Bun,
}

/// Lock files, and whose they are.
const LOCKS: [(&str, Manager); 6] = [
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
];

/// The lock files that a folder may have.
pub(crate) fn locks_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    LOCKS.iter().map(|(name, _)| folder.join(name))
}

/// A project's package manager.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) manager: Manager,
    /// What says so.
    why: String,
    /// The lock files that it reads and may write.
    pub(crate) locks: Vec<PathBuf>,
}

impl Choice {
    /// `packageManager` decides, then the nearest lock file, up to the root of the repository; else npm.
    pub(crate) fn of(root: &Path, package_manager: Option<&str>) -> Self {
        let folders = || up_to_repository(root);
        let named = package_manager.and_then(|named| Manager::named(named.split('@').next().unwrap_or(named)));
        let nearest = folders().find_map(|folder| LOCKS.into_iter().find(|(name, _)| folder.join(name).exists()));
        let (manager, why) = match (named, nearest) {
            (Some(manager), _) => (manager, "packageManager in package.json".to_owned()),
            (None, Some((lock, manager))) => (manager, lock.to_owned()),
            (None, None) => (Manager::Npm, "no lock file, so npm".to_owned()),
        };
        let own = |lock: &PathBuf| LOCKS.iter().any(|(name, of)| *of == manager && lock.ends_with(name));
        let existing = folders().flat_map(locks_in).filter(|lock| lock.exists());
        // Those that it would make here come first; they go again.
        let mut locks: Vec<_> = locks_in(root).chain(existing).filter(own).collect();
        locks.sort();
        locks.dedup();
        Self { manager, why, locks }
    }

    /// The command that installs. `binary` is found last, for scripts of the project that call `motia`.
    pub(crate) async fn command(&self, root: &Path, binary: &Path) -> Result<Command> {
        let path = path_with(binary);
        let mut command = Command::new(self.manager.name());
        command.current_dir(root).env("PATH", &path).args(match self.manager {
            Manager::Npm => &["install", "--no-save", "--no-audit", "--no-fund"][..],
            Manager::Pnpm => &["install", "--no-frozen-lockfile", "--config.confirmModulesPurge=false"],
            Manager::Bun => &["install", "--no-save"],
            Manager::Yarn => &["install"],
        });
        if self.manager == Manager::Yarn {
            let version = Command::new("yarn").arg("--version").current_dir(root).env("PATH", &path).output().await;
            let version = version.map_err(|error| self.cannot_run(&error))?;
            if version.stdout.starts_with(b"1.") {
                command.args(["--pure-lockfile", "--non-interactive"]);
            } else {
                // Workers look for packages in node_modules.
                command.env("YARN_NODE_LINKER", "node-modules").env("YARN_ENABLE_IMMUTABLE_INSTALLS", "false");
            }
        }
        Ok(command)
    }

    pub(crate) fn cannot_run(&self, error: &std::io::Error) -> anyhow::Error {
        let (name, why) = (self.manager.name(), &self.why);
        if error.kind() != std::io::ErrorKind::NotFound {
            return anyhow::anyhow!("{name} cannot be run: {error}");
        }
        let how = match self.manager {
            Manager::Npm => "it comes with Node: https://nodejs.org",
            Manager::Pnpm => "npm install -g pnpm",
            Manager::Yarn => "npm install -g yarn, or corepack enable",
            Manager::Bun => "npm install -g bun",
        };
        anyhow::anyhow!(
            "this project uses {name} ({why}), but {name} is not on PATH. Install it ({how}), then run `motia install` again"
        )
    }
}

impl Manager {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Bun => "bun",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Npm, Self::Pnpm, Self::Yarn, Self::Bun].into_iter().find(|manager| manager.name() == name)
    }
}

fn up_to_repository(root: &Path) -> impl Iterator<Item = &Path> {
    let mut done = false;
    root.ancestors().take_while(move |folder| !std::mem::replace(&mut done, folder.join(".git").exists()))
}

fn path_with(binary: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(binary.parent().map(Path::to_owned));
    env::join_paths(folders).unwrap_or_else(|_| path.clone())
}

/// What a package manager must say for itself before its lifecycle scripts are trusted to be one.
pub(crate) fn running_lifecycle(variable: impl Fn(&str) -> Option<String>) -> bool {
    matches!(
        variable("npm_lifecycle_event").as_deref(),
        Some("preinstall" | "install" | "postinstall" | "prepublish" | "preprepare" | "prepare" | "postprepare")
    )
}

/// Refuses a folder that no package manager could write to, before anything is changed.
pub(crate) fn check_writable(root: &Path) -> Result<()> {
    if rustix::fs::access(root, rustix::fs::Access::WRITE_OK).is_err() {
        bail!("{} cannot be written to: run `motia install` where the project can be changed", root.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_field_decides_then_the_nearest_lock_file_then_npm() {
        let root = tempfile::tempdir().expect("a folder");
        let project = root.path().join("apps/api");
        fs::create_dir_all(&project).expect("a folder");
        fs::create_dir(root.path().join(".git")).expect("a folder");
        let manager = |field| Choice::of(&project, field).manager;
        assert_eq!(manager(None), Manager::Npm);
        assert_eq!(manager(Some("yarn@4.1.0+sha512.x")), Manager::Yarn);
        assert_eq!(manager(Some("nonsense")), Manager::Npm);
        fs::write(root.path().join("pnpm-lock.yaml"), "").expect("written");
        let choice = Choice::of(&project, None);
        assert_eq!((choice.manager, choice.why.as_str()), (Manager::Pnpm, "pnpm-lock.yaml"));
        assert_eq!(choice.locks, [project.join("pnpm-lock.yaml"), root.path().join("pnpm-lock.yaml")]);
        fs::write(project.join("bun.lock"), "").expect("written");
        assert_eq!(manager(None), Manager::Bun);
        assert_eq!(manager(Some("pnpm")), Manager::Pnpm);
    }

    #[test]
    fn a_missing_manager_is_named_with_what_asks_for_it() {
        let choice = Choice { manager: Manager::Pnpm, why: "pnpm-lock.yaml".into(), locks: Vec::new() };
        let error = choice.cannot_run(&std::io::ErrorKind::NotFound.into()).to_string();
        let expected = "this project uses pnpm (pnpm-lock.yaml), but pnpm is not on PATH. Install it (npm install -g pnpm), then run `motia install` again";
        assert_eq!(error, expected);
    }
}

//! Which interpreter runs a language: one answer for `dev`, `start`, `install` and `doctor`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use motia_core::ids::Runtime;

use super::python;
use crate::variables::Variables;

/// Major and minor.
pub(super) type Version = (u32, u32);

/// The oldest Node that runs `require()` of ES modules without a flag.
const NODE: Version = (20, 19);
/// The oldest Ruby that the worker runs on.
const RUBY: Version = (3, 0);

/// A program that runs a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// The program.
    pub(crate) program: PathBuf,
    /// What made it the one.
    pub(crate) why: String,
    /// What its packages lie in, if that is not the system.
    pub(crate) environment: Option<Environment>,
}

/// A Python environment: a folder with packages of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// Made by `venv`, `uv` or `virtualenv`.
    Virtual(PathBuf),
    /// Made by conda.
    Conda(PathBuf),
}

impl Environment {
    /// Where it lies.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Virtual(folder) | Self::Conda(folder) => folder,
        }
    }
}

/// The interpreter of a language for the project at `root`. Errors say what to install.
pub(crate) fn find(runtime: Runtime, root: &Path, variables: &Variables) -> Result<Interpreter> {
    match runtime {
        Runtime::Node => on_path(variables, "node", "Node", "TypeScript and JavaScript", NODE),
        Runtime::Python => python::find(root, variables),
        Runtime::Ruby => on_path(variables, "ruby", "Ruby", "Ruby", RUBY),
    }
}

/// The one that `MOTIA_…` names, or the first on PATH.
fn on_path(variables: &Variables, program: &str, name: &str, steps: &str, oldest: Version) -> Result<Interpreter> {
    let variable = format!("MOTIA_{}", program.to_uppercase());
    if let Some(named) = variables.named(&variable)? {
        return Ok(named);
    }
    match variables.on_path(&[program]) {
        Some(found) => Ok(Interpreter { program: found, why: format!("{program} on PATH"), environment: None }),
        None => anyhow::bail!(
            "{program} was not found: {steps} steps need {name} {}.{} or later on PATH (or name it in {variable})",
            oldest.0,
            oldest.1
        ),
    }
}

/// What is wrong with a version of a language, if anything.
pub(crate) fn too_old(runtime: Runtime, version: &str) -> Option<String> {
    let (oldest, variable) = match runtime {
        Runtime::Node => (NODE, "MOTIA_NODE"),
        Runtime::Python => (python::OLDEST, "MOTIA_PYTHON"),
        Runtime::Ruby => (RUBY, "MOTIA_RUBY"),
    };
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next()?, numbers.next()?);
    (found < oldest).then(|| {
        format!(
            "{runtime} {version} is too old: steps need {}.{} or later. Install it, or name another {runtime} in {variable}",
            oldest.0, oldest.1
        )
    })
}

impl Variables {
    /// The first of these programs on PATH.
    pub(crate) fn on_path(&self, names: &[&str]) -> Option<PathBuf> {
        let path = self.get("PATH").unwrap_or_default();
        let folders: Vec<_> = std::env::split_paths(path).collect();
        names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file()))
    }

    /// The program that a variable names, if it does.
    pub(crate) fn named(&self, variable: &str) -> Result<Option<Interpreter>> {
        let Some(program) = self.get(variable).map(PathBuf::from) else { return Ok(None) };
        anyhow::ensure!(program.is_file(), "{variable} names {}, which is not there", program.display());
        Ok(Some(Interpreter { program, why: variable.to_owned(), environment: None }))
    }

    /// What a worker of this interpreter gets: programs that its handlers start are those of the same environment.
    pub(crate) fn of(&self, interpreter: &Interpreter) -> Self {
        let mut variables = self.clone();
        if let Some(environment) = &interpreter.environment {
            let path = std::iter::once(environment.folder().join("bin"));
            let path = path.chain(std::env::split_paths(self.get("PATH").unwrap_or_default()));
            if let Ok(path) = std::env::join_paths(path) {
                variables.set("PATH", path);
            }
            if let Environment::Virtual(folder) = environment {
                variables.set("VIRTUAL_ENV", folder.into());
            }
            variables.0.retain(|(name, _)| name != "PYTHONHOME");
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (runtime, version) in [
            (Runtime::Node, "v20.19.0"),
            (Runtime::Node, "v100.0.0"),
            (Runtime::Node, "nonsense"),
            (Runtime::Python, "3.9.0"),
            (Runtime::Python, "3.14.0rc1"),
            (Runtime::Ruby, "3.0.4"),
        ] {
            assert_eq!(too_old(runtime, version), None, "{version}");
        }
        assert!(too_old(Runtime::Node, "v20.9.0").expect("too old").contains("need 20.19 or later"));
        assert!(too_old(Runtime::Python, "3.8.18").expect("too old").contains("another python in MOTIA_PYTHON"));
        assert!(too_old(Runtime::Ruby, "2.7.0").is_some());
    }
}

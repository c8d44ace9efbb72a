//! Finding Python: the one that has the project's packages.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::interpreter::{Environment, Interpreter, Version};
use crate::variables::Variables;

/// The oldest Python that the worker runs on.
pub(super) const OLDEST: Version = (3, 9);

/// Where `motia install` puts a project's packages, as the original did.
pub(crate) const MODULES: &str = "python_modules";

/// Names of Python on PATH, those first that mean "the usual one".
const NAMES: [&str; 8] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];

/// The project's Python. What the user says comes first, then environments that are active, then those of the project, then PATH.
pub(super) fn find(root: &Path, variables: &Variables) -> Result<Interpreter> {
    if let Some(named) = variables.named("MOTIA_PYTHON")? {
        if let Some(environment) = environment_of(&named.program) {
            return Ok(Interpreter { environment: Some(environment), ..named });
        }
        // One in no environment is what environments are made with, and the project's may be made with it.
        let modules = root.join(MODULES);
        let program = behind_shim(named.program.clone(), root, variables);
        return Ok(if is_made_with(&modules, &program) {
            let why = format!("{MODULES}, made with the Python of MOTIA_PYTHON");
            Interpreter { program: modules.join("bin/python"), why, environment: Some(Environment::Virtual(modules)) }
        } else {
            named
        });
    }
    let active = |name: &str| variables.get(name).map(PathBuf::from);
    // That of conda's own tools is always active, and meant for nobody.
    let conda =
        active("CONDA_PREFIX").filter(|_| variables.get("CONDA_DEFAULT_ENV").is_some_and(|name| name != "base"));
    let environments = [
        (active("VIRTUAL_ENV").map(Environment::Virtual), "VIRTUAL_ENV, the active environment"),
        (conda.map(Environment::Conda), "CONDA_PREFIX, the active environment"),
        (Some(Environment::Virtual(root.join(MODULES))), "python_modules, the project's environment"),
        (Some(Environment::Virtual(root.join(".venv"))), ".venv, the project's environment"),
        (Some(Environment::Virtual(root.join("venv"))), "venv, the project's environment"),
    ];
    for (environment, why) in environments {
        let Some(environment) = environment else { continue };
        // A link whose Python is gone does not count.
        let program = environment.folder().join("bin/python");
        if program.is_file() {
            return Ok(Interpreter { program, why: why.to_owned(), environment: Some(environment) });
        }
    }
    base(variables)
}

/// The Python that environments are made with: no environment's own.
pub(crate) fn base(variables: &Variables) -> Result<Interpreter> {
    let Some(program) = variables.on_path(&NAMES) else {
        bail!(
            "python was not found: Python steps need Python {}.{} or later on PATH (or name it in MOTIA_PYTHON)",
            OLDEST.0,
            OLDEST.1
        );
    };
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Interpreter { program, why: format!("{name} on PATH"), environment: None })
}

/// What a launcher script (a shim of pyenv or asdf) runs in this folder: going through it would make every start slower. Any other
/// program is itself.
pub(super) fn behind_shim(program: PathBuf, root: &Path, variables: &Variables) -> PathBuf {
    let mut head = [0; 2];
    let is_script = File::open(&program).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"#!";
    if !is_script {
        return program;
    }
    let asked = Command::new(&program)
        .args(["-c", "import sys; print(sys.executable)"])
        .current_dir(root)
        .env_clear()
        .envs(variables.0.iter().map(|(name, value)| (name, value)))
        .output();
    let Ok(output) = asked else { return program };
    let executable = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if executable.is_file() { executable } else { program }
}

/// The environment that a Python lies in, if it lies in one.
fn environment_of(program: &Path) -> Option<Environment> {
    let folder = program.parent()?.parent()?;
    folder.join("pyvenv.cfg").is_file().then(|| Environment::Virtual(folder.to_owned()))
}

/// Whether an environment, if there is one, was made with a Python.
fn is_made_with(environment: &Path, python: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let Some(environments) = real(&environment.join("bin/python")) else { return false };
    real(python).is_some_and(|python| python == environments)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_user_says_wins_then_active_environments_then_the_projects_then_path() {
        let root = tempfile::tempdir().expect("a folder");
        let put = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, "").expect("written");
            path
        };
        let mut variables = Variables(vec![("PATH".into(), root.path().join("bin").into())]);
        let find = |variables: &Variables| super::find(root.path(), variables).map(|found| (found.program, found.why));
        assert!(find(&variables).expect_err("none").to_string().contains("Python 3.9 or later"));
        let usual = put("bin/python3");
        put("bin/python3.12");
        assert_eq!(find(&variables).expect("found"), (usual, "python3 on PATH".to_owned()));
        let own = put(".venv/bin/python");
        assert_eq!(find(&variables).expect("found").0, own);
        let modules = put("python_modules/bin/python");
        assert_eq!(find(&variables).expect("found").0, modules);
        let conda = put("conda/bin/python");
        variables.0.push(("CONDA_PREFIX".into(), root.path().join("conda").into()));
        variables.0.push(("CONDA_DEFAULT_ENV".into(), "base".into()));
        assert_eq!(find(&variables).expect("found").0, modules);
        variables.0.last_mut().expect("one").1 = "work".into();
        assert_eq!(find(&variables).expect("found").0, conda);
        // One that is active but gone does not count.
        variables.0.push(("VIRTUAL_ENV".into(), root.path().join("active").into()));
        assert_eq!(find(&variables).expect("found").0, conda);
        let active = put("active/bin/python");
        assert_eq!(find(&variables).expect("found").0, active);
        let interpreter = super::find(root.path(), &variables).expect("found");
        let path = variables.of(&interpreter).get("PATH").expect("set").to_owned();
        assert!(path.to_string_lossy().starts_with(&*root.path().join("active/bin").to_string_lossy()), "{path:?}");
        let named = put("named/bin/python");
        put("named/pyvenv.cfg");
        variables.0.push(("MOTIA_PYTHON".into(), named.clone().into()));
        let found = super::find(root.path(), &variables).expect("found");
        let environment = Environment::Virtual(root.path().join("named"));
        assert_eq!((found.program, found.environment), (named, Some(environment)));
        let global = put("global/python3");
        variables.0.last_mut().expect("one").1 = global.clone().into();
        assert_eq!(find(&variables).expect("found").0, global, "python_modules was made with another");
        fs::remove_file(&modules).expect("removed");
        std::os::unix::fs::symlink(&global, &modules).expect("linked");
        let found = find(&variables).expect("found");
        assert_eq!(found, (modules, "python_modules, made with the Python of MOTIA_PYTHON".to_owned()));
        variables.0.last_mut().expect("one").1 = "/nowhere/python".into();
        assert!(find(&variables).expect_err("refused").to_string().contains("MOTIA_PYTHON names /nowhere/python"));
    }
}

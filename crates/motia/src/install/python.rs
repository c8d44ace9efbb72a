//! The packages of a requirements.txt, in the environment that the project's Python steps run in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use motia_core::ids::Runtime;
use tokio::process::Command;

use super::requirements::{REQUIREMENTS, Requirements};
use super::{Forwarded, RUNNING, manager, say};
use crate::runtimes::{self, Environment, Interpreter, python};
use crate::sdk;
use crate::variables::Variables;

/// In the package that we put into the environment.
const MARK: &str = ".made-by-motia-install";

/// Whether a project has Python packages to install.
pub(super) fn is_wanted(root: &Path) -> bool {
    root.join(REQUIREMENTS).is_file()
}

/// Installs them. Answers with the installer's exit code.
pub(super) async fn install(root: &Path, variables: &Variables) -> Result<u8> {
    if !is_wanted(root) {
        return Ok(0);
    }
    let installer = Installer { root, variables, uv: variables.on_path(&["uv"]) };
    let found = match runtimes::find(Runtime::Python, root, variables) {
        Ok(found) => found,
        // npm calls us for projects whose Python part nobody needs here.
        Err(error) if manager::running_lifecycle(|name| env::var(name).ok()) => {
            say(&format!("requirements.txt is left out: {error}"));
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    let (python, code) = installer.environment(found).await?;
    if code != 0 {
        return Ok(code);
    }
    let code = installer.requirements(&python).await?;
    if code == 0 {
        place_package(&python).await.context("cannot put the package motia into the Python environment")?;
    }
    Ok(code)
}

struct Installer<'a> {
    root: &'a Path,
    variables: &'a Variables,
    uv: Option<PathBuf>,
}

impl Installer<'_> {
    /// The environment to install into. The system's own packages are nobody's to change, so without one `python_modules` is made; also
    /// where its Python is gone, or is another one now.
    async fn environment(&self, found: Interpreter) -> Result<(Interpreter, u8)> {
        let folder = self.root.join(python::MODULES);
        let own = found.environment.as_ref().is_some_and(|environment| environment.folder() == folder);
        let base = match &found.environment {
            Some(_) if own && is_outdated(&folder, &version(&found.program).await?) => python::base(self.variables)?,
            Some(environment) => {
                say(&format!("Python packages go to {} ({})", environment.folder().display(), found.why));
                return Ok((found, 0));
            }
            None => found,
        };
        say(&format!("making {} with {}", python::MODULES, base.program.display()));
        let mut command = match &self.uv {
            // Scripts in there still run once the project has moved.
            Some(uv) => {
                let mut command = Command::new(uv);
                command.args(["venv", "--quiet", "--relocatable", "--clear", "--python"]).arg(&base.program);
                command
            }
            None => {
                let mut command = Command::new(&base.program);
                command.args(["-m", "venv", "--clear"]);
                command
            }
        };
        let code = self.run(command.arg(&folder)).await?;
        if code != 0 && self.uv.is_none() {
            say(
                "Python's venv did not work: see above. On Debian and Ubuntu it is the package python3-venv; with uv on PATH it is not needed",
            );
        }
        let made = Interpreter {
            program: folder.join("bin/python"),
            why: format!("{}, just made", python::MODULES),
            environment: Some(Environment::Virtual(folder)),
        };
        Ok((made, code))
    }

    async fn requirements(&self, python: &Interpreter) -> Result<u8> {
        let requirements = Requirements::without_ours(self.root)?;
        let mut command = match &self.uv {
            Some(uv) => {
                let mut command = Command::new(uv);
                command.args(["pip", "install", "--python"]).arg(&python.program);
                command
            }
            None => {
                if !has_pip(&python.program).await {
                    // An environment that uv made.
                    let mut command = Command::new(&python.program);
                    let code = self.run(command.args(["-m", "ensurepip", "--default-pip"])).await?;
                    if code != 0 {
                        say(
                            "the environment has no pip, and Python could not put it there: see above. Install uv, or remove the environment",
                        );
                        return Ok(code);
                    }
                }
                let mut command = Command::new(&python.program);
                // By module: a script of an environment that moved names the place where it was.
                command.args(["-m", "pip", "install", "--disable-pip-version-check"]);
                command
            }
        };
        let name = if self.uv.is_some() { "uv" } else { "pip" };
        say(&format!("installing {REQUIREMENTS} with {name}"));
        let code = self.run(command.arg("-r").arg(&requirements.file)).await?;
        if code != 0 {
            say(&format!("{name} ended with {code}: see above. {REQUIREMENTS} is as it was"));
        }
        Ok(code)
    }

    async fn run(&self, command: &mut Command) -> Result<u8> {
        let mut signals = Forwarded::new()?;
        let child = command.current_dir(self.root).env(RUNNING, "1").spawn();
        let program = || format!("{} cannot be run", Path::new(command.as_std().get_program()).display());
        signals.wait(child.with_context(program)?).await
    }
}

/// Whether an environment was made with another version: its packages lie where that one looked.
fn is_outdated(environment: &Path, version: &str) -> bool {
    let Ok(config) = fs::read_to_string(environment.join("pyvenv.cfg")) else { return true };
    let made_with = config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| value.trim())
    });
    let minor = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    made_with.is_some_and(|made_with| minor(made_with) != minor(version))
}

async fn version(python: &Path) -> Result<String> {
    ask(python, "import platform; print(platform.python_version())").await
}

async fn has_pip(python: &Path) -> bool {
    ask(python, "import pip").await.is_ok()
}

async fn ask(python: &Path, code: &str) -> Result<String> {
    let output = Command::new(python).args(["-c", code]).output().await;
    let output = output.with_context(|| format!("{} cannot be run", python.display()))?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Puts the package `motia` where editors and test runners of the environment find it. Workers take theirs from the binary. One that is
/// not of our making stays.
async fn place_package(python: &Interpreter) -> Result<()> {
    if python.environment.is_none() {
        return Ok(());
    }
    let packages = ask(&python.program, "import sysconfig; print(sysconfig.get_path('purelib'))").await?;
    let package = Path::new(&packages).join("motia");
    if package.exists() && !package.join(MARK).exists() {
        return Ok(());
    }
    for (name, content) in sdk::python_package() {
        let path = package.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)?;
    }
    fs::write(package.join(MARK), "")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_of_another_version_is_outdated() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(is_outdated(folder.path(), "3.11.7"), "no environment at all");
        let write = |content| fs::write(folder.path().join("pyvenv.cfg"), content).expect("written");
        write("home = /usr/bin\nversion = 3.11.2\n");
        assert!(!is_outdated(folder.path(), "3.11.7"));
        assert!(is_outdated(folder.path(), "3.12.0"));
        write("version_info = 3.12.1\n");
        assert!(!is_outdated(folder.path(), "3.12.0"));
    }
}

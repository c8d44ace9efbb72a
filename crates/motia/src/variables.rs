//! The environment of workers, and of whatever looks for their interpreters: that of this process, and what `.env` adds.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use crate::dotenv;

/// Variables by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables(pub(crate) Vec<(OsString, OsString)>);

impl Variables {
    /// Those of a project.
    pub(crate) fn of_project(root: &Path) -> io::Result<Self> {
        Ok(Self::with_file(&dotenv::load(root)?))
    }

    /// Those of this process, with what an environment file adds.
    pub(crate) fn with_file(file: &[(String, String)]) -> Self {
        let mut variables: Vec<(OsString, OsString)> = env::vars_os().collect();
        // What is set outside wins (dotenv); of two lines in the file the later one.
        for (at, (name, value)) in file.iter().enumerate() {
            let set_again = file[at + 1..].iter().any(|(later, _)| later == name);
            if env::var_os(name).is_none() && !set_again {
                variables.push((name.into(), value.into()));
            }
        }
        Self(variables)
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.to_str().map(str::to_owned)
    }

    /// Sets a variable, whether it was set or not.
    pub(crate) fn set(&mut self, name: &str, value: OsString) {
        self.0.retain(|(found, _)| found != name);
        self.0.push((name.into(), value));
    }

    /// Sets a variable that is not there.
    pub(crate) fn set_default(&mut self, name: &str, value: &str) {
        if !self.0.iter().any(|(found, _)| found == name) {
            self.0.push((name.into(), value.into()));
        }
    }
}

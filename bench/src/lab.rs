//! What every part works with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use motia_core::Clock;

use crate::candidate::Candidate;
use crate::child::Running;
use crate::choice::Choice;
use crate::client::Client;
use crate::load::{Load, Outcome};
use crate::method::Method;
use crate::scenario::Scenario;
use crate::scratch::Scratch;

/// For one question whose answer is what is measured.
const PATIENCE: Duration = Duration::from_secs(280);

/// The place, the means and the method.
pub(crate) struct Lab {
    /// The folder `bench/`.
    pub(crate) bench: PathBuf,
    pub(crate) motia: PathBuf,
    pub(crate) method: Method,
    pub(crate) choice: Choice,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) scratch: Scratch,
}

impl Lab {
    /// A copy of `projects/<project>` with these knobs, run by `motia start`.
    pub(crate) fn ours(&self, name: &'static str, title: &str, project: &str, knobs: &str) -> Result<Candidate> {
        let folder = self
            .scratch
            .copy(project, &format!("{project}-{name}"), knobs)
            .with_context(|| format!("projects/{project} cannot be copied"))?;
        Ok(self.ours_in(name, title, folder))
    }

    /// `motia start` in this folder.
    pub(crate) fn ours_in(&self, name: &'static str, title: &str, folder: PathBuf) -> Candidate {
        Candidate::motia(name, title, &self.motia, folder)
    }

    pub(crate) fn start(&self, candidate: &Candidate) -> Result<Running> {
        Running::start(candidate, &self.scratch.logs(), &self.clock)
    }

    pub(crate) fn stop(&self, candidate: &Candidate, running: Running) -> Result<()> {
        if !running.stop()? {
            say(&format!("{} did not end when asked to and was killed", candidate.name));
        }
        Ok(())
    }

    pub(crate) fn client(&self, running: &Running) -> Result<Client> {
        Client::connect(running.address, PATIENCE)
    }

    /// How long something takes.
    pub(crate) fn time<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
        let began = self.clock.elapsed();
        let made = act()?;
        Ok((self.clock.elapsed() - began, made))
    }

    /// Asks by so many connections for so long.
    pub(crate) fn load(
        &self,
        running: &Running,
        scenario: &Scenario,
        connections: usize,
        (lead_in, length): (Duration, Duration),
    ) -> Result<Outcome> {
        let requests = scenario.requests(connections);
        Load { lead_in, ..Load::new(running.address, requests, scenario.status, length) }.run(&self.clock)
    }
}

/// Says how far it is.
pub(crate) fn say(text: &str) {
    eprintln!("motia-bench: {text}");
}

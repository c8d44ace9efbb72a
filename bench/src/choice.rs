//! What `--only` picks.

use anyhow::{Result, ensure};

use crate::candidate::{self, Candidate};
use crate::parts::{self, Part};
use crate::scenario::Scenario;

/// Names of parts, scenarios and candidates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice(Vec<String>);

impl Choice {
    pub(crate) fn new(only: Vec<String>) -> Result<Self> {
        for text in &only {
            let known = candidate::NAMES.contains(&text.as_str()) || parts::ALL.iter().any(|part| part.knows(text));
            ensure!(known, "--only {text}: there is no such part, scenario or candidate (see --list)");
        }
        Ok(Self(only))
    }

    fn names(&self, name: &str) -> bool {
        self.0.iter().any(|text| text == name)
    }

    /// The parts that are named, or that have a scenario which is; all if there are none.
    pub(crate) fn parts(&self) -> Vec<&'static Part> {
        let named: Vec<_> = parts::ALL.iter().filter(|part| self.0.iter().any(|text| part.knows(text))).collect();
        if named.is_empty() { parts::ALL.iter().collect() } else { named }
    }

    /// Those of a part that are named; all if there are none.
    pub(crate) fn candidates(&self, all: Vec<Candidate>) -> Vec<Candidate> {
        self.pick(all, |candidate| candidate.name)
    }

    /// Those of a part that are named; all if there are none.
    pub(crate) fn scenarios(&self, all: Vec<Scenario>) -> Vec<Scenario> {
        self.pick(all, |scenario| scenario.name)
    }

    /// Those of a part's scenarios that are named, where it has no requests to compare; all if there are none.
    pub(crate) fn of(&self, scenarios: &[&'static str]) -> Vec<&'static str> {
        self.pick(scenarios.to_vec(), |name| name)
    }

    fn pick<T>(&self, mut all: Vec<T>, name: fn(&T) -> &'static str) -> Vec<T> {
        if all.iter().any(|one| self.names(name(one))) {
            all.retain(|one| self.names(name(one)));
        }
        all
    }
}

/// What there is to pick.
pub(crate) fn list() -> String {
    let mut text = String::from("Parts:\n");
    for part in &parts::ALL {
        text += &format!("  {:<9} {}\n", part.name, part.about);
        if !part.scenarios.is_empty() {
            text += &format!("            scenarios: {}\n", part.scenarios.join(", "));
        }
    }
    text + &format!("Candidates:\n  {}\n", candidate::NAMES.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn choice(only: &[&str]) -> Result<Choice> {
        Choice::new(only.iter().map(|text| (*text).to_owned()).collect())
    }

    fn picked(only: &[&str]) -> (Vec<&'static str>, usize, usize) {
        let choice = choice(only).expect("known");
        let parts = choice.parts().iter().map(|part| part.name).collect();
        let candidates = choice.candidates(candidate::peers(Path::new("bench"))).len();
        (parts, candidates, choice.scenarios(vec![Scenario::get(), Scenario::post()]).len())
    }

    #[test]
    fn parts_scenarios_and_candidates_are_picked_apart() {
        let all = parts::ALL.iter().map(|part| part.name).collect::<Vec<_>>();
        assert_eq!(picked(&[]), (all.clone(), 4, 2));
        assert_eq!(picked(&["express"]), (all.clone(), 1, 2));
        assert_eq!(picked(&["motia"]), (all, 4, 2), "a part that has no such candidate keeps its own");
        assert_eq!(picked(&["queue", "keys"]), (vec!["queue", "keys"], 4, 2));
        assert_eq!(picked(&["POST"]), (vec!["http"], 4, 1));
        assert_eq!(picked(&["fastify", "node:http", "GET"]), (vec!["http"], 2, 1));
        let storm = choice(&["storm"]).expect("known");
        assert_eq!((storm.of(&["idle", "storm"]), storm.of(&["idle"])), (vec!["storm"], vec!["idle"]));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(choice(&["hapi"]).is_err());
        assert!(choice(&["queue", ""]).is_err());
    }

    #[test]
    fn everything_is_listed() {
        let text = list();
        for name in parts::ALL.iter().flat_map(|part| part.scenarios.iter().copied().chain([part.name])) {
            assert!(text.contains(name), "{name}");
        }
    }
}

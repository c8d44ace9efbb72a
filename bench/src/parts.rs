//! The parts of a run: each measures one thing that Motia has to be good at, and can run alone.

mod backlog;
mod blame;
mod bodies;
mod counters;
mod http;
mod keys;
mod latency;
mod memory;
mod python;
mod queue;
mod reload;
mod routes;
mod start;
mod streams;

use anyhow::Result;

use crate::lab::Lab;
use crate::report::section::Section;

/// A part.
pub(crate) struct Part {
    /// As `--only` names it.
    pub(crate) name: &'static str,
    /// Its heading in the report.
    pub(crate) title: &'static str,
    /// For `--list`.
    pub(crate) about: &'static str,
    /// Those that `--only` may name.
    pub(crate) scenarios: &'static [&'static str],
    pub(crate) run: fn(&Lab) -> Result<Vec<Section>>,
}

impl Part {
    /// Whether it has this name, or a scenario has.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.name == name || self.scenarios.contains(&name)
    }
}

/// All of them, in the order of the report.
pub(crate) const ALL: [Part; 14] = [
    Part {
        name: "start",
        title: "Start",
        about: "from exec to the first answer: beside the peers, and of a project with 30 steps",
        scenarios: &[],
        run: start::run,
    },
    Part {
        name: "reload",
        title: "Reload",
        about: "from saving a step to its new answer, in `motia dev`",
        scenarios: &[],
        run: reload::run,
    },
    Part {
        name: "memory",
        title: "Memory",
        about: "idle, after load, and its growth over many calls",
        scenarios: &[],
        run: memory::run,
    },
    Part {
        name: "http",
        title: "Requests",
        about: "a GET and a POST with a schema, beside node:http, Fastify and Express",
        scenarios: &["GET", "POST"],
        run: http::run,
    },
    Part { name: "routes", title: "Many routes", about: "1,000 routes beside 1", scenarios: &[], run: routes::run },
    Part {
        name: "bodies",
        title: "Large bodies",
        about: "1 MB of JSON, 8 MB of bytes, beside Fastify",
        scenarios: &["1MB", "8MB"],
        run: bodies::run,
    },
    Part {
        name: "counters",
        title: "Requests that write",
        about: "a step that reads and writes state, beside Fastify with Redis",
        scenarios: &[],
        run: counters::run,
    },
    Part {
        name: "queue",
        title: "Events",
        about: "emit to handled, by 10,000, beside BullMQ",
        scenarios: &[],
        run: queue::run,
    },
    Part {
        name: "latency",
        title: "One event",
        about: "emit to the handler's start, one at a time, beside BullMQ",
        scenarios: &[],
        run: latency::run,
    },
    Part {
        name: "backlog",
        title: "Events that wait",
        about: "1,000,000 events that wait beside 1,000",
        scenarios: &[],
        run: backlog::run,
    },
    Part {
        name: "keys",
        title: "State",
        about: "operations with 1, 1,000 and 1,000,000 keys",
        scenarios: &[],
        run: keys::run,
    },
    Part {
        name: "streams",
        title: "Streams",
        about: "sets pushed to 1,000 clients, 10,000 connections, a client that stops reading, beside ws on Node",
        scenarios: &streams::SCENARIOS,
        run: streams::run,
    },
    Part {
        name: "python",
        title: "Steps in Python",
        about: "requests beside FastAPI, 10,000 events, the start of 30 steps, memory",
        scenarios: &[],
        run: python::run,
    },
    Part {
        name: "blame",
        title: "Blame",
        about: "what it costs to know whose code runs (AsyncLocalStorage)",
        scenarios: &[],
        run: blame::run,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::candidate;

    #[test]
    fn every_name_means_one_thing() {
        let parts = ALL.iter().flat_map(|part| part.scenarios.iter().chain([&part.name]));
        let names: Vec<_> = parts.chain(&candidate::NAMES).collect();
        assert_eq!(names.len(), names.iter().collect::<HashSet<_>>().len(), "{names:?}");
    }
}

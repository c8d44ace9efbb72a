//! The project as it runs now. Never changed: a reload puts another one in its place.

use std::collections::HashMap;
use std::sync::Arc;

use motia_core::step::{Step, Trigger};
use motia_core::stream::Stream;
use motia_core::{SourcePath, StepName, StreamName, Topic};

use crate::streams::Gate;

/// Steps and streams that were understood and can run.
#[derive(Debug, Default)]
pub struct Project {
    /// In the order of registration.
    steps: Vec<Arc<Step>>,
    by_source: HashMap<SourcePath, Arc<Step>>,
    streams: HashMap<StreamName, Arc<Stream>>,
    /// Files that are there but cannot run: their stored subscriptions stay.
    pub broken: Vec<SourcePath>,
    /// Who may open connections to watch streams.
    pub gate: Gate,
}

impl Project {
    /// Puts a project together. Of two event or cron steps, or streams, with the same name the first wins; each such pair comes back
    /// as a warning that names both files (design.md section 6).
    pub fn new(steps: Vec<Step>, streams: Vec<Stream>, broken: Vec<SourcePath>) -> (Self, Vec<String>) {
        let mut project = Self { broken, ..Self::default() };
        let mut warnings = Vec::new();
        let mut names: HashMap<StepName, Arc<Step>> = HashMap::new();
        for step in steps {
            let step = Arc::new(step);
            if let Some(first) = names.get(&step.name) {
                // Queues and schedules are kept under the step's name: two of one name would take each other's.
                let shared = matches!(step.trigger, Trigger::Event(_) | Trigger::Cron(_));
                let what = if shared {
                    "the first one is used, rename the other"
                } else {
                    "both run; rename one, to tell them apart in logs"
                };
                let (name, first, second) = (&step.name, &first.source, &step.source);
                warnings.push(format!("step name '{name}' is used by {first} and by {second}; {what}"));
                if shared {
                    continue;
                }
            } else {
                names.insert(step.name.clone(), Arc::clone(&step));
            }
            project.by_source.insert(step.source.clone(), Arc::clone(&step));
            project.steps.push(step);
        }
        for stream in streams {
            match project.streams.get(&stream.name) {
                Some(first) => warnings.push(format!(
                    "stream name '{}' is used by {} and by {}; the first one is used",
                    stream.name, first.source, stream.source
                )),
                None => {
                    project.streams.insert(stream.name.clone(), Arc::new(stream));
                }
            }
        }
        (project, warnings)
    }

    /// All steps, in the order of registration.
    pub fn steps(&self) -> impl Iterator<Item = &Arc<Step>> {
        self.steps.iter()
    }

    /// All streams, in no order.
    pub fn streams(&self) -> impl Iterator<Item = &Arc<Stream>> {
        self.streams.values()
    }

    /// The step of a file.
    pub fn step_of(&self, source: &SourcePath) -> Option<&Arc<Step>> {
        self.by_source.get(source)
    }

    /// The stream of a name.
    pub fn stream(&self, name: &StreamName) -> Option<&Arc<Stream>> {
        self.streams.get(name)
    }

    /// Topics that a step says it emits and no step subscribes to.
    pub fn topics_without_subscriber(&self) -> Vec<(Arc<Step>, Topic)> {
        let subscribed = |topic: &Topic| {
            self.steps.iter().any(|step| match &step.trigger {
                Trigger::Event(event) => event.subscribes.contains(topic),
                _ => false,
            })
        };
        let mut lonely: Vec<_> = self
            .steps
            .iter()
            .flat_map(|step| step.emits.declared().iter().map(move |emit| (Arc::clone(step), emit.topic.clone())))
            .filter(|(_, topic)| !subscribed(topic))
            .collect();
        lonely.sort_by(|a, b| (&a.0.source, &a.1).cmp(&(&b.0.source, &b.1)));
        lonely
    }
}

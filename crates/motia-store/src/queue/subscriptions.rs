//! Who gets which events: on disk, and as the emits look it up.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use motia_core::step::QueueConfig;
use motia_core::{SourcePath, StepName, Topic};
use motia_ports::queue::Subscription;
use rusqlite::Connection;

use super::lane::Rule;
use super::rows::{self, Result};

/// The stored subscriptions.
#[derive(Default)]
pub(super) struct Subscriptions {
    by_topic: HashMap<Topic, Vec<Subscriber>>,
    rules: HashMap<StepName, Rule>,
}

/// A step that gets the events of a topic.
#[derive(Clone)]
pub(super) struct Subscriber {
    pub(super) step: StepName,
    pub(super) delay: Duration,
    pub(super) rule: Rule,
}

impl Subscriptions {
    pub(super) fn new(stored: &[Subscription]) -> Self {
        let mut subscriptions = Self::default();
        for Subscription { step, topics, queue, .. } in stored {
            let rule = Rule::of(queue);
            subscriptions.rules.insert(step.clone(), rule);
            for topic in topics {
                let subscriber = Subscriber { step: step.clone(), delay: queue.delay, rule };
                subscriptions.by_topic.entry(topic.clone()).or_default().push(subscriber);
            }
        }
        subscriptions
    }

    /// The steps that get the events of a topic.
    pub(super) fn of(&self, topic: &Topic) -> &[Subscriber] {
        self.by_topic.get(topic).map_or(&[], Vec::as_slice)
    }

    /// What the queue of a step keeps apart.
    pub(super) fn rule(&self, step: &StepName) -> Rule {
        self.rules.get(step).copied().unwrap_or(Rule::Plain)
    }
}

/// Replaces what is stored. What waits in a queue whose rule changed follows the new one.
pub(super) fn declare(
    connection: &Connection,
    active: &[Subscription],
    broken: &[SourcePath],
) -> Result<Vec<Subscription>> {
    let mut stored = stored(connection)?;
    for new in active {
        let before = stored.iter().find(|old| old.step == new.step).map(|old| Rule::of(&old.queue));
        // What was handed over to a step that was not there yet has the rule of none.
        let rule = Rule::of(&new.queue);
        if before.map_or(rule != Rule::Plain, |before| before != rule) {
            rows::resequence(connection, &new.step, rule)?;
        }
    }
    let names: HashSet<&StepName> = active.iter().map(|new| &new.step).collect();
    stored.retain(|old| broken.contains(&old.source) && !names.contains(&old.step));
    stored.extend(active.iter().cloned());
    connection.execute("DELETE FROM subscriptions", [])?;
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO subscriptions (step, topic, source, queue) VALUES (?1, ?2, ?3, ?4)")?;
    for subscription in &stored {
        let queue = serde_json::to_string(&subscription.queue).map_err(invalid)?;
        for topic in &subscription.topics {
            insert.execute((subscription.step.as_str(), topic.as_str(), subscription.source.as_str(), &queue))?;
        }
    }
    Ok(stored)
}

pub(super) fn stored(connection: &Connection) -> Result<Vec<Subscription>> {
    let mut select =
        connection.prepare_cached("SELECT step, topic, source, queue FROM subscriptions ORDER BY step, topic")?;
    let mut rows = select.query([])?;
    let mut subscriptions: Vec<Subscription> = Vec::new();
    while let Some(row) = rows.next()? {
        let step = StepName::from(row.get::<_, String>(0)?);
        let topic = row.get::<_, String>(1)?.into();
        match subscriptions.last_mut().filter(|last| last.step == step) {
            Some(last) => last.topics.push(topic),
            None => subscriptions.push(Subscription {
                step,
                source: row.get::<_, String>(2)?.into(),
                topics: vec![topic],
                // A row of another version with settings that are unknown here: the defaults are safe.
                queue: serde_json::from_str::<QueueConfig>(&row.get::<_, String>(3)?).unwrap_or_default(),
            }),
        }
    }
    Ok(subscriptions)
}

fn invalid(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

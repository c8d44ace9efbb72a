//! Reading everything that 0.17 keeps in a Redis.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use motia_core::Timestamp;
use motia_store::Left;
use redis::{Connection, FromRedisValue, ToRedisArgs};

use super::layout::{self, Place, QUEUES, STATE, STREAM};

/// Keys that are asked for at a time.
const BATCH: usize = 500;

/// Takes what was found.
type Take<'a> = &'a mut dyn FnMut(Left) -> Result<()>;

/// A connection, and what could not be read over it.
pub(super) struct Reader {
    connection: Connection,
    skipped: Vec<String>,
}

impl Reader {
    pub(super) fn connect(url: &str) -> Result<Self> {
        let connection = redis::Client::open(url)?.get_connection()?;
        Ok(Self { connection, skipped: Vec::new() })
    }

    /// What was found and makes no sense, each with the reason.
    pub(super) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Hands over everything.
    pub(super) fn each(&mut self, take: Take<'_>) -> Result<()> {
        self.state(take)?;
        self.streams(take)?;
        for prefix in QUEUES {
            self.queues(prefix, take)?;
        }
        Ok(())
    }

    fn state(&mut self, take: Take<'_>) -> Result<()> {
        self.name_others(&format!("{STATE}*"), "string", "text")?;
        for keys in self.keys(&format!("{STATE}*"), "string")?.chunks(BATCH) {
            let values: Vec<Option<Vec<u8>>> = self.ask("MGET", keys)?;
            for (key, value) in keys.iter().zip(values) {
                // Gone since.
                let Some(value) = value else { continue };
                let left = utf8(key, value).and_then(|value| layout::value(key, value));
                self.hand(left, take)?;
            }
        }
        Ok(())
    }

    /// What has a name of ours and is of another type.
    fn name_others(&mut self, pattern: &str, kind: &str, what: &str) -> Result<()> {
        let ours: BTreeSet<_> = self.keys(pattern, kind)?.into_iter().collect();
        let others = self.keys(pattern, "")?.into_iter().filter(|key| !ours.contains(key));
        let named: Vec<_> = others.map(|key| format!("{key}: it is no {what}")).collect();
        self.skipped.extend(named);
        Ok(())
    }

    fn streams(&mut self, take: Take<'_>) -> Result<()> {
        self.name_others(&format!("{STREAM}*"), "hash", "hash of items")?;
        for key in self.keys(&format!("{STREAM}*"), "hash")? {
            let items: HashMap<String, Vec<u8>> = self.ask("HGETALL", &[&key])?;
            for (id, item) in items {
                let left = utf8(&key, item).and_then(|item| layout::item(&key, id, item));
                self.hand(left, take)?;
            }
        }
        Ok(())
    }

    fn queues(&mut self, prefix: &str, take: Take<'_>) -> Result<()> {
        let metas = self.keys(&format!("{prefix}*:meta"), "hash")?;
        for queue in metas.iter().filter_map(|meta| meta.strip_suffix(":meta")) {
            // What ran when the engine ended comes first. Lists grow at their left end.
            let mut jobs: Vec<(String, Place)> = Vec::new();
            for list in ["active", "wait", "paused"] {
                let ids: Vec<String> = self.ask("LRANGE", &[&format!("{queue}:{list}"), "0", "-1"])?;
                jobs.extend(ids.into_iter().rev().map(|id| (id, Place::Waiting)));
            }
            let urgent: Vec<String> = self.ask("ZRANGE", &[&format!("{queue}:prioritized"), "0", "-1"])?;
            jobs.extend(urgent.into_iter().map(|id| (id, Place::Waiting)));
            let delayed: Vec<(String, f64)> =
                self.ask("ZRANGE", &[&format!("{queue}:delayed"), "0", "-1", "WITHSCORES"])?;
            jobs.extend(delayed.into_iter().map(|(id, score)| (id, Place::Delayed(score))));
            let now = Timestamp(jiff::Timestamp::now().as_millisecond());
            for (id, place) in jobs {
                let fields: HashMap<String, String> = self.ask("HGETALL", &[&format!("{queue}:{id}")])?;
                // A mark of BullMQ's own in the list, or a job that is gone.
                if fields.is_empty() {
                    continue;
                }
                self.hand(layout::job(queue, &id, &fields, place, now), take)?;
            }
        }
        Ok(())
    }

    /// The keys of a type that match, in order; without a type, of all.
    fn keys(&mut self, pattern: &str, kind: &str) -> Result<Vec<String>> {
        let (mut found, mut cursor) = (BTreeSet::new(), 0_u64);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1000);
            if !kind.is_empty() {
                scan.arg("TYPE").arg(kind);
            }
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query(&mut self.connection).context("SCAN failed")?;
            for key in keys {
                match String::from_utf8(key) {
                    Ok(key) => drop(found.insert(key)),
                    Err(error) => {
                        self.skipped.push(format!("{}: its name is not UTF-8", error.as_bytes().escape_ascii()))
                    }
                }
            }
            if next == 0 {
                return Ok(found.into_iter().collect());
            }
            cursor = next;
        }
    }

    fn ask<T: FromRedisValue>(&mut self, command: &str, arguments: &[impl ToRedisArgs]) -> Result<T> {
        redis::cmd(command).arg(arguments).query(&mut self.connection).with_context(|| format!("{command} failed"))
    }

    fn hand(&mut self, left: Result<Left, String>, take: Take<'_>) -> Result<()> {
        match left {
            Ok(left) => take(left),
            Err(why) => {
                self.skipped.push(why);
                Ok(())
            }
        }
    }
}

fn utf8(key: &str, value: Vec<u8>) -> Result<String, String> {
    String::from_utf8(value).map_err(|_| format!("{key}: it is not UTF-8"))
}

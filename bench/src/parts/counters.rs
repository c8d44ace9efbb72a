//! A request that reads and writes state: what durability costs.

use anyhow::Result;

use crate::candidate::{Candidate, FASTIFY, MOTIA, OS};
use crate::compare::{Comparison, Table};
use crate::lab::Lab;
use crate::machine;
use crate::redis::Redis;
use crate::report::figure::time;
use crate::report::section::Section;
use crate::scenario::Scenario;

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let redis = Redis::start(lab, "counters")?;
    let mut candidates = vec![
        lab.ours(MOTIA, "motia, durability: \"fsync\" (default)", "counters", "")?,
        lab.ours(OS, "motia, durability: \"os\"", "counters", "durability: 'os'")?,
    ];
    if let Some(redis) = &redis {
        let title = "Fastify + ioredis, Redis everysec";
        let peer = Candidate::peer(FASTIFY, title, &lab.bench, "counters").with("REDIS_PORT", &redis.port.to_string());
        candidates.push(Candidate { companion: Some(redis.id()), ..peer });
    }
    let fdatasync = machine::fdatasync(lab.scratch.path(), lab.clock.as_ref())?;
    let tables = Comparison { candidates, scenarios: vec![Scenario::count()], connections: vec![1, 64] }.run(lab)?;
    if let Some(redis) = redis {
        redis.stop()?;
    }
    let note = format!(
        "fdatasync of 4 KiB took {} just before. With \"fsync\" each answer waits for one that covers what its handler wrote. With \"os\" \
        that survives the end of every process but no power cut; so it is with this Redis, which syncs every second. The CPU of Redis is \
        counted with Fastify's.",
        time(fdatasync)
    );
    let section = |table: &Table| {
        let mut section = table.section(&[(FASTIFY, "Fastify")]);
        section.notes.push(note.clone());
        section
    };
    Ok(tables.iter().map(section).collect())
}

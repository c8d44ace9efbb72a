//! How many events per second go from `emit` through their handler.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::calm::Watch;
use crate::candidate::{Candidate, MOTIA, OS};
use crate::child::Running;
use crate::client::{self, Body, Client};
use crate::lab::{Lab, say};
use crate::load::Load;
use crate::redis::Redis;
use crate::report::figure::{Bar, Figure, thousands, time};
use crate::report::section::{Grid, Section};
use crate::stats::{median, spread};

/// Requests at a time, where each emits one event.
const EMITTERS: usize = 64;
const LONGEST: Duration = Duration::from_secs(120);
pub(super) const BULLMQ: &str = "bullmq";

/// How the events of a round come about.
enum Way {
    /// One request emits all of them. What it is told beside their number.
    Call(Value),
    /// Many requests, one event each.
    Requests,
}

/// What is measured, with its rounds.
struct Variant {
    title: &'static str,
    /// Which candidate it is asked of.
    candidate: &'static str,
    way: Way,
    /// Events per second.
    rates: Vec<f64>,
    /// Seconds until all were stored.
    emitted: Vec<f64>,
}

/// Those whose figures have bars.
const ALL: &str = "motia, `Promise.all`";
const BULLMQ_TEN: &str = "BullMQ, `Promise.all` of `add`, concurrency 10";

fn variants() -> Vec<Variant> {
    let new = |title, candidate, way| Variant { title, candidate, way, rates: Vec::new(), emitted: Vec::new() };
    let emit = |topic, each, groups| Way::Call(json!({ "topic": topic, "each": each, "groups": groups }));
    let add = |concurrency, bulk| Way::Call(json!({ "concurrency": concurrency, "bulk": bulk }));
    vec![
        new(ALL, MOTIA, emit("things.standard", false, 0)),
        new("motia, `Promise.all`, `concurrency: 50`", MOTIA, emit("things.fifty", false, 0)),
        new("motia, `Promise.all`, fifo, 100 message groups", MOTIA, emit("things.fifo", false, 100)),
        new("motia, one by one, each awaited", MOTIA, emit("things.standard", true, 0)),
        new("motia, 64 requests at a time, one event each", MOTIA, Way::Requests),
        new("motia, `durability: \"os\"`, `Promise.all`", OS, emit("things.standard", false, 0)),
        new("motia, `durability: \"os\"`, 64 requests at a time, one event each", OS, Way::Requests),
        new("BullMQ, `Promise.all` of `add`, concurrency 1", BULLMQ, add(1, false)),
        new(BULLMQ_TEN, BULLMQ, add(10, false)),
        new("BullMQ, `Promise.all` of `add`, concurrency 50", BULLMQ, add(50, false)),
        new("BullMQ, `addBulk`, concurrency 1", BULLMQ, add(1, true)),
        new("BullMQ, `addBulk`, concurrency 10", BULLMQ, add(10, true)),
        new("BullMQ, `addBulk`, concurrency 50", BULLMQ, add(50, true)),
        new("BullMQ, 64 requests at a time, one `add` each, concurrency 10", BULLMQ, Way::Requests),
    ]
}

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let redis = Redis::start(lab, "queue")?;
    let mut candidates = vec![
        lab.ours(MOTIA, "motia", "queue", "")?,
        lab.ours(OS, "motia, durability: \"os\"", "queue", "durability: 'os'")?,
    ];
    candidates.extend(redis.as_ref().map(|redis| bullmq(lab, redis)));
    let mut running = Vec::new();
    for candidate in &candidates {
        running.push((candidate, lab.start(candidate)?));
    }
    let watch = Watch::begin(&lab.clock);
    let mut variants = variants();
    variants.retain(|variant| candidates.iter().any(|candidate| candidate.name == variant.candidate));
    for number in 0..=lab.method.rounds {
        for variant in &mut variants {
            let Some((_, running)) = running.iter().find(|(candidate, _)| candidate.name == variant.candidate) else {
                continue;
            };
            // The first one warms up.
            let count = if number == 0 { lab.method.events / 5 } else { lab.method.events };
            let (took, emitted) = once(lab, running, &variant.way, count).with_context(|| variant.title)?;
            let rate = count as f64 / took.as_secs_f64();
            say(&format!("queue, round {number}: {}: {rate:.0} events/s", variant.title));
            if number > 0 {
                variant.rates.push(rate);
                variant.emitted.extend(emitted);
            }
        }
    }
    let elsewhere = watch.end();
    for (candidate, running) in running {
        lab.stop(candidate, running)?;
    }
    if let Some(redis) = redis {
        redis.stop()?;
    }
    Ok(vec![Section { elsewhere, ..section(&variants, lab) }])
}

/// BullMQ on this Redis.
pub(super) fn bullmq(lab: &Lab, redis: &Redis) -> Candidate {
    Candidate::peer(BULLMQ, "BullMQ", &lab.bench, "bullmq").with("REDIS_PORT", &redis.port.to_string())
}

/// From the first request until the last event is handled, and for how much of it events were being stored, in seconds.
fn once(lab: &Lab, running: &Running, way: &Way, count: u64) -> Result<(Duration, Option<f64>)> {
    let mut client = lab.client(running)?;
    let (took, answer) = match way {
        Way::Call(order) => {
            let mut order = order.clone();
            order["count"] = json!(count);
            lab.time(|| client.post("/emit", order))?
        }
        Way::Requests => {
            client.post("/expect", json!({ "count": count }))?;
            lab.time(|| by_requests(lab, running, &mut client, count))?
        }
    };
    let handled = client::number(&answer, "handled")?;
    ensure!(handled as u64 == count, "{handled} events were handled, and {count} emitted");
    Ok((took, answer["emitted"].as_f64().map(|millis| millis / 1000.0)))
}

fn by_requests(lab: &Lab, running: &Running, client: &mut Client, count: u64) -> Result<Value> {
    let request = client::request("POST", "/emit/one", &Body::Json(json!({})));
    let load = Load { most: count, ..Load::new(running.address, vec![request.into(); EMITTERS], 200, LONGEST) };
    let outcome = load.run(&lab.clock)?;
    ensure!(outcome.refused + outcome.broken == 0, "requests failed: {outcome:?}");
    client.get("/end")
}

fn section(variants: &[Variant], lab: &Lab) -> Section {
    let rate = |title| variants.iter().find(|variant| variant.title == title).map(|variant| median(&variant.rates));
    let peer = rate(BULLMQ_TEN);
    let mut grid = Grid::new(&["events/s", "× BullMQ at 10", "stored after", "spread"]);
    for variant in variants {
        let rate = median(&variant.rates);
        let ratio = peer.map_or_else(|| "–".into(), |peer| format!("{:.2}", rate / peer));
        let emitted = match median(&variant.emitted) {
            seconds if seconds > 0.0 => time(Duration::from_secs_f64(seconds)),
            _ => "–".into(),
        };
        grid.row(
            variant.title,
            vec![thousands(rate), ratio, emitted, format!("{:.0} %", spread(&variant.rates) * 100.0)],
        );
    }
    let mut bars = Vec::new();
    if let Some(ours) = rate(ALL) {
        let what = format!("{} events by Promise.all, fsync on", thousands(lab.method.events as f64));
        bars.push(Bar::at_least(what.clone(), Figure::PerSecond(ours), Figure::PerSecond(15_000.0)));
        bars.extend(peer.map(|peer| {
            Bar::at_least(format!("{what}, beside BullMQ at 10"), Figure::Times(ours / peer), Figure::Times(2.0))
        }));
    }
    Section {
        heading: format!("{} events to one trivial handler", thousands(lab.method.events as f64)),
        intro: format!(
            "From the request that emits until all are handled and the answer is there; median of {} rounds, all variants in turn. Where \
            nothing else is said, `concurrency` is 10, Motia's default, and durability fsync. BullMQ's Redis runs with `appendfsync \
            everysec`.",
            lab.method.rounds
        ),
        grid,
        bars,
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn those_with_bars_are_there_and_titles_are_distinct() {
        let titles: Vec<_> = variants().iter().map(|variant| variant.title).collect();
        assert!(titles.contains(&ALL) && titles.contains(&BULLMQ_TEN));
        assert_eq!(titles.len(), titles.iter().collect::<HashSet<_>>().len());
    }
}

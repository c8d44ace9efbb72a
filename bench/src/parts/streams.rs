//! What changes in streams, pushed to many clients, beside a plain `ws` server in Node.
//!
//! | module | holds |
//! |---|---|
//! | `sets` | requests that make a step set items |
//! | `fan_out` | how many messages arrive per second |
//! | `delay` | how long each takes |
//! | `many` | connections that only wait; connections that all come at once |
//! | `stuck` | a client that stops reading |

mod delay;
mod fan_out;
mod many;
mod sets;
mod stuck;

use std::time::Duration;

use anyhow::Result;

use crate::candidate::{Candidate, MOTIA, WS};
use crate::child::Running;
use crate::crowd::{Crowd, Watcher};
use crate::lab::Lab;
use crate::limits;
use crate::method::Method;
use crate::report::section::Section;

/// How long clients may take to join, and messages to arrive once no more are sent.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many connect at a time, where nothing else is asked for: no server's queue of new connections is shorter.
const AT_ONCE: usize = 100;
/// Bytes of JSON that a step sets; what arrives has an envelope around it.
const PAYLOAD: usize = 100;

/// How many of each.
struct Size {
    /// Clients of one group.
    clients: usize,
    /// Groups of ten clients each.
    groups: usize,
    /// Connections that wait, or come at once.
    connections: usize,
    /// Of a join storm's group.
    items: u64,
}

impl Size {
    fn of(method: &Method) -> Self {
        let most = limits::connections();
        let all = if method.quick {
            Self { clients: 100, groups: 20, connections: 500, items: 100 }
        } else {
            Self { clients: 1_000, groups: 1_000, connections: 10_000, items: 100 }
        };
        Self {
            clients: all.clients.min(most),
            groups: all.groups.min(most / fan_out::EACH),
            connections: all.connections.min(most),
            ..all
        }
    }
}

/// How one candidate is watched.
#[derive(Clone)]
struct Variant {
    title: &'static str,
    candidate: &'static str,
    hello: bool,
}

const PLAIN: Variant = Variant { title: "motia, plain clients", candidate: MOTIA, hello: false };
const HELLO: Variant = Variant { title: "motia, clients that say hello", candidate: MOTIA, hello: true };
const PEER: Variant = Variant { title: "ws on Node", candidate: WS, hello: false };

/// What `--only` may name.
pub(crate) const SCENARIOS: [&str; 6] = ["fan-out", "delay", "groups", "idle", "storm", "stuck"];

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let size = Size::of(&lab.method);
    let section = |scenario: &str| match scenario {
        "fan-out" => fan_out::run(lab, &fan_out::Shape::one_group(size.clients)),
        "delay" => delay::run(lab, size.clients),
        "groups" => fan_out::run(lab, &fan_out::Shape::many_groups(size.groups)),
        "idle" => many::idle(lab, size.connections),
        "storm" => many::storm(lab, size.connections, size.items),
        _ => stuck::run(lab, size.clients),
    };
    lab.choice.of(&SCENARIOS).into_iter().map(section).collect()
}

fn candidates(lab: &Lab) -> Result<Vec<Candidate>> {
    let all = vec![lab.ours(MOTIA, "motia", "streams", "")?, Candidate::peer(WS, PEER.title, &lab.bench, "ws")];
    Ok(lab.choice.candidates(all))
}

/// Candidates that run together.
type Started = Vec<(Candidate, Running)>;

/// Those of these that can be measured with these candidates, each with its own, which runs.
fn started(lab: &Lab, variants: &[Variant]) -> Result<(Started, Vec<Variant>)> {
    let mut running = Vec::new();
    for candidate in candidates(lab)? {
        let one = lab.start(&candidate)?;
        running.push((candidate, one));
    }
    let runs = |variant: &&Variant| running.iter().any(|(candidate, _)| candidate.name == variant.candidate);
    let variants = variants.iter().filter(runs).cloned().collect();
    Ok((running, variants))
}

fn stop(lab: &Lab, running: Started) -> Result<()> {
    running.into_iter().try_for_each(|(candidate, running)| lab.stop(&candidate, running))
}

impl Variant {
    fn of<'a>(&self, running: &'a Started) -> Option<&'a Running> {
        running.iter().find(|(candidate, _)| candidate.name == self.candidate).map(|(_, running)| running)
    }

    /// A group that is this one's alone.
    fn group(&self, name: &str) -> String {
        format!("{name}-{}", if self.hello { "hello" } else { "plain" })
    }

    /// Clients that read; the groups of the first, of the second, and so on.
    fn crowd(&self, lab: &Lab, running: &Running, groups: impl Iterator<Item = String>) -> Result<Crowd> {
        let watchers = groups.map(|group| Watcher { groups: vec![group], hello: self.hello, reads: true }).collect();
        Crowd::gather(running.address, watchers, AT_ONCE).synced(lab.clock.as_ref(), PATIENCE)
    }
}

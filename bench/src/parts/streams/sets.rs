//! Requests that make a step set items of groups.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::child::Running;
use crate::client::{self, Client};
use crate::crowd::Heard;
use crate::lab::Lab;

/// How long a request waits that would be one too many.
const PAUSE: Duration = Duration::from_micros(500);

/// What is set, in turn.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    /// Before the number of each group.
    pub(super) group: String,
    pub(super) groups: u64,
    /// In each group.
    pub(super) items: u64,
    pub(super) bytes: usize,
}

impl Sets {
    /// So many sets, none of them awaited before the next.
    pub(super) fn make(&self, client: &mut Client, from: u64, count: u64) -> Result<()> {
        let Self { group, groups, items, bytes } = self;
        let order =
            json!({ "group": group, "groups": groups, "items": items, "bytes": bytes, "from": from, "count": count });
        let set = client::number(&client.post("/sets", order)?, "set")?;
        ensure!(set as u64 == count, "{set} items were set where {count} were asked for");
        Ok(())
    }
}

/// How hard is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressure {
    /// Requests at a time.
    pub(super) requests: usize,
    /// Sets of one request.
    pub(super) each: u64,
    /// How many clients hear of a set.
    pub(super) listeners: u64,
    /// Sets of which not all clients have heard: more would only make queues longer.
    pub(super) outstanding: u64,
}

/// Sets as fast as clients hear of it, while `meanwhile` runs. How many sets were made, and what that returned.
pub(super) fn press<T>(
    lab: &Lab,
    running: &Running,
    (sets, pressure): (&Sets, Pressure),
    heard: &Heard,
    meanwhile: impl FnOnce() -> T,
) -> Result<(u64, T)> {
    let (made, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = heard.counts().messages;
    let one = || -> Result<()> {
        let mut client = lab.client(running)?;
        while !stop.load(Ordering::Relaxed) {
            let messages = heard.counts().messages - before;
            if made.load(Ordering::Relaxed) * pressure.listeners > messages + pressure.outstanding * pressure.listeners
            {
                thread::sleep(PAUSE);
                continue;
            }
            let from = made.fetch_add(pressure.each, Ordering::Relaxed);
            sets.make(&mut client, from, pressure.each)?;
        }
        Ok(())
    };
    let (returned, ends) = thread::scope(|scope| {
        let requests: Vec<_> = (0..pressure.requests).map(|_| scope.spawn(one)).collect();
        let returned = meanwhile();
        stop.store(true, Ordering::Relaxed);
        (returned, requests.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>())
    });
    for end in ends {
        end.map_err(|_| anyhow::anyhow!("a thread that sets broke"))??;
    }
    Ok((made.into_inner(), returned))
}

/// Sets one at a time, so many per second whatever the answers do, for so long. How many it was.
pub(super) fn pace(lab: &Lab, running: &Running, sets: &Sets, per_second: u32, length: Duration) -> Result<u64> {
    // One whose answer is late holds up none of the others.
    const REQUESTS: u32 = 4;
    let count = (length.as_secs_f64() * f64::from(per_second)).ceil().max(1.0) as u32;
    let began = lab.clock.elapsed();
    let one = |first: u32| -> Result<()> {
        let mut client = lab.client(running)?;
        for number in (first..count).step_by(REQUESTS as usize) {
            let due = began + Duration::from_secs(1) * number / per_second;
            thread::sleep(due.saturating_sub(lab.clock.elapsed()));
            sets.make(&mut client, number.into(), 1)?;
        }
        Ok(())
    };
    let ends = thread::scope(|scope| {
        let requests: Vec<_> = (0..REQUESTS).map(|first| scope.spawn(move || one(first))).collect();
        requests.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for end in ends {
        end.map_err(|_| anyhow::anyhow!("a thread that sets broke"))??;
    }
    Ok(count.into())
}

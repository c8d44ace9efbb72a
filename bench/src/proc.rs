//! What Linux tells about processes: their CPU time, their memory, what else the machine is doing.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of a candidate so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Of the process that the bench started.
    pub(crate) root: Duration,
    /// Of all below it, those that have ended too.
    pub(crate) below: Duration,
}

impl Cpu {
    /// What came after `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { root: self.root.saturating_sub(before.root), below: self.below.saturating_sub(before.below) }
    }

    pub(crate) fn total(self) -> Duration {
        self.root + self.below
    }
}

/// Memory of a candidate, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Of the process that the bench started.
    pub(crate) root: u64,
    /// Of all below it.
    pub(crate) below: u64,
    pub(crate) processes: usize,
}

impl Memory {
    pub(crate) fn total(self) -> u64 {
        self.root + self.below
    }
}

/// CPU time of the whole machine so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Machine {
    /// Spent in processes and in the kernel for them.
    pub(crate) busy: Duration,
    /// What the hypervisor gave to others.
    pub(crate) stolen: Duration,
}

/// One line of `/proc/<id>/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
    /// Of those below it that have ended.
    ended: u64,
}

/// The CPU time of a process and of those below it.
pub(crate) fn cpu(root: u32) -> Cpu {
    let all = all();
    let tree = tree(&all, root);
    let sum = |ids: &[u32], of: fn(&Stat) -> u64| ticks(ids.iter().filter_map(|id| all.get(id)).map(of).sum());
    let below = sum(&tree[1..], |stat| stat.ticks) + sum(&tree, |stat| stat.ended);
    Cpu { root: sum(&tree[..1], |stat| stat.ticks), below }
}

/// The CPU time of the bench itself.
pub(crate) fn own_cpu() -> Duration {
    stat(std::process::id()).map_or(Duration::ZERO, |stat| ticks(stat.ticks))
}

/// The memory of a process and of those below it: its proportional set size, in which a page that several
/// processes share counts by its share.
pub(crate) fn memory(root: u32) -> Result<Memory> {
    let tree = tree(&all(), root);
    let each = tree.iter().map(|id| memory_of(*id)).collect::<Result<Vec<_>>>()?;
    Ok(Memory { root: each[0], below: each[1..].iter().sum(), processes: each.len() })
}

fn memory_of(id: u32) -> Result<u64> {
    let path = format!("/proc/{id}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(pss(&text).with_context(|| format!("no Pss in {path}"))? * 1024)
}

/// What the machine was doing up to now.
pub(crate) fn machine() -> Machine {
    machine_of(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

/// `cpu  user nice system idle iowait irq softirq steal …`
fn machine_of(text: &str) -> Machine {
    let numbers: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .map_while(|word| word.parse().ok())
        .collect();
    let of = |columns: &[usize]| ticks(columns.iter().filter_map(|column| numbers.get(*column)).sum());
    Machine { busy: of(&[0, 1, 2, 5, 6]), stolen: of(&[7]) }
}

fn all() -> HashMap<u32, Stat> {
    let Ok(folder) = fs::read_dir("/proc") else { return HashMap::new() };
    let ids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that has just ended has no file any more.
    ids.filter_map(|id| Some((id, stat(id)?))).collect()
}

fn stat(id: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// `id (name) state parent …`; the name may hold anything. Columns 14 and 15 are the time in user and in kernel mode,
/// 16 and 17 that of its children that have ended.
fn parse_stat(line: &str) -> Option<Stat> {
    let after = &line[line.rfind(')')? + 1..];
    let columns: Vec<&str> = after.split_whitespace().collect();
    let number = |at: usize| columns.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
        ended: number(13)? + number(14)?,
    })
}

/// The process and all below it, itself first.
fn tree(all: &HashMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
        at += 1;
    }
    tree
}

fn pss(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_an_odd_name_is_read() {
        let line = "42 (a) R 7 (b) S 17 42 42 0 -1 4194560 1 2 3 4 250 50 6 7 20 0 1 0 12345 1 2";
        assert_eq!(parse_stat(line), Some(Stat { parent: 17, ticks: 300, ended: 13 }));
        assert_eq!(parse_stat("42 (a"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_tree_holds_those_below_and_no_others() {
        let stat = |parent| Stat { parent, ticks: 0, ended: 0 };
        let all = HashMap::from([(1, stat(0)), (2, stat(1)), (3, stat(2)), (4, stat(2)), (5, stat(1))]);
        let mut below = tree(&all, 2);
        assert_eq!(below[0], 2);
        below.sort_unstable();
        assert_eq!(below, [2, 3, 4]);
    }

    #[test]
    fn memory_is_the_proportional_share() {
        assert_eq!(pss("55 r\nRss:   9000 kB\nPss:    8123 kB\nPss_Anon: 1 kB\n"), Some(8123));
        assert_eq!(pss("Rss: 1 kB"), None);
    }

    #[test]
    fn the_first_line_is_that_of_all_processors() {
        let machine = machine_of("cpu  100 0 50 900 10 1 2 200 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n");
        assert_eq!((machine.busy, machine.stolen), (ticks(153), ticks(200)));
    }

    #[test]
    fn this_process_is_found() {
        assert!(stat(std::process::id()).is_some());
        let memory = memory(std::process::id()).expect("readable");
        assert!(memory.root > 0 && memory.processes >= 1 && memory.total() >= memory.root);
    }
}

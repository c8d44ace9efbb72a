//! Storage that fails: `tests/shim/faults.c` preloaded into the engine.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Random;

/// What the storage does. The numbers are those of the shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing = 0,
    /// The disk is full.
    Full = 1,
    /// A write fails.
    Broken = 2,
    /// A write stores half.
    Short = 3,
    /// A sync fails.
    NoSync = 4,
}

/// How much of what was not synced a power cut takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// All of it.
    Everything,
    /// Of each page, the last of its writes, any number of them.
    RandomPages,
}

/// The shim, and the files by which it is steered.
pub(crate) struct Shim {
    folder: tempfile::TempDir,
}

impl Shim {
    /// `None` where there is no C compiler; the caller's test is skipped then, but never in CI.
    pub(crate) fn new() -> Option<Self> {
        library()?;
        let shim = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(shim.path("control"), [0; 8]).expect("written");
        Some(shim)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the engine's environment has to have.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("LD_PRELOAD".into(), text(library().expect("built"))),
            ("MOTIA_SHIM_CONTROL".into(), text(&self.path("control"))),
            ("MOTIA_SHIM_UNDO".into(), text(&self.path("undo"))),
        ]
    }

    /// From now on, after so many writes or syncs that still succeed.
    pub(crate) fn set(&self, fault: Fault, after: i32) {
        let mut control = OpenOptions::new().write(true).open(self.path("control")).expect("opened");
        let bytes = [(fault as i32).to_ne_bytes(), after.to_ne_bytes()].concat();
        control.write_all(&bytes).expect("written");
    }

    /// Cuts the power: the process must have been killed before. What was written since the last sync of its file is undone.
    pub(crate) fn cut_power(&self, lost: Lost, random: &mut Random) {
        let log = fs::read(self.path("undo")).unwrap_or_default();
        let mut files: HashMap<u32, File<'_>> = HashMap::new();
        for record in Records(&log) {
            let file = files.entry(record.file).or_default();
            match record.kind {
                1 => file.path = String::from_utf8_lossy(record.bytes).into_owned(),
                2 | 5 => file.writes.push(record),
                3 => file.began.push(file.writes.len()),
                // Whichever of the syncs that run has ended: what was there when the first of them began is safe.
                4 => {
                    let safe = file.began.remove(0);
                    file.writes.drain(..safe);
                    file.began.iter_mut().for_each(|began| *began -= safe.min(*began));
                }
                kind => panic!("a record of kind {kind}"),
            }
        }
        for file in files.into_values().filter(|file| !file.writes.is_empty()) {
            match lost {
                Lost::Everything => file.undo_all(),
                Lost::RandomPages => file.undo_pages(random),
            }
        }
        fs::remove_file(self.path("undo")).expect("removed");
    }
}

/// What happened to one file since its last sync.
#[derive(Default)]
struct File<'a> {
    path: String,
    writes: Vec<Record<'a>>,
    began: Vec<usize>,
}

const PAGE: u64 = 4096;

impl File<'_> {
    fn open(&self) -> Option<fs::File> {
        OpenOptions::new().read(true).write(true).open(&self.path).ok()
    }

    fn undo_all(&self) {
        let Some(mut file) = self.open() else { return };
        for write in self.writes.iter().rev() {
            file.seek(SeekFrom::Start(write.offset)).expect("sought");
            file.write_all(write.bytes).expect("written");
            file.set_len(write.size).expect("cut");
        }
    }

    /// Each page keeps what it had after one of its writes, or before all of them. The file's size is one that it had.
    fn undo_pages(&self, random: &mut Random) {
        let Some(mut file) = self.open() else { return };
        let mut now = Vec::new();
        file.read_to_end(&mut now).expect("read");
        // From the newest on, how the file looked before each write.
        let mut looked = vec![now];
        for write in self.writes.iter().rev() {
            let mut before = looked.last().expect("one").clone();
            before.resize(usize::try_from(write.size).expect("small"), 0);
            let start = usize::try_from(write.offset).expect("small");
            before[start..start + write.bytes.len()].copy_from_slice(write.bytes);
            looked.push(before);
        }
        let size = looked[random.below(looked.len())].len();
        let mut mixed = vec![0; size];
        for start in (0..size).step_by(usize::try_from(PAGE).expect("small")) {
            let end = (start + usize::try_from(PAGE).expect("small")).min(size);
            let chosen = &looked[random.below(looked.len())];
            let end_there = end.min(chosen.len());
            if start < end_there {
                mixed[start..end_there].copy_from_slice(&chosen[start..end_there]);
            }
        }
        fs::write(&self.path, mixed).expect("written");
    }
}

#[derive(Clone, Copy)]
struct Record<'a> {
    kind: u32,
    file: u32,
    offset: u64,
    size: u64,
    bytes: &'a [u8],
}

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (head, rest) = self.0.split_at_checked(32)?;
        let u32_at = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().expect("8 bytes"));
        // A record that was cut off by the kill changed nothing: it is written before its write.
        let (bytes, rest) = rest.split_at_checked(usize::try_from(u64_at(16)).expect("small"))?;
        self.0 = rest;
        Some(Record { kind: u32_at(0), file: u32_at(4), offset: u64_at(8), size: u64_at(24), bytes })
    }
}

/// The compiled shim.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/shim/faults.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
        let compiled = cfg!(target_os = "linux")
            && Command::new("cc")
                .args(["-O2", "-shared", "-fPIC", "-o"])
                .args([&library, &source])
                .args(["-ldl", "-lpthread"])
                .status()
                .is_ok_and(|status| status.success());
        if !compiled {
            assert!(std::env::var_os("CI").is_none(), "in CI the storage faults must run: they need cc");
            eprintln!("skipped: storage faults need Linux and a C compiler (cc)");
        }
        compiled.then_some(library)
    };
    LIBRARY.get_or_init(build).as_deref()
}

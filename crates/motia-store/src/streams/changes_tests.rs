use super::*;

/// Streams of a process that has just opened the store.
struct Process {
    connection: Connection,
    epoch: Epoch,
    next: u64,
}

fn schema() -> Connection {
    let connection = Connection::open_in_memory().expect("opened");
    connection.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value)").expect("meta");
    connection.execute_batch(include_str!("../schema/3.sql")).expect("schema");
    connection
}

impl Process {
    fn start(connection: Connection, next: u64) -> Self {
        let epoch = begin_epoch(&connection).expect("begun");
        Self { connection, epoch, next }
    }

    /// Another process takes the store over.
    fn restart(self) -> Self {
        Self::start(self.connection, self.next + 1000)
    }

    /// The store as it is now, for one that has to go back to it.
    fn copy(&self, folder: &std::path::Path) -> Connection {
        let file = folder.join("copy.db");
        self.connection.execute("VACUUM INTO ?1", [file.to_str().expect("text")]).expect("copied");
        Connection::open(file).expect("opened")
    }

    fn change(&mut self, group: &str, length: usize) -> Position {
        let offset = Offset(self.next);
        self.next += 1;
        let item = Bytes::from(format!("\"{}\"", "x".repeat(length)));
        let address = ItemAddress { stream: "s".into(), group: group.into(), id: "1".into() };
        record(&self.connection, &address, &What::Updated(offset, item), Timestamp(1)).expect("recorded");
        Position { epoch: self.epoch.clone(), offset }
    }

    fn now(&self, group: &str) -> Position {
        let offset = last(&self.connection, &"s".into(), &group.into()).expect("read");
        Position { epoch: self.epoch.clone(), offset }
    }

    /// How many changes are told to one who comes back; none if it has to read everything anew.
    fn missed(&self, group: &str, position: &Position) -> Option<usize> {
        since(&self.connection, &"s".into(), &group.into(), position).expect("read").map(|changes| changes.len())
    }
}

#[test]
fn who_comes_back_is_told_what_it_missed_over_a_restart_too() {
    let mut first = Process::start(schema(), 1);
    let before = first.now("g");
    let one = first.change("g", 1);
    first.change("other", 1);
    let two = first.change("g", 1);
    assert_eq!([&before, &one, &two].map(|at| first.missed("g", at)), [Some(2), Some(1), Some(0)]);
    let mut second = first.restart();
    assert_eq!([&before, &one, &two].map(|at| second.missed("g", at)), [Some(2), Some(1), Some(0)]);
    second.change("g", 1);
    let third = second.restart();
    assert_eq!([&before, &one, &two].map(|at| third.missed("g", at)), [Some(3), Some(2), Some(1)]);
    assert_eq!(third.missed("g", &Position { epoch: "never".into(), ..two }), None);
}

#[test]
fn what_was_taken_back_is_not_passed_over_in_silence() {
    let mut process = Process::start(schema(), 1);
    let kept = process.change("g", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let saved = process.copy(folder.path());
    let lost = process.change("g", 1);
    assert_eq!(process.missed("g", &lost), Some(0));
    // The power goes, or somebody goes back to a backup. Numbers are not given twice.
    let mut restored = Process::start(saved, 1000);
    assert_eq!((restored.missed("g", &kept), restored.missed("g", &lost)), (Some(0), None));
    let after = restored.change("g", 1);
    assert_eq!((restored.missed("g", &kept), restored.missed("g", &lost)), (Some(1), None));
    assert_eq!(restored.missed("g", &after), Some(0));
}

#[test]
fn what_is_not_kept_any_more_is_a_gap_and_a_quiet_group_is_none() {
    let mut process = Process::start(schema(), 1);
    let quiet = process.now("quiet");
    let first = process.change("g", 1);
    for _ in 0..3 {
        process.change("g", 500 << 10);
    }
    assert_eq!(process.missed("g", &first), None, "more than is kept");
    assert_eq!(process.missed("quiet", &quiet), Some(0));
    let last = process.now("g");
    while drop_old(&process.connection, Timestamp(2), 10).expect("dropped") > 0 {}
    assert_eq!(process.missed("g", &last), Some(0), "an hour later, with nothing new");
    assert_eq!(process.missed("quiet", &quiet), None, "what is forgotten cannot be told from what never was");
    assert_eq!(process.missed("quiet", &process.now("quiet")), Some(0));
    process.change("g", 1);
    assert_eq!(process.missed("g", &last), Some(1));
    let rows: i64 =
        process.connection.query_row("SELECT count(*) FROM stream_groups", [], |row| row.get(0)).expect("counted");
    assert_eq!(rows, 1, "groups that are quiet take no room");
}

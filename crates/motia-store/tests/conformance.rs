//! The embedded backends keep the contracts of `motia-ports`, also over a restart.

use std::path::Path;
use std::sync::Arc;

use motia_core::SystemClock;
use motia_core::project::Durability;
use motia_ports::{Mark, conformance};
use motia_store::{Config, OpenError, Store};

fn open(dir: &Path) -> Result<Store, OpenError> {
    Store::open(Config {
        dir: dir.to_owned(),
        durability: Durability::Fsync,
        clock: Arc::new(SystemClock::default()),
        report: Arc::new(|level, text| panic!("{level:?}: {text}")),
    })
}

#[tokio::test]
async fn state_conforms() {
    let dir = tempfile::tempdir().expect("a folder");
    conformance::state(&*open(dir.path()).expect("open").state()).await;
}

#[tokio::test]
async fn streams_conform() {
    let dir = tempfile::tempdir().expect("a folder");
    conformance::streams(&*open(dir.path()).expect("open").streams()).await;
}

#[tokio::test]
async fn cron_conforms() {
    let dir = tempfile::tempdir().expect("a folder");
    conformance::cron(&*open(dir.path()).expect("open").cron()).await;
}

#[tokio::test]
async fn queue_conforms() {
    let dir = tempfile::tempdir().expect("a folder");
    conformance::queue(&*open(dir.path()).expect("open").queue()).await;
}

#[tokio::test]
async fn a_sync_covers_its_mark_and_the_store_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let first_trace = {
        let store = open(dir.path()).expect("open");
        let write = store.state().set("g".into(), "k".into(), "1".into(), None);
        // Not awaited: a sync waits for the commit itself.
        store.journal().sync(write.mark).await.expect("sync");
        let trace = store.traces().next();
        store.close(std::time::Duration::from_secs(5)).await.expect("close");
        assert!(store.state().set("g".into(), "k".into(), "2".into(), None).done.await.is_err(), "closed is closed");
        trace
    };
    let store = open(dir.path()).expect("open again");
    let value = store.state().get(Mark::NONE, "g".into(), "k".into()).await.expect("get");
    assert_eq!(value.as_deref(), Some(&b"1"[..]));
    assert_ne!(store.traces().next(), first_trace);
}

#[test]
fn a_second_engine_is_refused_and_told_the_owner() {
    let dir = tempfile::tempdir().expect("a folder");
    let _store = open(dir.path()).expect("open");
    let error = open(dir.path()).err().expect("refused").to_string();
    assert!(error.contains(&format!("(pid {}", std::process::id())), "{error}");
}

#[test]
fn what_is_not_ours_is_refused_untouched() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("motia.db");
    for content in [&b"not a database at all"[..], &b"SQLite format 3\0short"[..], &[0; 200][..]] {
        std::fs::write(&file, content).expect("write");
        let error = open(dir.path()).err().expect("refused").to_string();
        assert!(error.contains("is not a Motia store"), "{error}");
        assert_eq!(std::fs::read(&file).expect("read"), content);
    }
    std::fs::write(&file, "").expect("write");
    let error = open(dir.path()).err().expect("refused").to_string();
    assert!(error.contains("motia.db is empty: what was stored in it is lost"), "{error}");
    let wal = dir.path().join("motia.db-wal");
    std::fs::write(&wal, "left over").expect("write");
    std::fs::remove_file(&file).expect("remove");
    let error = open(dir.path()).err().expect("refused").to_string();
    assert!(error.contains("gone, but its WAL is there") && error.contains("remove"), "{error}");
    assert!(!file.exists());
    std::fs::remove_file(&wal).expect("remove");
    // What a start left that was cut off.
    std::fs::write(dir.path().join("motia.db.unfinished"), "half").expect("write");
    drop(open(dir.path()).expect("open"));
    let connection = rusqlite::Connection::open(&file).expect("open");
    connection.execute_batch("ALTER TABLE state RENAME TO moved; PRAGMA wal_checkpoint(TRUNCATE);").expect("set");
    drop(connection);
    let before = std::fs::read(&file).expect("read");
    let error = open(dir.path()).err().expect("refused").to_string();
    assert!(error.contains("its table 'state' is missing"), "{error}");
    assert_eq!(std::fs::read(&file).expect("read"), before);
    let connection = rusqlite::Connection::open(&file).expect("open");
    connection.execute_batch("ALTER TABLE moved RENAME TO state").expect("set");
    drop(connection);
    let connection = rusqlite::Connection::open(&file).expect("open");
    connection.execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE);").expect("set");
    drop(connection);
    let error = open(dir.path()).err().expect("refused").to_string();
    assert!(error.contains("schema version 99"), "{error}");
}

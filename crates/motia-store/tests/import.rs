//! What the original left behind in files is there, once.

use std::fs;
use std::sync::{Arc, Mutex};

use motia_core::SystemClock;
use motia_core::project::Durability;
use motia_ports::Mark;
use motia_ports::streams::ItemAddress;
use motia_store::{Config, Store};

struct Folder {
    dir: tempfile::TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("streams")).expect("a folder");
        let folder = Self { dir, said: Arc::default() };
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).expect("written");
    }

    fn open(&self) -> Store {
        let said = Arc::clone(&self.said);
        let dir = self.dir.path().to_owned();
        Store::open(Config {
            dir: dir.clone(),
            durability: Durability::Os,
            clock: Arc::new(SystemClock::default()),
            report: Arc::new(move |_, text| {
                said.lock().expect("said").push(text.replace(&format!("{}/", dir.display()), ""));
            }),
        })
        .expect("it opens")
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.said.lock().expect("said"))
    }
}

async fn get(store: &Store, group: &str, key: &str) -> Option<String> {
    let value = store.state().get(Mark::default(), group.into(), key.into()).await.expect("read");
    value.map(|value| String::from_utf8(value.to_vec()).expect("text"))
}

fn address(group: &str, id: &str) -> ItemAddress {
    ItemAddress { stream: "todo".into(), group: group.into(), id: id.into() }
}

#[tokio::test]
async fn files_of_the_original_are_imported_once_and_stay() {
    let folder = Folder::new(&[
        ("motia.state.json", r#"{ "a:b:c": "{\"n\":1.50}", "a:d": "\"text\"", "bare": "not JSON", "z:raw": [1] }"#),
        (
            "streams/todo.stream.json",
            r#"{ "all:2": "{\"id\":\"2\",\"_createdAt\":20}", "all:1": "{\"id\":\"1\",\"_createdAt\":10}", "all:x": "null" }"#,
        ),
        ("streams/notes.txt", "no stream"),
    ]);
    let store = folder.open();
    assert_eq!(
        folder.said(),
        [
            "imported 4 values of state from motia.state.json; the file stays, and is not read again",
            "streams/todo.stream.json: what is no JSON object is no item, and was left out: all:x",
            "imported 2 items of the stream 'todo' from streams/todo.stream.json; the file stays, and is not read again",
        ]
    );
    // Where the group ends is not known: both ways lead there.
    assert_eq!(get(&store, "a", "b:c").await.as_deref(), Some(r#"{"n":1.50}"#));
    assert_eq!(get(&store, "a:b", "c").await.as_deref(), Some(r#"{"n":1.50}"#));
    assert_eq!(get(&store, "a", "d").await.as_deref(), Some(r#""text""#));
    assert_eq!(get(&store, "z", "raw").await.as_deref(), Some("[1]"));
    let items = store.streams().group(Mark::default(), "todo".into(), "all".into()).await.expect("read");
    assert_eq!(
        items,
        [r#"{"id":"1","_createdAt":10}"#.as_bytes(), r#"{"id":"2","_createdAt":20}"#.as_bytes()],
        "in the order of their creation"
    );
    store.state().delete("a".into(), "d".into()).done.await.expect("deleted");
    store.streams().delete(address("all", "1")).done.await.expect("deleted");
    store.close(std::time::Duration::from_secs(5)).await.expect("closed");
    drop(store);

    let store = folder.open();
    assert_eq!(folder.said(), Vec::<String>::new(), "once");
    assert_eq!(get(&store, "a", "d").await, None, "what was deleted does not come back");
    assert_eq!(store.streams().get(Mark::default(), address("all", "1")).await.expect("read"), None);
    assert!(folder.dir.path().join("motia.state.json").is_file());
}

#[tokio::test]
async fn a_file_that_is_cut_off_is_named_and_imported_once_it_is_whole() {
    let folder = Folder::new(&[("motia.state.json", r#"{ "a:b": "1", "#)]);
    let store = folder.open();
    assert_eq!(
        folder.said(),
        [
            "motia.state.json is data of Motia 0.x that cannot be imported: EOF while parsing a value at line 1 column 14. Mend or remove it"
        ]
    );
    store.state().set("a".into(), "b".into(), "2".into(), None).done.await.expect("set");
    store.close(std::time::Duration::from_secs(5)).await.expect("closed");
    drop(store);
    folder.write("motia.state.json", r#"{ "a:b": "1", "a:c": "3" }"#);
    let store = folder.open();
    assert_eq!(get(&store, "a", "b").await.as_deref(), Some("2"), "what was written since is newer");
    assert_eq!(get(&store, "a", "c").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn data_that_lies_in_redis_is_told_of_once() {
    let folder = Folder::new(&[]);
    fs::create_dir(folder.dir.path().join("appendonlydir")).expect("a folder");
    drop(folder.open());
    assert_eq!(
        folder.said(),
        ["appendonlydir is the data of Motia 0.17's Redis. `motia import redis appendonlydir` brings it here"]
    );
    drop(folder.open());
    assert_eq!(folder.said(), Vec::<String>::new());
}

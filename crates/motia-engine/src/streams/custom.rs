//! Streams whose items an adapter of the project's own keeps (`storageType: 'custom'`, L1439, L1754-L1899). Its code runs in workers, which
//! are asked; all else is as for other streams, except that no history is kept: who comes back is told how things are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use futures_util::future::{FutureExt, Shared};
use motia_core::ids::Runtime;
use motia_core::query::Query;
use motia_core::stream::Stream;
use motia_core::update::UpdateError;
use motia_core::{GroupId, ItemKey, StreamName, Timestamp};
use motia_ports::streams::{
    Change, Epoch, ItemAddress, Observer, Offset, Position, Published, Revise, Snapshot, Stored, What,
};
use motia_ports::{Error, Mark, Pending, Streams, Write};
use motia_worker::{CallKind, Class, Pool};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::Hub;
use super::ask::{Question, Unanswered, ask};
use super::turns::{Turn, Turns};
use crate::engine::EngineHost;
use crate::item;

/// The backend's streams, and those of the project's own storage.
pub(crate) struct Routed {
    kept: Arc<dyn Streams>,
    custom: RwLock<HashMap<StreamName, Arc<Stream>>>,
    storage: Arc<Storage>,
}

/// How adapters are reached, and who is told of what they did.
struct Storage {
    workers: OnceLock<Workers>,
    turns: Turns,
    observers: RwLock<Vec<Observer>>,
    offsets: AtomicU64,
    /// Those that have not begun.
    snapshots: Mutex<HashMap<Watched, Shared<Pending<Snapshot>>>>,
    tasks: TaskTracker,
}

/// What somebody watches: a group, or an item of it.
type Watched = (StreamName, GroupId, Option<ItemKey>);

/// Weak: what workers talk to leads back here.
struct Workers {
    host: Weak<EngineHost>,
    pools: Weak<RwLock<HashMap<Runtime, Pool<EngineHost>>>>,
    hub: Hub,
}

/// What an adapter is asked (sdk/protocol/README.md).
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Asked<'a> {
    Get { group_id: &'a GroupId, id: &'a ItemKey },
    Set { group_id: &'a GroupId, id: &'a ItemKey, data: &'a RawValue },
    Delete { group_id: &'a GroupId, id: &'a ItemKey },
    Group { group_id: &'a GroupId },
    Clear { group_id: &'a GroupId },
    Query { group_id: &'a GroupId, filter: serde_json::Value },
}

impl Asked<'_> {
    /// Whether it changes what is stored.
    fn writes(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Delete { .. } | Self::Clear { .. })
    }
}

/// What an adapter answers to a `set`.
#[derive(Deserialize)]
struct Set<'a> {
    there: bool,
    #[serde(borrow)]
    item: &'a RawValue,
}

/// What an adapter answers to a `query`.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    /// By the adapter itself.
    chosen: bool,
}

impl Routed {
    /// `now`: offsets begin there, so that they grow over restarts.
    pub(crate) fn new(kept: Arc<dyn Streams>, now: Timestamp, tasks: TaskTracker) -> Self {
        let first = u64::try_from(now.as_millis()).unwrap_or_default().saturating_mul(1024);
        let storage = Storage {
            workers: OnceLock::new(),
            turns: Turns::default(),
            observers: RwLock::default(),
            offsets: AtomicU64::new(first),
            snapshots: Mutex::default(),
            tasks,
        };
        Self { kept, custom: RwLock::default(), storage: Arc::new(storage) }
    }

    /// Who runs adapters.
    pub(crate) fn reach(
        &self,
        host: &Arc<EngineHost>,
        pools: &Arc<RwLock<HashMap<Runtime, Pool<EngineHost>>>>,
        hub: &Hub,
    ) {
        let workers = Workers { host: Arc::downgrade(host), pools: Arc::downgrade(pools), hub: hub.clone() };
        // It is said once.
        let _ = self.storage.workers.set(workers);
    }

    /// The streams of a project. Answers with those whose items are elsewhere from now on: offsets of before mean nothing there.
    pub(crate) fn update<'a>(&self, streams: impl Iterator<Item = &'a Arc<Stream>>) -> Vec<StreamName> {
        let custom = streams.filter(|stream| stream.custom).map(|stream| (stream.name.clone(), Arc::clone(stream)));
        let custom: HashMap<_, _> = custom.collect();
        let before = std::mem::replace(&mut *self.custom.write(), custom.clone());
        let came = custom.keys().filter(|name| !before.contains_key(*name));
        let went = before.keys().filter(|name| !custom.contains_key(*name));
        came.chain(went).cloned().collect()
    }

    fn adapter(&self, stream: &StreamName, group: &GroupId) -> Option<Adapter> {
        let stream = self.custom.read().get(stream).cloned()?;
        Some(Adapter { storage: Arc::clone(&self.storage), stream, group: group.clone() })
    }
}

/// The adapter of a stream, for one group.
struct Adapter {
    storage: Arc<Storage>,
    stream: Arc<Stream>,
    group: GroupId,
}

impl Adapter {
    /// What is done when everything that was asked for before in the group is done. It goes on even if nobody waits for it.
    fn then<T: Send + 'static, F: Future<Output = Result<T, Error>> + Send>(
        self,
        turn: Turn,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Pending<T> {
        let (answer, answered) = oneshot::channel();
        self.storage.tasks.clone().spawn(async move {
            turn.comes().await;
            let outcome = work(self).await;
            drop(turn);
            let _ = answer.send(outcome);
        });
        async { answered.await.unwrap_or(Err(Error::Closed)) }.boxed()
    }

    /// A read: later writes do not wait for it.
    fn read<T: Send + 'static, F: Future<Output = Result<T, Error>> + Send>(
        self,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Pending<T> {
        let turn = self.storage.turns.behind(&self.stream.name, &self.group);
        self.then(turn, work)
    }

    /// Everything later in the group waits for it.
    fn alone<T: Send + 'static, F: Future<Output = Result<T, Error>> + Send>(
        self,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Pending<T> {
        let turn = self.storage.turns.next(&self.stream.name, &self.group);
        self.then(turn, work)
    }

    fn write<T: Send + 'static, F: Future<Output = Result<T, Error>> + Send>(
        self,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Write<T> {
        // Whether that survives a power cut is the adapter's affair.
        Write { mark: Mark::NONE, done: self.alone(work) }
    }

    async fn ask(&self, asked: Asked<'_>) -> Result<Bytes, Error> {
        let body = serde_json::to_vec(&asked).map_err(|error| self.failed(&error))?.into();
        let workers = self.storage.workers.get().ok_or(Error::Closed)?;
        let (host, pools) = workers.host.upgrade().zip(workers.pools.upgrade()).ok_or(Error::Closed)?;
        let Stream { source, language, .. } = &*self.stream;
        let pool = pools.read().get(&language.runtime()).cloned();
        let limit = host.settings().timeouts.storage;
        let (kind, class, language) = (CallKind::Storage, Class::Storage, *language);
        let (begun, answer) = ask(&host, pool, Question { source, language, kind, class, body, limit }).await;
        let is_unknown = begun.is_some() && matches!(answer, Err(Unanswered::Unavailable(_) | Unanswered::Lost(_)));
        if is_unknown && asked.writes() {
            // It may have been done: those who watch come back, and are told how things are.
            workers.hub.give_up(self.stream.name.clone(), Some(self.group.clone()));
        }
        answer.map_err(|why| self.failed(&why))
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> Error {
        Error::Storage(format!(
            "the storage of the stream '{}' ({}) failed: {why}",
            self.stream.name, self.stream.source
        ))
    }

    fn understood<'a, T: Deserialize<'a>>(&self, answer: &'a [u8]) -> Result<T, Error> {
        serde_json::from_slice(answer).map_err(|error| self.failed(&error))
    }

    async fn get(&self, id: &ItemKey) -> Result<Option<Bytes>, Error> {
        let answer = self.ask(Asked::Get { group_id: &self.group, id }).await?;
        if *answer == *b"null" {
            return Ok(None);
        }
        item::identified(&answer, id).map(Some).map_err(|error| self.failed(&error))
    }

    async fn items(&self) -> Result<Vec<Bytes>, Error> {
        let answer = self.ask(Asked::Group { group_id: &self.group }).await?;
        self.list(self.understood(&answer)?)
    }

    fn list(&self, items: Vec<&RawValue>) -> Result<Vec<Bytes>, Error> {
        items
            .into_iter()
            .map(|item| item::unmarked(item.get().as_bytes()).map_err(|error| self.failed(&error)))
            .collect()
    }

    async fn query(&self, query: &Query) -> Result<Vec<Bytes>, Error> {
        let Some(filter) = query.as_filter() else { return Ok(query.choose(self.items().await?)) };
        let answer = self.ask(Asked::Query { group_id: &self.group, filter }).await?;
        let Found { items, chosen } = self.understood(&answer)?;
        let items = self.list(items)?;
        Ok(if chosen { items } else { query.choose(items) })
    }

    /// How things are. Whoever asks before it has begun gets the same.
    fn snapshot(self, id: Option<ItemKey>) -> Pending<Snapshot> {
        let storage = Arc::clone(&self.storage);
        let mut waiting = storage.snapshots.lock();
        let what = (self.stream.name.clone(), self.group.clone(), id.clone());
        if let Some(same) = waiting.get(&what) {
            return same.clone().boxed();
        }
        let begun = what.clone();
        // Nothing changes in the group meanwhile, so that it is known which changes are in it.
        let snapshot = self.alone(|adapter| async move {
            adapter.storage.snapshots.lock().remove(&begun);
            let items = match &id {
                None => adapter.items().await?,
                Some(id) => adapter.get(id).await?.into_iter().collect(),
            };
            Ok(Snapshot { upto: Offset(adapter.storage.offsets.load(Ordering::Acquire)), items })
        });
        let snapshot = snapshot.shared();
        waiting.insert(what, snapshot.clone());
        snapshot.boxed()
    }

    async fn set(&self, id: &ItemKey, item: &[u8]) -> Result<Stored, Error> {
        let data: &RawValue = self.understood(item)?;
        let answer = self.ask(Asked::Set { group_id: &self.group, id, data }).await?;
        let Set { there, item } = self.understood(&answer)?;
        let item = item::identified(item.get().as_bytes(), id).map_err(|error| self.failed(&error))?;
        let offset = self.next();
        let (change, what) = if there {
            (Change::Updated, What::Updated(offset, item.clone()))
        } else {
            (Change::Created, What::Created(offset, item.clone()))
        };
        self.publish(Some(id.clone()), what);
        Ok(Stored { change, item })
    }

    async fn delete(&self, id: &ItemKey) -> Result<Option<Bytes>, Error> {
        let answer = self.ask(Asked::Delete { group_id: &self.group, id }).await?;
        if *answer == *b"null" {
            return Ok(None);
        }
        let item = item::identified(&answer, id).map_err(|error| self.failed(&error))?;
        self.publish(Some(id.clone()), What::Deleted(self.next(), item.clone()));
        Ok(Some(item))
    }

    async fn clear(&self) -> Result<usize, Error> {
        let answer = self.ask(Asked::Clear { group_id: &self.group }).await?;
        let items = self.list(self.understood(&answer)?)?;
        for item in &items {
            // One without an id is nobody's.
            if let Some(id) = item::id_of(item) {
                self.publish(Some(id), What::Deleted(self.next(), item.clone()));
            }
        }
        Ok(items.len())
    }

    /// Makes another item of the one that is there: nobody else changes it meanwhile, unless past Motia.
    async fn update(&self, id: &ItemKey, revise: &Revise) -> Result<Result<Option<Bytes>, UpdateError>, Error> {
        let there = self.get(id).await?;
        match revise(there.as_deref()) {
            Err(error) => Ok(Err(error)),
            Ok(Some((item, _))) => self.set(id, &item).await.map(|stored| Ok(Some(stored.item))),
            Ok(None) => self.delete(id).await.map(|_| Ok(None)),
        }
    }

    fn next(&self) -> Offset {
        Offset(self.storage.offsets.fetch_add(1, Ordering::AcqRel) + 1)
    }

    fn publish(&self, id: Option<ItemKey>, what: What) {
        let published = Published { stream: self.stream.name.clone(), group: self.group.clone(), id, what };
        for observer in &*self.storage.observers.read() {
            observer(published.clone());
        }
    }
}

impl Streams for Routed {
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        match self.adapter(&address.stream, &address.group) {
            None => self.kept.get(after, address),
            Some(adapter) => adapter.read(|adapter| async move { adapter.get(&address.id).await }),
        }
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Stored> {
        match self.adapter(&address.stream, &address.group) {
            None => self.kept.set(address, item, created),
            Some(adapter) => adapter.write(|adapter| async move { adapter.set(&address.id, &item).await }),
        }
    }

    fn update(&self, address: ItemAddress, revise: Revise) -> Write<Result<Option<Bytes>, UpdateError>> {
        match self.adapter(&address.stream, &address.group) {
            None => self.kept.update(address, revise),
            Some(adapter) => adapter.write(|adapter| async move { adapter.update(&address.id, &revise).await }),
        }
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        match self.adapter(&address.stream, &address.group) {
            None => self.kept.delete(address),
            Some(adapter) => adapter.write(|adapter| async move { adapter.delete(&address.id).await }),
        }
    }

    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        match self.adapter(&stream, &group) {
            None => self.kept.group(after, stream, group),
            Some(adapter) => adapter.read(|adapter| async move { adapter.items().await }),
        }
    }

    fn query(&self, after: Mark, stream: StreamName, group: GroupId, query: Query) -> Pending<Vec<Bytes>> {
        match self.adapter(&stream, &group) {
            None => self.kept.query(after, stream, group, query),
            Some(adapter) => adapter.read(|adapter| async move { adapter.query(&query).await }),
        }
    }

    fn clear(&self, stream: StreamName, group: GroupId) -> Write<usize> {
        match self.adapter(&stream, &group) {
            None => self.kept.clear(stream, group),
            Some(adapter) => adapter.write(|adapter| async move { adapter.clear().await }),
        }
    }

    fn all(&self, stream: StreamName, id: Option<ItemKey>, most: usize) -> Pending<Vec<Bytes>> {
        match self.adapter(&stream, &"".into()) {
            None => self.kept.all(stream, id, most),
            // Adapters know groups alone.
            Some(adapter) => {
                let error = adapter.failed(&"it lists groups only");
                async { Err(error) }.boxed()
            }
        }
    }

    fn send(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>, message: Bytes) -> Write<()> {
        match self.adapter(&stream, &group) {
            None => self.kept.send(stream, group, id, message),
            Some(adapter) => adapter.write(|adapter| async move {
                adapter.publish(id, What::Sent(message));
                Ok(())
            }),
        }
    }

    fn snapshot(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>) -> Pending<Snapshot> {
        match self.adapter(&stream, &group) {
            None => self.kept.snapshot(stream, group, id),
            Some(adapter) => adapter.snapshot(id),
        }
    }

    fn is_remote(&self, stream: &StreamName) -> bool {
        self.custom.read().contains_key(stream)
    }

    fn epoch(&self) -> Epoch {
        self.kept.epoch()
    }

    fn since(&self, stream: StreamName, group: GroupId, position: Position) -> Pending<Option<Vec<Published>>> {
        match self.adapter(&stream, &group) {
            None => self.kept.since(stream, group, position),
            Some(_) => async { Ok(None) }.boxed(),
        }
    }

    fn stamped_until(&self) -> Timestamp {
        self.kept.stamped_until()
    }

    fn stamp_until(&self, at: Timestamp) -> Write<()> {
        self.kept.stamp_until(at)
    }

    fn observe(&self, observer: Observer) {
        self.storage.observers.write().push(Arc::clone(&observer));
        self.kept.observe(observer);
    }
}

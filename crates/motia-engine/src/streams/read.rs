//! What is in a stream, for those who only look. As JSON.

use bytes::Bytes;
use motia_core::{GroupId, ItemKey, StreamName};
use motia_ports::streams::ItemAddress;
use motia_ports::{Error, Mark};

use crate::engine::Engine;
use crate::operations::list;

impl Engine {
    /// An item, if it is there.
    pub async fn item_of_stream(
        &self,
        stream: StreamName,
        group: GroupId,
        id: ItemKey,
    ) -> Result<Option<Bytes>, Error> {
        self.shared.backends.streams.get(Mark::NONE, ItemAddress { stream, group, id }).await
    }

    /// A list of the items of a group.
    pub async fn group_of_stream(&self, stream: StreamName, group: GroupId) -> Result<Bytes, Error> {
        self.shared.backends.streams.group(Mark::NONE, stream, group).await.map(list)
    }

    /// A list of items of all groups, at most so many; with `id` those that have it.
    pub async fn all_of_stream(&self, stream: StreamName, id: Option<ItemKey>, most: usize) -> Result<Bytes, Error> {
        self.shared.backends.streams.all(stream, id, most).await.map(list)
    }
}

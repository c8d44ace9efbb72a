//! One client that watches streams.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{Heard, Tally, Watcher, monotonic_micros};
use crate::frames::{Frames, Kind, is_sync, messages, times};

/// The key and its answer are those of RFC 6455: the bench needs no secrets.
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The longest answer to it.
const ANSWER: usize = 4096;
/// With a mask of zeros, as all that is said here.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// A client before it runs.
pub(super) struct Member {
    pub(super) target: SocketAddr,
    pub(super) watcher: Watcher,
    pub(super) heard: Arc<Heard>,
    /// Through which as many come at a time as may.
    pub(super) door: Arc<Semaphore>,
}

impl Member {
    /// Watches as long as the connection lasts.
    pub(super) async fn run(self) {
        let heard = Arc::clone(&self.heard);
        if let Err(error) = self.watch().await {
            heard.tally().why.get_or_insert_with(|| format!("{error:#}"));
            heard.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn watch(self) -> Result<()> {
        let turn = self.door.acquire().await?;
        let stream = TcpStream::connect(self.target).await.context("it could not connect")?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream, frames: Frames::default(), heard: &self.heard };
        connection.upgrade().await?;
        connection.stream.write_all(&self.watcher.says()).await?;
        let mut synced = 0;
        while synced < self.watcher.groups.len() {
            synced += connection.hear(true).await?;
        }
        drop(turn);
        if !self.watcher.reads {
            self.heard.awake.notified().await;
        }
        loop {
            connection.hear(false).await?;
        }
    }
}

impl Watcher {
    /// Its first and last words.
    fn says(&self) -> Vec<u8> {
        let hello = self.hello.then(|| json!({ "type": "hello", "data": { "protocol": 1 } }));
        let joins = self.groups.iter().map(|group| {
            json!({ "type": "join", "data": { "streamName": "ticks", "groupId": group, "subscriptionId": "bench" } })
        });
        hello.into_iter().chain(joins).flat_map(|message| masked(message.to_string().as_bytes())).collect()
    }
}

/// A text in a frame, with a mask of zeros.
fn masked(text: &[u8]) -> Vec<u8> {
    let head = match u8::try_from(text.len()) {
        Ok(length @ 0..=125) => vec![0x81, 0x80 | length],
        _ => [&[0x81, 0x80 | 126][..], &u16::try_from(text.len()).unwrap_or_default().to_be_bytes()].concat(),
    };
    [&head, &[0; 4][..], text].concat()
}

struct Connection<'a> {
    stream: TcpStream,
    frames: Frames,
    heard: &'a Heard,
}

impl Connection<'_> {
    async fn upgrade(&mut self) -> Result<()> {
        self.stream.write_all(UPGRADE).await?;
        let mut answer = Vec::with_capacity(512);
        loop {
            ensure!(self.stream.read_buf(&mut answer).await? > 0, "the server closed it before it was a WebSocket");
            if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&answer[..end]);
                let agreed = head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT);
                ensure!(agreed, "it was not made a WebSocket: {head}");
                // A server has nothing to say before it is asked.
                ensure!(answer.len() == end + 4, "more than an answer");
                return Ok(());
            }
            ensure!(answer.len() < ANSWER, "an answer without an end");
        }
    }

    /// Reads once. With `joining`: how many groups were told as they are.
    async fn hear(&mut self, joining: bool) -> Result<usize> {
        let Self { stream, frames, heard } = self;
        let read = poll_fn(|context| {
            let Tally { buffer, latencies, .. } = &mut *heard.tally();
            let mut room = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut room))?;
            let bytes = room.filled();
            let timing = heard.timing.load(Ordering::Relaxed).then(monotonic_micros);
            let mut read = Read { end: bytes.is_empty().then(|| "the server hung up".to_owned()), ..Read::default() };
            let understood = frames.feed(bytes, |kind, payload| match kind {
                Kind::Text => {
                    read.messages += messages(payload);
                    read.syncs += usize::from(joining && is_sync(payload));
                    if let Some(now) = timing {
                        times(payload, |at| latencies.record(Duration::from_micros(now.saturating_sub(at))));
                    }
                }
                Kind::Ping => read.pings = true,
                Kind::Close => read.end = Some(closed(payload)),
                Kind::Other => {}
            });
            heard.messages.fetch_add(read.messages, Ordering::Relaxed);
            heard.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            heard.reads.fetch_add(1, Ordering::Relaxed);
            heard.syncs.fetch_add(read.syncs as u64, Ordering::Relaxed);
            Poll::Ready(understood.map(|()| read).map_err(anyhow::Error::from))
        })
        .await?;
        if let Some(why) = read.end {
            bail!(why);
        }
        if read.pings {
            self.stream.write_all(&PONG).await?;
        }
        Ok(read.syncs)
    }
}

/// What one read brought.
#[derive(Default)]
struct Read {
    messages: u64,
    syncs: usize,
    pings: bool,
    /// Why there is nothing more to come.
    end: Option<String>,
}

fn closed(payload: &[u8]) -> String {
    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
    format!("the server closed it: {code} {}", String::from_utf8_lossy(payload.get(2..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_framed_as_clients_must() {
        assert_eq!(masked(b"ab"), [0x81, 0x82, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(masked(&[b'x'; 300])[..8], [0x81, 0xfe, 1, 44, 0, 0, 0, 0]);
        let watcher = Watcher { groups: vec!["a".into(), "b".into()], hello: true, reads: true };
        let said = String::from_utf8_lossy(&watcher.says()).into_owned();
        assert_eq!((said.matches("\"hello\"").count(), said.matches("\"join\"").count()), (1, 2));
        assert!(said.find("hello") < said.find("join"));
    }

    #[test]
    fn why_a_server_closes_is_told() {
        assert_eq!(closed(&[0x0f, 0xa8, b's', b'o']), "the server closed it: 4008 so");
        assert_eq!(closed(&[]), "the server closed it: 1005 ");
    }
}

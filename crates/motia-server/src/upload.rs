//! A request's body as it comes from the client: no longer and no slower than is allowed.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{BoxFuture, FutureExt};
use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap};
use http_body_util::BodyExt;
use hyper::body::Body;
use motia_core::Clock;
use motia_engine::{BodySource, Refusal};

use crate::app::ClientBody;
use crate::request::{BadRequest, Received};

/// How long a client may pause inside a body.
const PAUSE: Duration = Duration::from_secs(30);
/// How long a client may take for nothing, and how many bytes each further second must bring.
const GRACE: Duration = Duration::from_secs(10);
const BYTES_PER_SECOND: u64 = 1024;
/// How much of a body that nobody wants is read and thrown away, so that the client sees the answer.
const DRAIN_BYTES: u64 = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// A request's body as it comes.
pub(crate) struct Upload {
    body: ClientBody,
    clock: Arc<dyn Clock>,
    limit: u64,
    received: u64,
    /// How long the client kept us waiting.
    waited: Duration,
    /// Why the rest is not read.
    failed: Option<BadRequest>,
    /// The client waits for a sign before it sends anything.
    asks: bool,
}

impl Upload {
    pub(crate) fn new(headers: &HeaderMap, body: ClientBody, limit: u64, clock: Arc<dyn Clock>) -> Self {
        let asks = headers.contains_key(EXPECT);
        Self { body, clock, limit, received: 0, waited: Duration::ZERO, failed: None, asks }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The length of all of it, if the client has said that.
    pub(crate) fn length(&self) -> Option<usize> {
        let length = self.received.checked_add(self.body.size_hint().exact()?)?;
        usize::try_from(length).ok()
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Result<Bytes, BadRequest>> {
        loop {
            let earned = Duration::from_secs(self.received / BYTES_PER_SECOND);
            let patience = (GRACE + earned).saturating_sub(self.waited).min(PAUSE);
            let began = self.clock.elapsed();
            let frame = tokio::time::timeout(patience, self.body.frame()).await;
            self.waited += self.clock.elapsed().saturating_sub(began);
            let frame = match frame {
                Err(_) => return Some(Err(self.fail(self.slow()))),
                Ok(None) => return None,
                Ok(Some(Err(error))) => return Some(Err(self.fail(BadRequest::CutOff(error.to_string())))),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            self.received += data.len() as u64;
            if self.received > self.limit {
                return Some(Err(self.fail(BadRequest::TooLarge { limit: self.limit })));
            }
            return Some(Ok(data));
        }
    }

    fn slow(&self) -> BadRequest {
        BadRequest::Slow { received: self.received, seconds: self.waited.as_secs() }
    }

    fn fail(&mut self, bad: BadRequest) -> BadRequest {
        self.failed = Some(bad.clone());
        bad
    }

    /// All of the body, or its beginning once that is longer than `most`.
    pub(crate) async fn collect(&mut self, headers: &HeaderMap, most: usize) -> Result<Received, BadRequest> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.limit) {
            return Err(self.fail(BadRequest::TooLarge { limit: self.limit }));
        }
        let mut first = Bytes::new();
        let mut all: Option<BytesMut> = None;
        while let Some(data) = self.next().await {
            let data = data?;
            // The usual body comes in one piece and is not copied.
            let length = match &mut all {
                Some(all) => {
                    all.extend_from_slice(&data);
                    all.len()
                }
                None if first.is_empty() => {
                    first = data;
                    first.len()
                }
                None => {
                    let hint = self.body.size_hint().lower().min(self.limit);
                    let hint = usize::try_from(hint).unwrap_or(usize::MAX).min(most);
                    let mut joined = BytesMut::with_capacity(first.len() + data.len() + hint);
                    joined.extend_from_slice(&first);
                    joined.extend_from_slice(&data);
                    all.insert(joined).len()
                }
            };
            let left = self.body.size_hint().lower();
            if length.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)) > most {
                return Ok(Received::Beginning(all.map_or(first, BytesMut::freeze)));
            }
        }
        Ok(Received::Whole(all.map_or(first, BytesMut::freeze)))
    }

    /// A client that is still sending would not see an answer on a connection that is closed under it.
    pub(crate) async fn drain(&mut self) {
        let gone = matches!(self.failed, Some(BadRequest::CutOff(_) | BadRequest::Slow { .. }));
        // Whoever asks first has sent nothing yet.
        if gone || self.body.is_end_stream() || (self.asks && self.received == 0) {
            return;
        }
        let reading = async {
            let mut left = DRAIN_BYTES;
            while let Some(Ok(frame)) = self.body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
                if left == 0 {
                    return;
                }
            }
        };
        // Whatever came of it: the answer is sent now.
        let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
    }
}

impl BodySource for Upload {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, Refusal>>> {
        async {
            let refuse = |bad: BadRequest| Refusal::Body { status: bad.status(), reason: bad.to_string() };
            Upload::next(self).await.map(|bytes| bytes.map_err(refuse))
        }
        .boxed()
    }
}

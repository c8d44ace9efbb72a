//! `GET /api/streams/:stream[/:group[/:id]]`: what is in a stream, or, for those who accept `text/event-stream`, what changes in it
//! (design.md section 6). Where a step or a route of the project's own application has the path, it is theirs.

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Response};
use motia_core::record::Level;
use motia_core::{GroupId, ItemKey, StreamName};
use motia_engine::Engine;
use motia_engine::streams::{Denied, Hub, Join, Outbox, Subscription, Visits, WatcherId};
use motia_ports::streams::{Offset, Position};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{BEHIND, Refusal, admitted};
use crate::edge::Mode;
use crate::response::{ACCEL_BUFFERING, EdgeBody, error, is_event_stream, unavailable};

const PREFIX: &str = "/api/streams/";
/// How many items a list without a group holds.
const LISTED: usize = 10_000;
/// How often a quiet connection is written to: what lies between would end it.
const COMMENT: Duration = Duration::from_secs(25);

/// What of a stream is asked for.
struct Asked {
    stream: StreamName,
    group: Option<GroupId>,
    id: Option<ItemKey>,
}

impl Asked {
    /// None if the path is not of this kind.
    fn parse(path: &str) -> Option<Self> {
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        let path = path.strip_prefix(PREFIX)?.trim_end_matches('/');
        let mut segments = path.split('/').map(decode);
        let stream = segments.next()??;
        let group = segments.next().map(|group| group.map(GroupId::from));
        let id = segments.next().map(|id| id.map(ItemKey::from));
        let asked = Self { stream: stream.into(), group: all(group)?, id: all(id)? };
        (segments.next().is_none() && !asked.stream.as_str().is_empty()).then_some(asked)
    }
}

/// What is there must be sound.
fn all<T>(segment: Option<Option<T>>) -> Option<Option<T>> {
    match segment {
        Some(None) => None,
        segment => Some(segment.flatten()),
    }
}

/// Answers, if the path is of a stream that is there.
pub(crate) async fn answer<B>(
    engine: &Engine,
    mode: Mode,
    request: &Request<B>,
    stopping: &CancellationToken,
) -> Option<Response<EdgeBody>> {
    let asked = Asked::parse(request.uri().path())?;
    engine.project().stream(&asked.stream)?;
    Some(match read(engine, mode, request, asked, stopping).await {
        Ok(answer) => answer,
        Err(refusal) => *refusal,
    })
}

async fn read<B>(
    engine: &Engine,
    mode: Mode,
    request: &Request<B>,
    asked: Asked,
    stopping: &CancellationToken,
) -> Result<Response<EdgeBody>, Refusal> {
    let visitor = admitted(engine, mode, request).await?;
    let Asked { stream, group, id } = asked;
    let listed = mode == Mode::Dev || engine.settings().streams.list;
    let (guarded, custom) =
        engine.project().stream(&stream).map_or((false, false), |stream| (stream.guarded, stream.custom));
    let Some(group) = group else {
        return match (guarded, listed) {
            _ if custom => {
                Ok(error(403, "this stream's items are kept by an adapter, which lists groups only: name one"))
            }
            (true, _) => Ok(error(403, "this stream has canAccess, so what is read of it must name a group")),
            (_, false) => {
                Ok(error(403, "streams are not listed here: name a group, or set streams.list in motia.config"))
            }
            (false, true) => {
                may(engine, &visitor, &Subscription::whole(&stream, "".into())).await?;
                Ok(json(engine, engine.all_of_stream(stream, None, LISTED).await))
            }
        };
    };
    let subscription = Subscription { id: id.clone(), ..Subscription::whole(&stream, group.clone()) };
    may(engine, &visitor, &subscription).await?;
    let accepts = request.headers().get(ACCEPT);
    // Nobody watches with HEAD.
    if request.method() != Method::HEAD
        && accepts.is_some_and(|accepts| accepts.as_bytes().split(|byte| *byte == b',').any(is_events))
    {
        let visits = Visits::new(engine.clone(), visitor);
        return events(engine, subscription, request.headers(), visits, stopping.clone()).await;
    }
    Ok(match id {
        Some(id) => match engine.item_of_stream(stream, group, id).await {
            Ok(None) => error(404, "there is no such item"),
            Ok(Some(item)) => json(engine, Ok(item)),
            Err(problem) => json(engine, Err(problem)),
        },
        None => {
            let items = engine.group_of_stream(stream.clone(), group.clone()).await;
            // What looks like a group may be an item's id, where the path does not say of which group.
            if listed && !guarded && items.as_ref().is_ok_and(|items| &**items == b"[]") {
                let found = engine.all_of_stream(stream, Some(group.as_str().into()), 1).await;
                if let Some(item) = found.as_ref().ok().and_then(|found| found.strip_prefix(b"[")?.strip_suffix(b"]"))
                    && !item.is_empty()
                {
                    return Ok(json(engine, Ok(Bytes::copy_from_slice(item))));
                }
            }
            json(engine, items)
        }
    })
}

async fn may(
    engine: &Engine,
    visitor: &motia_engine::streams::Visitor,
    subscription: &Subscription,
) -> Result<(), Refusal> {
    engine.may_watch(visitor, subscription).await.map_err(|denied| {
        Box::new(match denied {
            Denied::UnknownStream => error(404, "there is no such stream"),
            Denied::NotAllowed => error(403, &denied.to_string()),
            Denied::Unavailable(reason) => unavailable(&reason),
        })
    })
}

fn json(engine: &Engine, read: Result<Bytes, motia_ports::Error>) -> Response<EdgeBody> {
    let body = match read {
        Ok(body) => body,
        Err(problem) => {
            // What went wrong is not for those who ask.
            engine.telemetry().log(Level::Error, format!("a stream could not be read: {problem}"));
            return error(500, "the stream cannot be read now");
        }
    };
    let mut answer = Response::new(EdgeBody::Whole(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

fn is_events(accepted: &[u8]) -> bool {
    HeaderValue::from_bytes(accepted.trim_ascii()).is_ok_and(|accepted| is_event_stream(&accepted))
}

/// What happens, as Server-Sent Events: messages like those of a WebSocket, each with an id by which a client comes back.
async fn events(
    engine: &Engine,
    subscription: Subscription,
    headers: &HeaderMap,
    mut visits: Visits,
    stopping: CancellationToken,
) -> Result<Response<EdgeBody>, Refusal> {
    let (outbox, inbox) = Outbox::new(BEHIND);
    // Offsets are for those who said hello; an event's id is one.
    outbox.greet();
    let hub = engine.hub().clone();
    let watcher = hub.watcher();
    visits.begin(&subscription);
    let gone = Gone { hub: hub.clone(), watcher, visits, subscription: subscription.clone() };
    let from = last_heard(headers);
    if !hub.join(Join { watcher, outbox: outbox.clone(), subscription, from, presence: None }).await {
        return Err(Box::new(unavailable("the stream cannot be read now")));
    }
    let epoch = hub.epoch().clone();
    let state = (inbox, outbox, gone);
    let told = futures_util::stream::unfold(state, |(mut inbox, outbox, gone)| async move {
        let next = tokio::select! {
            message = inbox.recv() => Some(message?),
            () = outbox.overflowed() => return None,
            () = tokio::time::sleep(COMMENT) => None,
        };
        if let Some(message) = &next {
            outbox.taken(message);
        }
        Some((next, (inbox, outbox, gone)))
    });
    let told = told.map(move |message| match message {
        None => Bytes::from_static(b":\n\n"),
        Some(message) => {
            let text = message.text();
            let offset = serde_json::from_slice::<Numbered>(text).ok().and_then(|numbered| numbered.offset);
            let id = offset.map(|offset| format!("id: {}:{offset}\n", epoch.as_str())).unwrap_or_default();
            let mut event = [id.as_bytes(), b"data: ", text, b"\n\n"].concat();
            // Between its members JSON may have line breaks, which mean nothing there.
            let end = event.len() - 2;
            event[id.len()..end].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
            event.into()
        }
    });
    let mut answer = Response::new(EdgeBody::Told(told.take_until(stopping.cancelled_owned()).boxed()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(answer)
}

/// The position that an event's id was.
fn last_heard(headers: &HeaderMap) -> Option<Position> {
    let (epoch, offset) = headers.get("last-event-id")?.to_str().ok()?.rsplit_once(':')?;
    Some(Position { epoch: epoch.into(), offset: Offset(offset.parse().ok()?) })
}

/// Once nobody reads any more, nothing is kept for it.
struct Gone {
    hub: Hub,
    watcher: WatcherId,
    visits: Visits,
    subscription: Subscription,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.hub.gone(self.watcher);
        self.visits.end(&self.subscription);
    }
}

#[derive(Deserialize)]
struct Numbered {
    offset: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_stream_a_group_and_an_item() {
        let asked = |path: &str| {
            let asked = Asked::parse(path)?;
            let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
            Some([
                asked.stream.as_str().to_owned(),
                text(asked.group.as_ref().map(GroupId::as_str)),
                text(asked.id.as_ref().map(ItemKey::as_str)),
            ])
        };
        assert_eq!(asked("/api/streams/a"), Some(["a", "-", "-"].map(str::to_owned)));
        assert_eq!(asked("/api/streams/a/"), Some(["a", "-", "-"].map(str::to_owned)));
        assert_eq!(asked("/api/streams/a/b%2Fc"), Some(["a", "b/c", "-"].map(str::to_owned)));
        assert_eq!(asked("/api/streams/a/b/%C3%A4"), Some(["a", "b", "ä"].map(str::to_owned)));
        for other in ["/api/streams", "/api/streams/", "/api/stream/a", "/api/streams/a/b/c/d", "/api/streams/a/%ff"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }
}

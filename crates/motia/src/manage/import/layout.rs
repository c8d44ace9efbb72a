//! How Motia 0.17 kept things in Redis (behaviour-0.17.md C, E, F1, L), and what becomes of them here.
//!
//! | key | holds |
//! |---|---|
//! | `motia:state:<group>:<key>` | a value, as JSON |
//! | `motia:stream:<stream>:group:<group>` | a hash of items by id |
//! | `motia:events:<topic>.<step>:…`, in production `motia-prod:…` | a BullMQ queue |
//! | the same with `.dlq` behind the step | its dead letters |

use std::collections::HashMap;

use bytes::Bytes;
use motia_core::{GroupId, Timestamp};
use motia_ports::queue::Failure;
use motia_store::{Left, LeftEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) const STATE: &str = "motia:state:";
pub(super) const STREAM: &str = "motia:stream:";
pub(super) const QUEUES: [&str; 2] = ["motia:events:", "motia-prod:"];
/// Behind the step's name, in queues of dead letters.
const DEAD: &str = ".dlq";
/// BullMQ orders what is delayed by its time and a number in the lower bits.
const SCORE_BITS: f64 = 4096.0;

/// Where a job stood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// It waited, or ran when the engine ended.
    Waiting,
    /// It is due later; by its score.
    Delayed(f64),
}

/// The data of a job: an event for a step.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    topic: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    trace_id: Option<String>,
    message_group_id: Option<String>,
}

/// The data of a job in a queue of dead letters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetter<'a> {
    #[serde(borrow)]
    original_event: Event<'a>,
    failure_reason: Option<String>,
    failure_timestamp: Option<f64>,
}

/// A value of state. `Err`: why not.
pub(super) fn value(key: &str, value: String) -> Result<Left, String> {
    let joined = key.strip_prefix(STATE).unwrap_or(key).to_owned();
    json(&value).map_err(|()| format!("{key}: it holds no JSON"))?;
    Ok(Left::State { joined, value })
}

/// The stream and the group of a hash.
pub(super) fn stream_and_group(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(STREAM)?.split_once(":group:")
}

/// An item of a stream.
pub(super) fn item(key: &str, id: String, item: String) -> Result<Left, String> {
    let (stream, group) = stream_and_group(key).ok_or_else(|| format!("{key}: it names no group"))?;
    if !item.trim_start().starts_with('{') || json(&item).is_err() {
        return Err(format!("{key}, item {id}: it is no JSON object"));
    }
    Ok(Left::Item { stream: stream.to_owned(), group: group.to_owned(), id, item })
}

/// A job of a queue. `queue` is its key without what belongs to BullMQ, such as `motia:events:order.placed.Charge`.
pub(super) fn job(
    queue: &str,
    id: &str,
    fields: &HashMap<String, String>,
    place: Place,
    now: Timestamp,
) -> Result<Left, String> {
    let name = format!("{queue}:{id}");
    let wrong = |what: &str| format!("{name}: {what}");
    let data = fields.get("data").ok_or_else(|| wrong("the job has no data"))?;
    let of_queue = QUEUES.iter().find_map(|prefix| queue.strip_prefix(prefix)).unwrap_or(queue);
    let no_event = |error: serde_json::Error| wrong(&format!("it is no event of Motia: {error}"));
    let (event, of_queue, dead) = match of_queue.strip_suffix(DEAD) {
        None => (serde_json::from_str::<Event<'_>>(data).map_err(no_event)?, of_queue, None),
        Some(of_queue) => {
            let letter: DeadLetter<'_> = serde_json::from_str(data).map_err(no_event)?;
            let error = letter.failure_reason.unwrap_or_else(|| "it is not known why it failed".into());
            let at = letter.failure_timestamp.map_or(now, millis);
            (letter.original_event, of_queue, Some(Failure { error, at }))
        }
    };
    // Topics and steps may have dots of their own.
    let step = of_queue
        .strip_prefix(&event.topic)
        .and_then(|rest| rest.strip_prefix('.'))
        .ok_or_else(|| wrong(&format!("the queue is not one of the topic '{}'", event.topic)))?;
    let emitted = fields.get("timestamp").and_then(|at| at.parse::<f64>().ok()).map_or(now, millis);
    Ok(Left::Event(LeftEvent {
        step: step.into(),
        topic: event.topic.as_str().into(),
        trace: event.trace_id.and_then(|id| id.parse().ok()),
        group: event.message_group_id.map(GroupId::from),
        data: event.data.map(|data| Bytes::copy_from_slice(data.get().as_bytes())).unwrap_or_default(),
        emitted,
        due: match place {
            Place::Waiting => now,
            Place::Delayed(score) => millis(score / SCORE_BITS),
        },
        dead,
        name,
    }))
}

fn json(text: &str) -> Result<(), ()> {
    serde_json::from_str::<&RawValue>(text).map(|_| ()).map_err(|_| ())
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds; what is beyond them is cut off")]
fn millis(at: f64) -> Timestamp {
    Timestamp(at as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(data: &str) -> HashMap<String, String> {
        [("data", data), ("timestamp", "1000"), ("name", "t")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn event(left: Result<Left, String>) -> LeftEvent {
        match left {
            Ok(Left::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn jobs_become_events_of_their_step() {
        let data = r#"{"topic":"order.placed","data":{"n":1.50},"traceId":"AUSDA-1060748","messageGroupId":"g:1"}"#;
        let job = job("motia:events:order.placed.Send mail.v2", "7", &fields(data), Place::Waiting, Timestamp(5000));
        let event = event(job);
        assert_eq!((event.step.as_str(), event.topic.as_str()), ("Send mail.v2", "order.placed"));
        assert_eq!(&event.data[..], br#"{"n":1.50}"#);
        assert_eq!((event.emitted, event.due), (Timestamp(1000), Timestamp(5000)));
        assert_eq!(event.group, Some(GroupId::from("g:1")));
        assert_eq!(event.trace.map(|trace| trace.to_string()).as_deref(), Some("AUSDA-1060748"));
        assert_eq!(event.name, "motia:events:order.placed.Send mail.v2:7");
    }

    #[test]
    fn delayed_jobs_keep_their_time_and_strange_traces_are_let_go() {
        let score = 1_795_371_060_963.0 * 4096.0 + 77.0;
        let data = r#"{"topic":"t","traceId":"mine"}"#;
        let event = event(job("motia-prod:t.S", "1", &fields(data), Place::Delayed(score), Timestamp(0)));
        assert_eq!(event.due, Timestamp(1_795_371_060_963));
        assert!(event.trace.is_none() && event.data.is_empty());
    }

    #[test]
    fn dead_letters_keep_their_reason() {
        let data = r#"{"originalEvent":{"topic":"t","data":null,"traceId":"x"},"failureReason":"fail 1","failureTimestamp":99}"#;
        let event = event(job("motia:events:t.S.dlq", "dlq-1", &fields(data), Place::Waiting, Timestamp(0)));
        assert_eq!(event.step.as_str(), "S");
        assert_eq!(event.dead, Some(Failure { error: "fail 1".into(), at: Timestamp(99) }));
    }

    #[test]
    fn what_is_not_ours_is_named() {
        let says =
            |queue: &str, data: &str| job(queue, "1", &fields(data), Place::Waiting, Timestamp(0)).expect_err("no");
        assert_eq!(
            says("motia:events:t.S", r#"{"topic":"other"}"#),
            "motia:events:t.S:1: the queue is not one of the topic 'other'"
        );
        assert!(says("motia:events:t.S", "[]").starts_with("motia:events:t.S:1: it is no event of Motia: "));
        assert_eq!(value("motia:state:a:b", "{".into()).expect_err("no"), "motia:state:a:b: it holds no JSON");
        assert_eq!(
            item("motia:stream:s:group:g", "1".into(), "null".into()).expect_err("no"),
            "motia:stream:s:group:g, item 1: it is no JSON object"
        );
        assert_eq!(stream_and_group("motia:stream:s:group:a:group:b"), Some(("s", "a:group:b")));
    }
}

//! Queues and what is in them.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use motia_core::StepName;
use motia_engine::Engine;
use motia_ports::queue::{DeliveryId, DeliveryInfo, DeliveryState, QueueDepth};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{Answer, Problem};

/// The most deliveries in one answer.
const MOST: usize = 1000;

pub(super) fn routes() -> Router<Engine> {
    Router::new()
        .route("/__motia/queues", get(depths))
        .route("/__motia/queues/{step}", get(list))
        .route("/__motia/queues/{step}/pause", post(pause))
        .route("/__motia/queues/{step}/resume", post(resume))
        .route("/__motia/queues/{step}/retry", post(retry_all))
        .route("/__motia/queues/{step}/discard", post(discard_all))
        .route("/__motia/queues/{step}/move", post(move_to))
        .route("/__motia/deliveries/retry", post(retry))
        .route("/__motia/deliveries/discard", post(discard))
        .route("/__motia/deliveries/{id}", get(show))
}

async fn depths(State(engine): State<Engine>) -> Answer {
    let queue = |depth: QueueDepth| {
        json!({
            "step": depth.step,
            "waiting": depth.waiting - depth.running,
            "running": depth.running,
            "dead": depth.dead,
            "paused": depth.paused,
            "orphan": depth.orphan,
        })
    };
    let depths = engine.queue().depths().await?;
    Ok(Json(json!({ "queues": depths.into_iter().map(queue).collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
struct Page {
    state: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

async fn list(State(engine): State<Engine>, Path(step): Path<String>, Query(page): Query<Page>) -> Answer {
    let state = state(page.state.as_deref().unwrap_or("dead"))?;
    let step = known(&engine, step).await?;
    let (after, most) = (page.after.map(DeliveryId), page.limit.unwrap_or(100).min(MOST));
    let deliveries = engine.queue().list(step, state, after, most).await?;
    Ok(Json(json!({ "deliveries": deliveries.iter().map(describe).collect::<Vec<_>>() })))
}

fn state(text: &str) -> Result<DeliveryState, Problem> {
    match text {
        "waiting" => Ok(DeliveryState::Waiting),
        "dead" => Ok(DeliveryState::Dead),
        "replayed" => Ok(DeliveryState::Replayed),
        other => Err(Problem::bad(format!("state should be 'waiting', 'dead' or 'replayed', but is '{other}'"))),
    }
}

/// Times are milliseconds since 1970.
fn describe(info: &DeliveryInfo) -> Value {
    json!({
        "id": info.id.0,
        "step": info.step,
        "state": match info.state {
            DeliveryState::Waiting if info.running => "running",
            DeliveryState::Waiting => "waiting",
            DeliveryState::Dead => "dead",
            DeliveryState::Replayed => "replayed",
        },
        "topic": info.topic,
        "traceId": info.trace,
        "messageGroupId": info.group,
        "priority": info.priority.number(),
        "emitted": info.emitted,
        "at": info.at,
        "failures": info.failures,
        "lastError": info.last_error,
        "replays": info.replays.map(|id| id.0),
        "bytes": info.bytes,
    })
}

async fn show(State(engine): State<Engine>, Path(id): Path<u64>) -> Answer {
    let details = engine.queue().show(DeliveryId(id)).await?;
    let details =
        details.ok_or_else(|| Problem::missing(format!("there is no delivery {id}: it was handled, or discarded")))?;
    let mut value = describe(&details.info);
    // What handlers get, as it is; what is empty stands for nothing.
    value["data"] = serde_json::from_slice(&details.data).unwrap_or(Value::Null);
    let attempts = details.attempts.iter().map(|attempt| json!({ "at": attempt.at, "error": attempt.error }));
    value["attempts"] = attempts.collect();
    Ok(Json(value))
}

async fn pause(State(engine): State<Engine>, Path(step): Path<String>) -> Answer {
    set_paused(&engine, step, true).await
}

async fn resume(State(engine): State<Engine>, Path(step): Path<String>) -> Answer {
    set_paused(&engine, step, false).await
}

/// A name that stands for something: a step of the project, or a queue that one has left behind.
async fn known(engine: &Engine, step: String) -> Result<StepName, Problem> {
    let step = StepName::from(step);
    let in_project = engine.project().steps().any(|known| known.name == step);
    if !in_project && !engine.queue().depths().await?.iter().any(|depth| depth.step == step) {
        return Err(Problem::missing(format!("there is no step '{step}' and no queue of that name")));
    }
    Ok(step)
}

async fn set_paused(engine: &Engine, step: String, paused: bool) -> Answer {
    let step = known(engine, step).await?;
    engine.queue().pause(step.clone(), paused).done.await?;
    Ok(Json(json!({ "step": step, "paused": paused })))
}

async fn retry_all(State(engine): State<Engine>, Path(step): Path<String>) -> Answer {
    let step = known(&engine, step).await?;
    Ok(Json(json!({ "retried": engine.replay_all(&step).await? })))
}

#[derive(Deserialize)]
struct Which {
    state: Option<String>,
}

async fn discard_all(State(engine): State<Engine>, Path(step): Path<String>, Query(which): Query<Which>) -> Answer {
    let state = state(which.state.as_deref().unwrap_or("dead"))?;
    let step = known(&engine, step).await?;
    Ok(Json(json!({ "discarded": engine.discard_all(&step, state).await? })))
}

#[derive(Deserialize)]
struct Move {
    to: String,
}

async fn move_to(State(engine): State<Engine>, Path(step): Path<String>, Json(to): Json<Move>) -> Answer {
    let step = known(&engine, step).await?;
    Ok(Json(json!({ "moved": engine.move_queue(&step, &to.to.into()).await? })))
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<u64>,
}

async fn retry(State(engine): State<Engine>, Json(ids): Json<Ids>) -> Answer {
    let at = engine.telemetry().clock().now();
    let ids: Vec<_> = ids.ids.into_iter().map(DeliveryId).collect();
    let replayed = engine.queue().replay(ids.clone(), at).done.await?;
    let pairs: Vec<_> = replayed.iter().map(|(dead, again)| json!({ "id": dead.0, "as": again.0 })).collect();
    let left = left(&engine, ids.into_iter().filter(|id| !replayed.iter().any(|(dead, _)| dead == id)), |info| {
        format!("delivery {} is no dead letter: it is {}", info.id.0, name_of(info))
    });
    answer(json!({ "retried": pairs.len(), "deliveries": pairs }), pairs.len(), left.await?)
}

async fn discard(State(engine): State<Engine>, Json(ids): Json<Ids>) -> Answer {
    let (mut discarded, mut asked) = (0, Vec::new());
    for id in ids.ids.into_iter().map(DeliveryId) {
        match engine.queue().discard(vec![id]).done.await? {
            0 => asked.push(id),
            removed => discarded += removed,
        }
    }
    let left = left(&engine, asked.into_iter(), |info| {
        format!("delivery {} runs: `motia queue pause` its step, and discard it once its run has ended", info.id.0)
    });
    answer(json!({ "discarded": discarded }), discarded, left.await?)
}

fn name_of(info: &DeliveryInfo) -> String {
    describe(info)["state"].as_str().unwrap_or_default().to_owned()
}

/// Why nothing was done to these.
async fn left(
    engine: &Engine,
    ids: impl Iterator<Item = DeliveryId>,
    why: impl Fn(&DeliveryInfo) -> String,
) -> Result<Vec<String>, Problem> {
    let mut left = Vec::new();
    for id in ids {
        left.push(match engine.queue().show(id).await? {
            Some(details) => why(&details.info),
            None => format!("there is no delivery {}: it was handled, or discarded", id.0),
        });
    }
    Ok(left)
}

/// What was done, and what was left; a problem if nothing was done.
fn answer(mut done: Value, count: usize, left: Vec<String>) -> Answer {
    if count == 0 && !left.is_empty() {
        return Err(Problem::missing(left.join("; ")));
    }
    if !left.is_empty() {
        done["left"] = json!(left);
    }
    Ok(Json(done))
}

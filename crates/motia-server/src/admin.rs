//! The API of our own: HTTP and JSON under `/__motia`, on the engine's socket always, on the port in `dev` (design.md section 9).

mod cron;
mod emit;
mod problem;
mod queues;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use motia_core::ids::Runtime;
use motia_core::step::{Emit, Step, Trigger};
use motia_engine::Engine;
use motia_worker::{WorkerHealth, WorkerState};
use serde_json::{Value, json};

pub(crate) use emit::ByHand;
use problem::Answer;

/// The routes.
pub(crate) fn router(engine: Engine) -> Router {
    Router::new()
        .route("/__motia/health", get(health))
        .route("/__motia/steps", get(steps))
        .route("/__motia/reload", post(reload))
        .merge(queues::routes())
        .merge(cron::routes())
        .route("/__motia/emit", post(emit))
        .fallback(async || (StatusCode::NOT_FOUND, Json(json!({ "error": "the admin API has no such route" }))))
        .with_state(engine)
}

async fn health(State(engine): State<Engine>) -> Json<Value> {
    let project = engine.project();
    let workers: serde_json::Map<_, _> =
        engine.runtimes().into_iter().map(|runtime| (runtime.to_string(), workers(&engine, runtime).into())).collect();
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "steps": project.steps().count(),
        "streams": project.streams().count(),
        "broken": project.broken,
        "workers": workers,
    }))
}

fn workers(engine: &Engine, runtime: Runtime) -> Vec<Value> {
    let state = |state| match state {
        WorkerState::Serving => "serving",
        WorkerState::Silent => "silent",
        WorkerState::Finishing => "finishing",
    };
    let describe = |worker: WorkerHealth| json!({ "pid": worker.pid, "state": state(worker.state), "calls": worker.calls, "memory": worker.memory });
    engine.pool(runtime).map(|pool| pool.health()).unwrap_or_default().into_iter().map(describe).collect()
}

/// Packages were installed, say: what failed for want of them may work now.
async fn reload(State(engine): State<Engine>) -> Json<Value> {
    engine.ask_for_reload();
    Json(json!({ "reloading": true }))
}

async fn steps(State(engine): State<Engine>) -> Json<Value> {
    let project = engine.project();
    let mut steps: Vec<_> = project.steps().collect();
    steps.sort_by(|a, b| a.source.cmp(&b.source));
    let steps: Vec<_> = steps.into_iter().map(|step| describe(step)).collect();
    let mut streams: Vec<_> =
        project.streams().map(|stream| json!({ "name": stream.name, "filePath": stream.source })).collect();
    streams.sort_by_key(|stream| stream["name"].to_string());
    Json(json!({ "steps": steps, "streams": streams }))
}

/// The same members as `emit()` of handlers.
async fn emit(State(engine): State<Engine>, body: Bytes) -> Answer {
    let ByHand { request, data } = ByHand::parse(&body)?;
    let (trace, emitted) = engine.emit(request, data).await?;
    let answer = json!({
        "id": emitted.event,
        "traceId": trace,
        "deliveries": emitted.deliveries,
        "repeated": emitted.repeated,
    });
    Ok(Json(answer))
}

fn describe(step: &Step) -> Value {
    let topics = |emits: &[Emit]| serde_json::to_value(emits).unwrap_or_default();
    let mut value = json!({
        "name": step.name,
        "type": step.kind().to_lowercase(),
        "filePath": step.source,
        "language": step.language,
        "description": step.description,
        "flows": step.flows,
        "emits": topics(step.emits.declared()),
        "virtualEmits": topics(&step.virtual_emits),
        "virtualSubscribes": step.virtual_subscribes,
    });
    let more = match &step.trigger {
        Trigger::Api(api) => json!({
            "method": api.method,
            "path": api.path,
            "bodySchema": api.body_schema,
            "responseSchema": api.response_schema,
            "queryParams": api.query_params,
        }),
        Trigger::Event(event) => json!({
            "subscribes": event.subscribes,
            "input": event.input,
            "infrastructure": {
                "handler": { "timeout": event.queue.timeout.map(|timeout| timeout.as_secs_f64()) },
                "queue": {
                    "type": event.queue.kind,
                    "maxRetries": event.queue.max_retries,
                    "visibilityTimeout": event.queue.visibility_timeout.as_secs_f64(),
                    "delaySeconds": event.queue.delay.as_secs_f64(),
                    "concurrency": event.queue.concurrency,
                    "groupConcurrency": event.queue.group_concurrency,
                    "backoff": {
                        "type": event.queue.backoff.kind,
                        "delay": event.queue.backoff.first.as_secs_f64(),
                        "max": event.queue.backoff.longest.as_secs_f64(),
                    },
                },
            },
        }),
        Trigger::Cron(trigger) => cron::rule(trigger),
        Trigger::Noop => json!({}),
    };
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more);
    }
    value
}

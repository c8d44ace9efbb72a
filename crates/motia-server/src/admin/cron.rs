//! Schedules and their ticks.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use motia_core::step::{CronTrigger, Trigger};
use motia_engine::Engine;
use motia_engine::cron::ScheduleInfo;
use motia_ports::cron::{TickInfo, TickOutcome};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Answer;

pub(super) fn routes() -> Router<Engine> {
    Router::new().route("/__motia/cron", get(list)).route("/__motia/cron/{step}/run", post(run))
}

#[derive(Deserialize)]
struct HowMuch {
    next: Option<usize>,
    history: Option<usize>,
}

/// Times are milliseconds since 1970.
async fn list(State(engine): State<Engine>, Query(how_much): Query<HowMuch>) -> Answer {
    let (next, history) = (how_much.next.unwrap_or(3).min(100), how_much.history.unwrap_or(10).min(1000));
    let schedules = engine.schedules(next, history).await?;
    Ok(Json(json!({ "schedules": schedules.iter().map(describe).collect::<Vec<_>>() })))
}

/// When a step runs, as its config says it.
pub(super) fn rule(trigger: &CronTrigger) -> Value {
    json!({
        "cron": trigger.cron,
        "timezone": trigger.timezone,
        "overlap": trigger.overlap,
        "catchUp": trigger.catch_up.as_secs_f64(),
    })
}

fn describe(schedule: &ScheduleInfo) -> Value {
    let mut value = match &schedule.step.trigger {
        Trigger::Cron(trigger) => rule(trigger),
        _ => json!({}),
    };
    value["step"] = json!(schedule.step.name);
    value["filePath"] = json!(schedule.step.source);
    value["next"] = json!(schedule.next);
    value["history"] = schedule.history.iter().map(tick).collect();
    value
}

fn tick(info: &TickInfo) -> Value {
    let (outcome, reason) = match &info.outcome {
        None => ("running", None),
        Some(TickOutcome::Succeeded) => ("succeeded", None),
        Some(TickOutcome::Failed(reason)) => ("failed", Some(reason)),
        Some(TickOutcome::Skipped(reason)) => ("skipped", Some(reason)),
        Some(TickOutcome::Interrupted(reason)) => ("interrupted", Some(reason)),
    };
    json!({
        "due": info.tick.due,
        "through": info.through.map(|(through, _)| through),
        "count": info.through.map_or(1, |(_, count)| count),
        "asked": info.tick.asked,
        "outcome": outcome,
        "reason": reason,
        "began": info.began,
        "ended": info.ended,
    })
}

async fn run(State(engine): State<Engine>, Path(step): Path<String>) -> Answer {
    Ok(Json(json!({ "began": engine.run_schedule_now(&step.into()).await? })))
}

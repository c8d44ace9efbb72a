//! `motia emit`.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use super::Which;
use super::client::Client;
use super::table::text;

/// Emit an event to the steps of the project that runs in this folder.
#[derive(Debug, Args)]
pub(crate) struct Emit {
    #[command(flatten)]
    which: Which,
    /// The event's topic
    #[arg(required_unless_present = "named")]
    topic: Option<String>,
    /// The same, as the original had it
    #[arg(long = "topic", value_name = "TOPIC", conflicts_with = "topic")]
    named: Option<String>,
    /// The event's data, as JSON
    #[arg(short, long, value_name = "JSON")]
    message: Option<String>,
    /// The ordering key of fifo queues
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Deliver it after this time: seconds, or a text such as 15m
    #[arg(long, conflicts_with = "at")]
    delay: Option<String>,
    /// Deliver it at this time, such as 2026-11-25T09:00:00Z
    #[arg(long)]
    at: Option<String>,
    /// -100 to 100; the higher come first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Emit it only once under this idempotency key
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
    /// Not needed: the engine of this folder is asked
    #[arg(short, long, hide = true)]
    port: Option<u16>,
}

/// Runs the command.
pub(crate) async fn run(options: Emit) -> Result<()> {
    let topic = options.topic.as_ref().or(options.named.as_ref());
    let mut event = json!({ "topic": topic });
    if let Some(message) = &options.message {
        event["data"] = serde_json::from_str(message).context("--message is not JSON, such as '{\"id\": 1}'")?;
    }
    // A plain number is one of seconds.
    let delay = options
        .delay
        .as_ref()
        .map(|delay| delay.parse::<f64>().map_or_else(|_| json!(delay), |seconds| json!(seconds)));
    for (member, value) in [
        ("messageGroupId", options.group.map(Value::from)),
        ("delay", delay),
        ("at", options.at.map(Value::from)),
        ("priority", options.priority.map(Value::from)),
        ("idempotencyKey", options.once.map(Value::from)),
    ] {
        if let Some(value) = value {
            event[member] = value;
        }
    }
    let answer = Client::find(&options.which)?.post("emit", &event).await?;
    if options.which.json {
        println!("{answer}");
    } else {
        println!("{}", told(&answer));
    }
    Ok(())
}

fn told(answer: &Value) -> String {
    let (id, trace) = (text(&answer["id"]), text(&answer["traceId"]));
    match answer["deliveries"].as_u64().unwrap_or(0) {
        _ if answer["repeated"] == true => format!("not emitted again: event {id} has the same idempotency key"),
        0 => "emitted, but no step subscribes to this topic".into(),
        1 => format!("emitted to 1 step: event {id}, trace {trace}"),
        count => format!("emitted to {count} steps: event {id}, trace {trace}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_it_is_told() {
        let answer = |deliveries: u64, repeated: bool| json!({ "id": "7-2", "traceId": "ABCDE-1234567", "deliveries": deliveries, "repeated": repeated });
        assert_eq!(told(&answer(2, false)), "emitted to 2 steps: event 7-2, trace ABCDE-1234567");
        assert_eq!(told(&answer(0, false)), "emitted, but no step subscribes to this topic");
        assert_eq!(told(&answer(0, true)), "not emitted again: event 7-2 has the same idempotency key");
    }
}

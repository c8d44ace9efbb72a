//! `motia queue`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Which;
use super::client::{Client, part};
use super::table::{first_line, table, text, time};

/// Look at the queues of event steps and at dead letters, and deliver those again.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the queues that hold something
    Ls,
    /// Show a step's dead letters, or one delivery with its data and the errors of its attempts
    Show {
        /// A step's name, or a delivery's number
        what: String,
        /// Deliveries in this state: dead, waiting or replayed
        #[arg(long, default_value = "dead")]
        state: String,
        /// No more than this many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Deliver dead letters again, each as a new delivery with the whole input
    Retry(Selection),
    /// Remove deliveries for good
    Discard {
        #[command(flatten)]
        selection: Selection,
        /// With --step, deliveries in this state: dead, waiting or replayed
        #[arg(long, default_value = "dead")]
        state: String,
    },
    /// Hand out nothing more of a step's queue until it is resumed
    Pause {
        /// The step's name
        step: String,
    },
    /// Let a paused queue go on
    Resume {
        /// The step's name
        step: String,
    },
    /// Hand what a renamed or removed step left behind over to another step
    Move {
        /// The name that the step had
        from: String,
        /// The step that takes it over
        to: String,
    },
}

#[derive(Debug, Args)]
struct Selection {
    /// Numbers of deliveries, as `motia queue show` lists them
    #[arg(required_unless_present_any = ["step", "all"])]
    ids: Vec<u64>,
    /// All of a step
    #[arg(long, conflicts_with = "ids")]
    step: Option<String>,
    /// All of all steps
    #[arg(long, conflicts_with_all = ["ids", "step"])]
    all: bool,
}

/// Runs the command.
pub(crate) async fn run(options: Queue) -> Result<()> {
    let client = Client::find(&options.which)?;
    let answer = ask(&client, &options.command).await?;
    if options.which.json {
        println!("{answer}");
    } else {
        print!("{}", show(&options.command, &answer));
    }
    Ok(())
}

async fn ask(client: &Client, command: &Command) -> Result<Value> {
    match command {
        Command::Ls => client.get("queues").await,
        Command::Show { what, state, limit } => match what.parse::<u64>() {
            Ok(id) => client.get(&format!("deliveries/{id}")).await,
            Err(_) if what.is_empty() => bail!("name a step or a delivery: `motia queue ls` lists the steps"),
            Err(_) => client.get(&format!("queues/{}?state={}&limit={limit}", part(what), part(state))).await,
        },
        Command::Retry(selection) => change(client, selection, "retry", "retried", "").await,
        Command::Discard { selection, state } => {
            if state != "dead" && !selection.ids.is_empty() {
                bail!(
                    "--state goes with --step or --all; a delivery that is named by its number is removed whatever its state"
                );
            }
            change(client, selection, "discard", "discarded", &format!("?state={}", part(state))).await
        }
        Command::Pause { step } => client.post(&format!("queues/{}/pause", part(step)), &json!({})).await,
        Command::Resume { step } => client.post(&format!("queues/{}/resume", part(step)), &json!({})).await,
        Command::Move { from, to } => client.post(&format!("queues/{}/move", part(from)), &json!({ "to": to })).await,
    }
}

async fn change(client: &Client, selection: &Selection, verb: &str, count: &str, query: &str) -> Result<Value> {
    let of_step =
        |step: String| async move { client.post(&format!("queues/{}/{verb}{query}", part(&step)), &json!({})).await };
    if let Some(step) = &selection.step {
        return of_step(step.clone()).await;
    }
    if !selection.all {
        return client.post(&format!("deliveries/{verb}"), &json!({ "ids": selection.ids })).await;
    }
    let queues = client.get("queues").await?;
    let mut sum = 0;
    for queue in queues["queues"].as_array().into_iter().flatten() {
        sum += of_step(text(&queue["step"])).await?[count].as_u64().unwrap_or(0);
    }
    Ok(json!({ count: sum }))
}

fn show(command: &Command, answer: &Value) -> String {
    let count = |member: &str, one: &str, many: &str| {
        let done = match answer[member].as_u64().unwrap_or(0) {
            1 => format!("1 {one}\n"),
            count => format!("{count} {many}\n"),
        };
        let left = answer["left"].as_array().into_iter().flatten().map(|left| format!("{}\n", text(left)));
        std::iter::once(done).chain(left).collect::<String>()
    };
    match command {
        Command::Ls => queues(answer),
        Command::Show { .. } if answer["deliveries"].is_array() => deliveries(answer),
        Command::Show { .. } => delivery(answer),
        Command::Retry(_) => count("retried", "delivery goes out again", "deliveries go out again"),
        Command::Discard { .. } => count("discarded", "delivery is gone", "deliveries are gone"),
        Command::Pause { .. } => format!("{} is paused; `motia queue resume` lets it go on\n", text(&answer["step"])),
        Command::Resume { .. } => format!("{} goes on\n", text(&answer["step"])),
        Command::Move { to, .. } => {
            let moved = count("moved", "delivery is handed over", "deliveries are handed over");
            format!("{} to {to}\n", moved.trim_end())
        }
    }
}

fn queues(answer: &Value) -> String {
    let rows: Vec<_> = answer["queues"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|queue| {
            let note = match (queue["orphan"] == true, queue["paused"] == true) {
                (true, _) => "no step of the project has this name; `motia queue move` hands it over",
                (false, true) => "paused",
                (false, false) => "",
            };
            let count = |state: &str| text(&queue[state]);
            vec![text(&queue["step"]), count("waiting"), count("running"), count("dead"), note.to_owned()]
        })
        .collect();
    if rows.is_empty() {
        "nothing waits or runs, and there are no dead letters\n".into()
    } else {
        table(&["STEP", "WAITING", "RUNNING", "DEAD", ""], &rows)
    }
}

fn deliveries(answer: &Value) -> String {
    let rows: Vec<_> = answer["deliveries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|delivery| {
            vec![
                text(&delivery["id"]),
                text(&delivery["topic"]),
                time(&delivery["emitted"]),
                text(&delivery["failures"]),
                text(&delivery["traceId"]),
                first_line(&text(&delivery["lastError"])),
            ]
        })
        .collect();
    if rows.is_empty() {
        "there are none\n".into()
    } else {
        table(&["ID", "TOPIC", "EMITTED", "FAILED", "TRACE", "LAST ERROR"], &rows)
    }
}

fn delivery(answer: &Value) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("{name:<9} {value}\n"));
        }
    };
    line("delivery", text(&answer["id"]));
    line("state", text(&answer["state"]));
    line("step", text(&answer["step"]));
    line("topic", text(&answer["topic"]));
    line("group", text(&answer["messageGroupId"]));
    line("trace", text(&answer["traceId"]));
    line("emitted", time(&answer["emitted"]));
    line("replays", text(&answer["replays"]));
    for (number, attempt) in answer["attempts"].as_array().into_iter().flatten().enumerate() {
        let error = text(&attempt["error"]).replace('\n', "\n          ");
        line("attempt", format!("{} failed {}\n          {error}", number + 1, time(&attempt["at"])));
    }
    let data = serde_json::to_string_pretty(&answer["data"]).unwrap_or_default();
    line("data", data.replace('\n', "\n          "));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_told_to_people() {
        let ls = json!({ "queues": [
            { "step": "Send", "waiting": 120, "running": 10, "dead": 2, "paused": false, "orphan": false },
            { "step": "Old name", "waiting": 1, "running": 0, "dead": 0, "paused": false, "orphan": true },
            { "step": "Slow", "waiting": 0, "running": 0, "dead": 0, "paused": true, "orphan": false },
        ] });
        insta::assert_snapshot!(show(&Command::Ls, &ls));
        assert_eq!(
            show(&Command::Ls, &json!({ "queues": [] })),
            "nothing waits or runs, and there are no dead letters\n"
        );
        let retry = Command::Retry(Selection { ids: vec![1], step: None, all: false });
        assert_eq!(show(&retry, &json!({ "retried": 1 })), "1 delivery goes out again\n");
    }

    #[test]
    fn a_delivery_is_told_with_its_attempts_and_data() {
        // No times: they are told in the machine's zone.
        let dead = json!({
            "id": 7, "state": "dead", "step": "Send", "topic": "mail", "messageGroupId": "u1", "traceId": "ABCDE-1234567",
            "replays": 3, "attempts": [{ "error": "Error: boom\n    at steps/send.step.ts:3:9" }, { "error": "Error: again" }],
            "data": { "to": "ada" },
        });
        insta::assert_snapshot!(delivery(&dead));
    }
}

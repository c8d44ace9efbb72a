//! `motia cron`.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Which;
use super::client::{Client, part};
use super::table::{first_line, table, text, time};

/// Look at schedules, and run one now.
#[derive(Debug, Args)]
pub(crate) struct Cron {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the schedules: when each runs next, and how its last ticks went
    Ls {
        /// How many of the next instants are shown
        #[arg(long, default_value_t = 1)]
        next: usize,
        /// How many of the last ticks are shown
        #[arg(long, default_value_t = 1)]
        history: usize,
    },
    /// Run a schedule now
    Run {
        /// The step's name
        step: String,
    },
}

/// Runs the command.
pub(crate) async fn run(options: Cron) -> Result<()> {
    let client = Client::find(&options.which)?;
    let answer = match &options.command {
        Command::Ls { next, history } => client.get(&format!("cron?next={next}&history={history}")).await?,
        Command::Run { step } => client.post(&format!("cron/{}/run", part(step)), &json!({})).await?,
    };
    if options.which.json {
        println!("{answer}");
        return Ok(());
    }
    match &options.command {
        Command::Ls { .. } => print!("{}", schedules(&answer)),
        Command::Run { step } => println!("{step} runs; `motia cron ls` tells how it went"),
    }
    Ok(())
}

fn schedules(answer: &Value) -> String {
    let mut rows = Vec::new();
    for schedule in answer["schedules"].as_array().into_iter().flatten() {
        let (next, history) = (list(&schedule["next"]), list(&schedule["history"]));
        for line in 0..next.len().max(history.len()).max(1) {
            let name = |member: &str| if line == 0 { text(&schedule[member]) } else { String::new() };
            rows.push(vec![
                name("step"),
                name("cron"),
                name("timezone"),
                next.get(line).map(time).unwrap_or_default(),
                history.get(line).map(tick).unwrap_or_default(),
            ]);
        }
    }
    if rows.is_empty() {
        "the project has no cron steps\n".into()
    } else {
        table(&["STEP", "CRON", "ZONE", "NEXT", "LAST"], &rows)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// `2026-11-25 09:00:00 failed: Error: boom`
fn tick(tick: &Value) -> String {
    let count = match tick["count"].as_u64().unwrap_or(1) {
        1 => String::new(),
        count => format!("{count} × "),
    };
    let asked = if tick["asked"] == true { " (asked for)" } else { "" };
    let reason = match text(&tick["reason"]) {
        reason if reason.is_empty() => reason,
        reason => format!(": {}", first_line(&reason)),
    };
    format!("{} {count}{}{asked}{reason}", time(&tick["due"]), text(&tick["outcome"])).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_told_to_people() {
        // No times: they are told in the machine's zone.
        let answer = json!({ "schedules": [
            { "step": "Nightly", "cron": "0 3 * * *", "timezone": "Europe/Berlin", "next": [], "history": [
                { "outcome": "failed", "reason": "Error: boom\n at x", "count": 1, "asked": true },
                { "outcome": "skipped", "reason": "no engine ran then", "count": 12, "asked": false },
            ] },
            { "step": "Often", "cron": "* * * * *", "timezone": null, "next": [], "history": [] },
        ] });
        insta::assert_snapshot!(schedules(&answer));
        assert_eq!(schedules(&json!({ "schedules": [] })), "the project has no cron steps\n");
    }
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::method::Method;

/// Measure Motia beside its peers. The report goes to standard output, in Markdown.
#[derive(Debug, Parser)]
#[command(name = "motia-bench")]
pub(crate) struct Cli {
    /// Only these parts, scenarios and candidates (see --list)
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Say which parts, scenarios and candidates there are, and end
    #[arg(long)]
    pub(crate) list: bool,
    /// Everything short and once: shows that it runs, its figures say nothing
    #[arg(long)]
    quick: bool,
    /// How many seconds a round of a comparison takes
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// How many seconds each candidate is asked before the rounds
    #[arg(long, default_value = "2", value_parser = seconds)]
    warm_up: Duration,
    /// How many rounds there are
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many connections ask at a time, in the part http
    #[arg(long, value_delimiter = ',', default_value = "1,64,512", value_parser = clap::value_parser!(u16).range(1..))]
    connections: Vec<u16>,
    /// How many times each candidate is started to see how soon it answers
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    starts: u16,
    /// How many seconds after the load the memory is looked at
    #[arg(long, default_value = "10", value_parser = seconds)]
    settle: Duration,
    /// How many times a step is saved to see how soon it is live
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..))]
    saves: u16,
    /// How many events a round of the queue has
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    events: u32,
    /// How many events wait, and how many keys are held, where many are compared with few
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    many: u32,
    /// Over how many calls memory is watched
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    calls: u32,
    /// The motia to measure [default: beside this program]
    #[arg(long, overrides_with = "motia")]
    pub(crate) motia: Option<PathBuf>,
    /// Also put the report into this file, between <!-- table --> and <!-- /table -->
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Keep the projects and logs of this run
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Cli {
    pub(crate) fn method(&self) -> Method {
        let method = Method {
            length: self.seconds,
            warm_up: self.warm_up,
            rounds: self.rounds.into(),
            settle: self.settle,
            starts: self.starts.into(),
            connections: self.connections.iter().copied().map(usize::from).collect(),
            saves: self.saves.into(),
            events: self.events.into(),
            singles: 300,
            many: self.many.into(),
            calls: self.calls.into(),
            quick: false,
        };
        if self.quick { method.quick() } else { method }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("'{text}' is not a number of seconds"))?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("'{text}' is not a length of time"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["motia-bench", "--seconds", "0.5", "--connections", "1,8"]).expect("understood");
        let method = cli.method();
        assert_eq!((method.length, method.connections), (Duration::from_millis(500), vec![1, 8]));
        for wrong in [["--seconds", "-1"], ["--rounds", "0"], ["--starts", "1"], ["--connections", "0"]] {
            assert!(Cli::try_parse_from(["motia-bench", wrong[0], wrong[1]]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn quick_is_short_and_says_so() {
        let method = Cli::try_parse_from(["motia-bench", "--quick"]).expect("understood").method();
        assert!(method.quick && method.rounds == 1 && method.many < 1_000_000);
        assert!(!Cli::try_parse_from(["motia-bench"]).expect("understood").method().quick);
    }
}

//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::manage::{Backup, Cron, Emit, Import, Queue};

/// The backend framework of Steps: APIs, background jobs, schedules, state and streams from one binary.
#[derive(Debug, Parser)]
#[command(name = "motia", version, disable_version_flag = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Print the version.
    #[arg(short = 'V', long = "version", action = clap::ArgAction::Version)]
    version: Option<bool>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the project in this folder and reload it as it changes.
    Dev(Dev),
    /// Run the project in this folder in production.
    Start(Serve),
    /// Install the project's packages without those that come with this binary, and make npm scripts run it.
    Install(Install),
    /// Emit an event to the project that runs in this folder.
    Emit(Emit),
    /// Look at queues and dead letters, and deliver those again.
    Queue(Queue),
    /// Look at schedules, and run one now.
    Cron(Cron),
    /// Copy the store, also while an engine runs.
    Backup(Backup),
    /// Bring the data of a Motia 0.x project into its store.
    Import(Import),
    /// Say which interpreters this project runs on, and what is missing.
    Doctor,
    /// Print the version.
    Version,
}

/// Where debuggers look for Node, as they do by default.
pub(crate) const INSPECT_PORT: u16 = 9229;
const INSPECT: &str = "9229";

/// How a project is developed.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// Let a debugger attach to the worker that serves
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = INSPECT)]
    pub(crate) inspect: Option<u16>,
}

/// How a project's packages are installed.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Say more
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How a project is served.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The port [environment: PORT] [default: 3000]
    #[arg(short, long)]
    pub(crate) port: Option<u16>,
    /// The address: a name or a number [environment: HOST] [default: this machine only in dev, 0.0.0.0 in start]
    #[arg(short = 'H', long)]
    pub(crate) host: Option<String>,
    /// Show what the engine does, and debug lines of steps
    #[arg(short, long)]
    pub(crate) debug: bool,
    /// Show the details of log lines (the default in dev)
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Hide the details of log lines
    #[arg(long, conflicts_with = "verbose")]
    pub(crate) disable_verbose: bool,
    /// Where the store and compiled files go [default: .motia]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) motia_dir: Option<PathBuf>,
    /// Write Mermaid diagrams of the flows (not in this version)
    #[arg(short, long)]
    pub(crate) mermaid: bool,
}

/// The port and the hosts, after flags, environment, `.env` and defaults.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) port: u16,
    pub(crate) hosts: Vec<String>,
}

impl Serve {
    /// Flags win over the environment, and that over `.env`. `variable` looks a name up in both.
    pub(crate) fn address(&self, dev: bool, variable: impl Fn(&str) -> Option<String>) -> Result<Address, String> {
        let port = match (self.port, variable("PORT").filter(|port| !port.trim().is_empty())) {
            (Some(port), _) => port,
            (None, Some(text)) => {
                let bad = |_| format!("PORT is '{text}', which is not a port: it should be a number from 0 to 65535");
                text.trim().parse().map_err(bad)?
            }
            (None, None) => 3000,
        };
        let host = self.host.clone().or_else(|| variable("HOST")).filter(|host| !host.trim().is_empty());
        let hosts = match host {
            Some(host) => vec![host.trim().trim_matches(['[', ']']).to_owned()],
            None if dev => vec!["127.0.0.1".into(), "::1".into()],
            None => vec!["0.0.0.0".into()],
        };
        Ok(Address { port, hosts })
    }
}

impl Address {
    /// What a person opens: a name of this machine where it listens on all addresses or on loopback.
    pub(crate) fn url(&self, port: u16) -> String {
        let host = self.hosts.first().map_or("localhost", String::as_str);
        match host.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() || ip.is_loopback() => format!("http://localhost:{port}"),
            Ok(IpAddr::V6(ip)) => format!("http://[{ip}]:{port}"),
            _ => format!("http://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(arguments: &[&str]) -> Serve {
        match Cli::try_parse_from(["motia", "dev"].iter().chain(arguments)).expect("understood").command {
            Command::Dev(dev) => dev.serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_defaults_come_last() {
        let none = |_: &str| None;
        let env = |name: &str| Some(if name == "PORT" { "4000".into() } else { "::1".into() });
        let address = |port, hosts: &[&str]| Address { port, hosts: hosts.iter().map(|host| (*host).into()).collect() };
        assert_eq!(serve(&[]).address(true, none), Ok(address(3000, &["127.0.0.1", "::1"])));
        assert_eq!(serve(&[]).address(false, none), Ok(address(3000, &["0.0.0.0"])));
        assert_eq!(serve(&[]).address(false, env), Ok(address(4000, &["::1"])));
        assert_eq!(serve(&["-p", "1", "-H", "localhost"]).address(false, env), Ok(address(1, &["localhost"])));
        let bad = serve(&[]).address(true, |_| Some("http".into())).expect_err("refused");
        assert!(bad.contains("PORT is 'http'"), "{bad}");
    }

    #[test]
    fn every_flag_of_the_documentation_is_taken() {
        for flags in [
            &["--port", "4000", "--host", "0.0.0.0"][..],
            &["-d", "-v", "-m", "--motia-dir", "x"],
            &["--debug", "--verbose", "--mermaid"],
            &["--disable-verbose"],
        ] {
            serve(flags);
        }
    }

    #[test]
    fn a_debugger_attaches_to_a_port() {
        let inspect = |arguments: &[&str]| match Cli::try_parse_from([&["motia", "dev"], arguments].concat()) {
            Ok(Cli { command: Command::Dev(dev), .. }) => dev.inspect,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [inspect(&[]), inspect(&["--inspect"]), inspect(&["--inspect=1234"])],
            [None, Some(INSPECT_PORT), Some(1234)]
        );
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}

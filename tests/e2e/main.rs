//! End to end: the real binary, real workers, real sockets.
//!
//! | module | holds |
//! |---|---|
//! | `support` | a project in a folder of its own, the engine that runs it, a client |
//! | `first_steps` | what a new user does first |
//! | `requests` | what comes in, what goes out |
//! | `streaming` | responses that come bit by bit |
//! | `http_edge` | clients that are slow, many, broken or hostile |
//! | `events` | emits, deliveries, retries, ticks |
//! | `queue` | time, priority, groups, dead letters; `motia queue` and `motia emit` |
//! | `cron` | zones, overlaps, what was missed; `motia cron` |
//! | `kills` | the engine and its workers are killed under load, again and again |
//! | `storage` | disks that are full, broken or lose their power |
//! | `store` | state, backups, files that are refused |
//! | `reload` | `motia dev` while files change |
//! | `knobs` | what `motia.config` sets |
//! | `saving` | the ways in which editors, shells and git change files |
//! | `examples` | the examples answer as they say |
//! | `install` | `motia install`, and projects of the original |
//! | `app_hook` | the `app` hook of motia.config |
//! | `faults` | killed workers, killed engines, bad files |
//! | `health` | workers that block, leak, exit, or go on past their timeout |
//! | `languages` | one flow through four languages while their workers are killed |
//! | `python` | Python steps: their shapes, their reloads, their faults |
//! | `ruby` | Ruby steps |
//! | `scale` | several workers, a process per call, a debugger |
//! | `streams` | streams to those who watch |
//! | `stream_reads` | streams over plain HTTP, and as Server-Sent Events |
//! | `stream_faults` | who watches misses nothing over cuts, kills and power cuts |
//! | `stream_clients` | the clients that the original published, unchanged |
//! | `tutorials` | the Python of the documentation runs as it is printed |

#![expect(clippy::disallowed_methods, reason = "tests wait by the machine's own clock")]

mod app_hook;
mod cron;
mod events;
mod examples;
mod faults;
mod first_steps;
mod health;
mod http_edge;
mod import;
mod install;
mod kills;
mod knobs;
mod languages;
mod python;
mod queue;
mod reload;
mod requests;
mod ruby;
mod saving;
mod scale;
mod storage;
mod store;
mod stream_clients;
mod stream_code;
mod stream_faults;
mod stream_reads;
mod streaming;
mod streams;
mod support;
mod tutorials;

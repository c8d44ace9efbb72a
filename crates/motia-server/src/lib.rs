//! The HTTP edge and the admin API.
//!
//! | module | holds |
//! |---|---|
//! | [`router`] | which step a method and a path belong to: by specificity, at flat cost |
//! | [`pattern`] | the path patterns that steps write |
//! | [`query`] | nested queries and forms |
//! | [`request`] | a request from the wire to the engine |
//! | [`upload`] | its body, no longer and no slower than is allowed |
//! | [`response`] | a handler's answer to the wire |
//! | [`cors`] | who may read responses in a browser |
//! | `files` | the files of the `static` knob |
//! | [`edge`] | one request, from the first byte to the last |
//! | [`streams`] | WebSockets: streams to those who watch |
//! | [`server`] | listeners |
//! | [`accept`] | from listeners to connections: no more than there are descriptors for |
//! | [`connection`] | one connection: HTTP/1.1 or HTTP/2, and the patience for slow clients |
//! | [`app`] | the project's own express application, asked before the steps |
//! | [`admin`] | the API of our own, on the engine's socket and, in `dev`, on the port |

pub mod accept;
pub mod admin;
pub mod app;
pub mod connection;
pub mod cors;
pub mod edge;
mod files;
pub mod pattern;
pub mod query;
pub mod request;
pub mod response;
pub mod router;
pub mod server;
pub mod streams;
pub mod upload;

pub use app::{App, AppPath};
pub use edge::{Edge, Mode};
pub use router::Routes;
pub use server::{Error, Server};

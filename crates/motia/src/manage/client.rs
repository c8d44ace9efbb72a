//! Asks the engine of this project over its own socket.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixStream;

use super::Which;
use crate::serve::ENGINE_FILE;

/// What the engine says of itself in [`ENGINE_FILE`].
#[derive(Deserialize)]
struct EngineFile {
    pid: u32,
    socket: PathBuf,
}

/// An engine that runs.
pub(super) struct Client {
    engine: EngineFile,
}

impl Client {
    /// The engine of this project.
    pub(super) fn find(which: &Which) -> Result<Self> {
        let path = which.folder().join(ENGINE_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "no engine runs here: there is no {}. Start `motia dev` or `motia start` in this folder, or name its folder with --motia-dir",
                path.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let engine = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Self { engine })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value> {
        let socket = &self.engine.socket;
        let stream = match UnixStream::connect(socket).await {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                bail!("the engine that ran here (pid {}) is gone: start it again", self.engine.pid)
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot reach the engine at {}", socket.display()));
            }
        };
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/__motia/{path}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let answer = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, body))
        };
        let (status, body) = tokio::select! {
            answer = answer => answer.context("the engine did not answer")?,
            ended = connection => {
                ended?;
                bail!("the engine closed the connection without an answer");
            }
        };
        let value: Value = serde_json::from_slice(&body).context("the engine did not answer with JSON")?;
        if !status.is_success() {
            bail!("{}", value["error"].as_str().unwrap_or("the engine refused"));
        }
        Ok(value)
    }
}

/// A name as one part of a path.
pub(super) fn part(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

//! The body of a response on its way to the client.

use bytes::Bytes;
use motia_worker::{CutOff, ResultBody};

use crate::api::OpenCall;
use crate::engine::Engine;

/// A response's body. Dropping it before its end says that the client went away.
pub struct ResponseBody {
    body: ResultBody,
    /// The call that runs until the end of the body.
    live: Option<Box<Live>>,
}

/// The rest of a body will not come: the client must see that it is not whole. The cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response was broken off")]
pub struct BrokenOff;

struct Live {
    engine: Engine,
    call: OpenCall,
    status: Option<u16>,
}

impl ResponseBody {
    /// Its handler has settled.
    pub(crate) fn ready(body: ResultBody) -> Self {
        Self { body, live: None }
    }

    /// Its handler's stream runs.
    pub(crate) fn streamed(body: ResultBody, engine: Engine, call: OpenCall, status: Option<u16>) -> Self {
        Self { body, live: Some(Box::new(Live { engine, call, status })) }
    }

    /// The body, if all of it is here already.
    pub fn whole(&self) -> Option<&Bytes> {
        self.body.whole()
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        let Some(live) = &self.live else { return self.body.next().await.map(|piece| piece.map_err(|_| BrokenOff)) };
        let idle = live.engine.settings().timeouts.idle;
        let next = tokio::time::timeout(idle, self.body.next()).await;
        if let Ok(Some(Ok(bytes))) = next {
            return Some(Ok(bytes));
        }
        let live = *self.live.take()?;
        let ended = match next {
            Ok(None) => live.settle().await,
            Ok(Some(Err(CutOff::Failed(error)))) => {
                Err(format!("failed while its response was sent; the client's connection was cut: {error}"))
            }
            Ok(Some(Err(cut_off))) => {
                Err(format!("could not send the rest of its response; the client's connection was cut: {cut_off}"))
            }
            Ok(Some(Ok(_))) => Ok(()),
            Err(_) => {
                self.body.cancel("timeout");
                Err(format!(
                    "sent nothing of its response for {} s and was cancelled (timeouts.idle)",
                    idle.as_secs_f32()
                ))
            }
        };
        live.end(ended).err().map(Err)
    }

    /// Nobody asked for the body: what sends it is told to stop.
    pub fn discard(mut self) {
        self.body.cancel("disconnect");
        if let Some(live) = self.live.take() {
            live.call.end(live.status, None);
        }
    }
}

impl Live {
    /// The boundary of P1: the client learns of the end once everything that the handler wrote is safe.
    async fn settle(&self) -> Result<(), String> {
        let settled = self.call.settle(&*self.engine.shared.backends.journal).await;
        settled.map_err(|error| format!("ended, but what it wrote could not be made safe: {error}"))
    }

    fn end(self, ended: Result<(), String>) -> Result<(), BrokenOff> {
        if let Err(problem) = &ended {
            self.engine.say(&self.call, problem.clone());
        }
        let outcome = ended.is_ok().then_some(()).ok_or(BrokenOff);
        self.call.end(self.status, ended.err());
        outcome
    }
}

//! Somebody who watches streams, with nothing between the test and the wire.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::PATIENCE;

/// A connection to one engine.
pub(crate) struct Socket {
    socket: WebSocket<TcpStream>,
    /// The subprotocol that the engine chose.
    pub(crate) protocol: Option<String>,
}

impl Socket {
    /// Opens one that must open.
    pub(crate) fn open(port: u16) -> Self {
        Self::try_open(port, "/", &[]).expect("it opens")
    }

    /// Opens one, or gives the status and body of the refusal.
    pub(crate) fn try_open(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, String)> {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request().expect("a request");
        for (name, value) in headers {
            let name: tungstenite::http::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, answer)) => {
                let protocol = answer.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|protocol| protocol.to_str().expect("text").to_owned());
                Ok(Self { socket, protocol })
            }
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                let body = String::from_utf8(answer.body().clone().unwrap_or_default()).expect("text");
                Err((answer.status().as_u16(), body))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens one, if the engine is there and stays there.
    pub(crate) fn if_open(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!("ws://127.0.0.1:{port}/").into_client_request().expect("a request");
        let (socket, _) = tungstenite::client::client(request, stream).ok()?;
        Some(Self { socket, protocol: None })
    }

    pub(crate) fn join(&mut self, stream: &str, group: &str, id: Option<&str>) {
        self.ask("join", stream, group, id);
    }

    pub(crate) fn leave(&mut self, stream: &str, group: &str, id: Option<&str>) {
        self.ask("leave", stream, group, id);
    }

    fn ask(&mut self, kind: &str, stream: &str, group: &str, id: Option<&str>) {
        let name = format!("{stream}/{group}/{}", id.unwrap_or_default());
        let mut data = json!({ "streamName": stream, "groupId": group, "subscriptionId": name });
        if let Some(id) = id {
            data["id"] = json!(id);
        }
        self.say(json!({ "type": kind, "data": data }).to_string());
    }

    /// Says something, if the engine still listens.
    pub(crate) fn say(&mut self, message: impl Into<Message>) {
        let _ = self.socket.send(message.into());
    }

    /// What the wire carries.
    pub(crate) fn raw(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Value {
        loop {
            match self.socket.read().expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message, unless the connection ends.
    pub(crate) fn try_next(&mut self) -> Option<Value> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message's event.
    pub(crate) fn event(&mut self) -> Value {
        self.next()["event"].take()
    }

    /// Whether nothing comes for a moment.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.socket.get_ref().set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        let quiet = match self.socket.read() {
            Err(Error::Io(error)) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            _ => false,
        };
        self.socket.get_ref().set_read_timeout(Some(PATIENCE)).expect("a timeout");
        quiet
    }

    /// The code and reason with which the engine closes it; none where the connection just ends.
    pub(crate) fn closed(&mut self) -> Option<(u16, String)> {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => {
                    return frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                }
                Ok(_) => {}
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed) => {
                    return None;
                }
                Err(Error::Io(error)) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

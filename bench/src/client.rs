//! One connection that asks one question at a time: for what is measured inside a server, and for what only looks at it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::answer;

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Json(Value),
    /// As many bytes of no meaning.
    Bytes(usize),
}

impl Body {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Json(value) => value.to_string().into_bytes(),
            Self::Bytes(length) => vec![0x6d; *length],
        }
    }

    fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Json(_) => Some("application/json"),
            Self::Bytes(_) => Some("application/octet-stream"),
        }
    }
}

/// The bytes of one request.
pub(crate) fn request(method: &str, path: &str, body: &Body) -> Vec<u8> {
    let bytes = body.bytes();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n");
    if let Some(content_type) = body.content_type() {
        head += &format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", bytes.len());
    }
    head += "\r\n";
    [head.into_bytes(), bytes].concat()
}

/// A connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// `patience`: how long an answer may take.
    pub(crate) fn connect(target: SocketAddr, patience: Duration) -> Result<Self> {
        let stream =
            TcpStream::connect_timeout(&target, patience).with_context(|| format!("cannot connect to {target}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Asks, and waits for the status and the body.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut piece = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut piece)?;
            ensure!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&piece[..read]);
            if let Some(answer) = answer::parse(&self.buffer)? {
                return Ok((answer.status, answer.body(&self.buffer)));
            }
        }
    }

    /// Gets JSON.
    pub(crate) fn get(&mut self, path: &str) -> Result<Value> {
        self.json("GET", path, &Body::None)
    }

    /// Posts JSON and gets JSON.
    pub(crate) fn post(&mut self, path: &str, body: Value) -> Result<Value> {
        self.json("POST", path, &Body::Json(body))
    }

    fn json(&mut self, method: &str, path: &str, body: &Body) -> Result<Value> {
        let (status, answer) = self.ask(&request(method, path, body)).with_context(|| format!("{method} {path}"))?;
        let text = String::from_utf8_lossy(&answer);
        if status != 200 {
            bail!("{method} {path} is answered by {status}: {text}");
        }
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path} is not answered by JSON: {text}"))
    }
}

/// Asks once, on a connection of its own: the status and the body.
pub(crate) fn ask(target: SocketAddr, request: &[u8], patience: Duration) -> Result<(u16, Vec<u8>)> {
    Client::connect(target, patience)?.ask(request)
}

/// A number in an answer.
pub(crate) fn number(answer: &Value, member: &str) -> Result<f64> {
    answer[member].as_f64().with_context(|| format!("no number '{member}' in {answer}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use serde_json::json;

    use super::*;

    /// Answers one connection, each time with the next text.
    fn serve(answers: Vec<String>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            for answer in answers {
                let mut buffer = [0; 1024];
                assert!(stream.read(&mut buffer).expect("a question") > 0);
                stream.write_all(answer.as_bytes()).expect("written");
            }
        });
        address
    }

    fn answer(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    fn client(answers: Vec<String>) -> Client {
        Client::connect(serve(answers), Duration::from_secs(5)).expect("connected")
    }

    #[test]
    fn one_connection_takes_question_after_question() {
        let long = "x".repeat(100_000);
        let mut client = client(vec![answer("200 OK", "{\"n\":1.5}"), answer("201 Created", &long)]);
        let found = client.get("/n").expect("answered");
        assert_eq!(number(&found, "n").expect("a number"), 1.5);
        assert!(number(&found, "m").is_err());
        assert_eq!(client.ask(b"GET / HTTP/1.1\r\n\r\n").expect("answered"), (201, long.into_bytes()));
        assert!(client.get("/").is_err(), "the connection is closed");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut client = client(vec![answer("500 No", "broken"), answer("200 OK", "no JSON")]);
        let error = client.post("/emit", json!({})).expect_err("refused");
        assert_eq!(error.to_string(), "POST /emit is answered by 500: broken");
        assert!(client.get("/").is_err());
    }

    #[test]
    fn requests_are_whole() {
        let text = |body: &Body| String::from_utf8(request("POST", "/x", body)).expect("text");
        assert_eq!(text(&Body::None), "POST /x HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
        assert!(text(&Body::Json(json!([1]))).ends_with("application/json\r\nContent-Length: 3\r\n\r\n[1]"));
        assert!(text(&Body::Bytes(2)).ends_with("application/octet-stream\r\nContent-Length: 2\r\n\r\nmm"));
    }
}

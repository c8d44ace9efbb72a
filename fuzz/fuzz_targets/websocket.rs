//! The bytes of a client that watches streams, through the WebSocket protocol to messages.
#![no_main]

use std::io::{self, Cursor, Read, Write};

use libfuzzer_sys::fuzz_target;
use motia_server::streams::message::Message;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// A client that has said all that it will, and hears nothing.
struct Client<'a>(Cursor<&'a [u8]>);

impl Read for Client<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Client<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let config = WebSocketConfig::default()
        .read_buffer_size(1 << 10)
        .max_message_size(Some(64 << 10))
        .max_frame_size(Some(64 << 10))
        // Half of all bytes would be masks otherwise.
        .accept_unmasked_frames(true);
    let mut socket = WebSocket::from_raw_socket(Client(Cursor::new(bytes)), Role::Server, Some(config));
    while let Ok(message) = socket.read() {
        if let tungstenite::Message::Text(text) = message {
            let _ = Message::parse(&text);
        }
    }
});

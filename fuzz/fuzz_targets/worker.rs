//! The bytes of a worker: frames, and what the commonest of them mean.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use motia_worker::frame::decode;
use motia_worker::message::{Hello, ResultMeta};

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(frame)) = decode(&mut buffer) {
        let _ = serde_json::from_slice::<ResultMeta>(&frame.meta);
        let _ = serde_json::from_slice::<Hello>(&frame.meta);
    }
});

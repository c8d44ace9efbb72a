//! The codec: `length u32 | kind u8 | flags u8 | id u32 | meta length u32 | meta | body`, little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Most bytes after the length field.
pub const MAX_LENGTH: usize = 1 << 20;
/// Bytes between the length field and the meta.
pub const HEADER: usize = 10;
/// A body up to this size travels in its message's own frame.
pub const MAX_INLINE_BODY: usize = 256 << 10;
/// A longer one is cut into pieces of this size.
pub const CHUNK: usize = 64 << 10;
/// How far a sender may be ahead of the receiver, per message.
pub const WINDOW: usize = 1 << 20;

/// The body goes on in `DATA` frames.
pub const MORE: u8 = 0x01;
/// On `DATA`, `WINDOW` and `ABORT`: the message is an answer.
pub const ANSWER: u8 = 0x02;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// What a frame is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $value,)*
        }

        impl Kind {
            /// `None` for kinds of a newer version: they are skipped.
            pub fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// Engine to worker: import these files.
    Load = 0x01,
    /// Engine to worker: the names of all streams.
    Streams = 0x02,
    /// Engine to worker: run a handler.
    Call = 0x03,
    /// Engine to worker: abort a call's signal.
    Cancel = 0x04,
    /// Engine to worker: the answer to an `Op`.
    Reply = 0x05,
    /// Engine to worker: are you there?
    Ping = 0x06,
    /// Engine to worker: no further call comes.
    Stop = 0x07,
    /// Engine to worker: listen for a debugger, or no longer.
    Inspect = 0x08,
    /// The next bytes of a message.
    Data = 0x21,
    /// The receiver took bytes in.
    Window = 0x22,
    /// The rest of a message will not come.
    Abort = 0x23,
    /// Worker to engine: the runtime is loaded.
    Hello = 0x41,
    /// Worker to engine: a file's import begins.
    Importing = 0x42,
    /// Worker to engine: a file was imported.
    Imported = 0x43,
    /// Worker to engine: a file was not imported.
    Refused = 0x44,
    /// Worker to engine: all files have been answered.
    Ready = 0x45,
    /// Worker to engine: the answer to a `Call`.
    Result = 0x46,
    /// Worker to engine: a handler wants something.
    Op = 0x47,
    /// Worker to engine: a log line.
    Log = 0x48,
    /// Worker to engine: here.
    Pong = 0x49,
    /// Worker to engine: take me out of service.
    Retire = 0x4a,
}

/// A frame as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Bits.
    pub flags: u8,
    /// Its message.
    pub id: u32,
    /// A JSON object; empty means `{}`.
    pub meta: Bytes,
    /// Opaque.
    pub body: Bytes,
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length field is out of range.
    #[error("a frame of {0} bytes: the length must be {HEADER} to {MAX_LENGTH}")]
    Length(usize),
    /// A flag that is not defined.
    #[error("a frame with the flags {0:#04x}: only 0x01 and 0x02 are defined")]
    Flags(u8),
    /// The meta does not fit into its frame.
    #[error("a frame whose meta of {meta} bytes does not fit into its {length} bytes")]
    Meta {
        /// What it says.
        meta: usize,
        /// The frame's length field.
        length: usize,
    },
}

/// Takes the next frame out of `buffer`, if it is there whole. Frames of unknown kinds are skipped.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    loop {
        let Some((length, rest)) = buffer.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if !(HEADER..=MAX_LENGTH).contains(&length) {
            return Err(FrameError::Length(length));
        }
        if rest.len() < length {
            // Ask for the room at once instead of growing along the way.
            buffer.reserve(length + 4 - buffer.len());
            return Ok(None);
        }
        let mut frame = buffer.split_to(4 + length);
        frame.advance(4);
        let (kind, flags, id) = (frame.get_u8(), frame.get_u8(), frame.get_u32_le());
        if flags & !(MORE | ANSWER) != 0 {
            return Err(FrameError::Flags(flags));
        }
        let meta_length = frame.get_u32_le() as usize;
        if meta_length > frame.len() {
            return Err(FrameError::Meta { meta: meta_length, length });
        }
        let mut body = frame.freeze();
        let meta = body.split_to(meta_length);
        if let Some(kind) = Kind::from_byte(kind) {
            return Ok(Some(Frame { kind, flags, id, meta, body }));
        }
    }
}

/// Appends a frame. `meta` and `body` together must fit: callers cut bodies at [`MAX_INLINE_BODY`].
pub fn encode(out: &mut BytesMut, kind: Kind, flags: u8, id: u32, meta: &[u8], body: &[u8]) {
    let length = HEADER + meta.len() + body.len();
    debug_assert!(length <= MAX_LENGTH, "a frame of {length} bytes");
    out.reserve(4 + length);
    out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_u8(kind as u8);
    out.put_u8(flags);
    out.put_u32_le(id);
    out.put_u32_le(u32::try_from(meta.len()).unwrap_or(u32::MAX));
    out.put_slice(meta);
    out.put_slice(body);
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;

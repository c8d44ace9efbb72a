# The frame codec of sdk/protocol/README.md: bytes to frames and back. It knows nothing of what the frames mean.

module Motia
  module Kind
    LOAD = 0x01
    STREAMS = 0x02
    CALL = 0x03
    CANCEL = 0x04
    REPLY = 0x05
    PING = 0x06
    STOP = 0x07
    INSPECT = 0x08
    DATA = 0x21
    WINDOW = 0x22
    ABORT = 0x23
    HELLO = 0x41
    IMPORTING = 0x42
    IMPORTED = 0x43
    REFUSED = 0x44
    READY = 0x45
    RESULT = 0x46
    OP = 0x47
    LOG = 0x48
    PONG = 0x49
    RETIRE = 0x4a
  end

  MORE = 0x01
  ANSWER = 0x02

  # The other side broke the protocol. There is no way to find the next frame after that, so the connection ends.
  class ProtocolError < StandardError
  end

  module Frames
    # Bytes before the meta: length, kind, flags, id, meta length.
    HEADER = 14
    # The largest value of the length field, which does not count itself.
    MAX_LENGTH = 1_048_576
    # A body up to here travels in its message's own frame.
    INLINE_BODY = 262_144
    # The largest piece of a longer body.
    CHUNK = 65_536
    # How far a sender may be ahead of its receiver, per message.
    WINDOW = 1_048_576
    # The largest meta that leaves room for an inline body.
    MAX_META = MAX_LENGTH - (HEADER - 4) - INLINE_BODY

    module_function

    # `meta` is JSON text or empty; both it and `body` are taken as the bytes they are.
    def encode(kind, flags, id, meta, body)
      body ||= ""
      [HEADER - 4 + meta.bytesize + body.bytesize, kind, flags, id, meta.bytesize, meta, body].pack("VCCVVa*a*")
    end

    # JSON text of a meta: an object, or text that is ready already. The empty object is written as nothing.
    def meta_text(meta)
      return meta || "" unless meta.is_a?(Hash)
      return "" if meta.empty?

      text = JSON.generate(meta)
      return text if text.bytesize <= MAX_META

      raise RangeError, "names and headers of #{text.length} characters are too long to be sent"
    end
  end

  # Cuts a byte stream, whatever its chunks, into frames.
  class Decoder
    KNOWN_FLAGS = MORE | ANSWER
    EMPTY_META = {}.freeze

    # `on_frame` gets (kind, flags, id, meta, body).
    def initialize(&on_frame)
      @on_frame = on_frame
      @buffer = String.new(encoding: Encoding::BINARY)
    end

    def push(chunk)
      @buffer << chunk
      at = 0
      at += 4 + @length while whole?(at) && emit(at)
      return if at.zero?

      @buffer = at == @buffer.bytesize ? @buffer.clear : @buffer.byteslice(at, @buffer.bytesize - at)
    end

    private

    # The length is judged as soon as it is there: the frame that it announces may never come.
    def whole?(at)
      left = @buffer.bytesize - at
      return false if left < 4

      @length = @buffer.byteslice(at, 4).unpack1("V")
      unless @length.between?(Frames::HEADER - 4, Frames::MAX_LENGTH)
        raise ProtocolError, "a frame of #{@length} bytes"
      end

      left >= 4 + @length
    end

    def emit(at)
      _, kind, flags, id, meta_length = @buffer.byteslice(at, Frames::HEADER).unpack("VCCVV")
      raise ProtocolError, format("unknown flags 0x%x", flags) if flags > KNOWN_FLAGS

      body_length = @length - (Frames::HEADER - 4) - meta_length
      raise ProtocolError, "the meta is longer than its frame" if body_length.negative?

      at += Frames::HEADER
      meta = meta_length.zero? ? EMPTY_META : parse(@buffer.byteslice(at, meta_length))
      @on_frame.call(kind, flags, id, meta, @buffer.byteslice(at + meta_length, body_length))
      true
    end

    def parse(bytes)
      text = bytes.force_encoding(Encoding::UTF_8)
      raise ProtocolError, "a meta that is not UTF-8" unless text.valid_encoding?

      begin
        meta = JSON.parse(text)
      rescue JSON::ParserError
        raise ProtocolError, "a meta that is not JSON"
      end
      raise ProtocolError, "a meta that is not a JSON object" unless meta.is_a?(Hash)

      meta
    end
  end
end

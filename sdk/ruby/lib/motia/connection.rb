# The worker's end of the stream: messages in and out, and the worker's own requests (operations) with their replies.
# One thread reads it, and never waits for anything else: pings, replies and windows come through it.
require_relative "bodies"
require_relative "memory"
require_relative "outbox"

module Motia
  class Connection
    READ = 65_536
    BROKEN_OFF = { "message" => "the engine broke off its reply", "code" => "aborted" }.freeze

    # `on` says what the worker does about frames: `load`, `streams`, `call`, `aborted` (a call whose body will never be
    # complete), `cancel`, `stop`, `inspect_at`, and `ended`, which gets the error that broke the stream, if any.
    def initialize(fd, on)
      @on = on
      # A plain IO: `socket` would bring default gems along, of which a Gemfile.lock may name other versions.
      @io = IO.for_fd(fd, "r+b")
      @io.sync = true
      # Processes that user code starts do not hold the stream open.
      @io.close_on_exec = true
      @outbox = Outbox.new(@io)
      @outgoing = Outgoing.new { |*frame| @outbox.frame(*frame) }
      @incoming = Incoming.new { |*frame| @outbox.frame(*frame) }
      @decoder = Decoder.new { |*frame| receive(*frame) }
      @lock = Mutex.new
      @replies = {}
      @last_id = 0
    end

    # Reads until the stream ends.
    def read
      chunk = String.new(capacity: READ)
      loop { @decoder.push(@io.readpartial(READ, chunk)) }
    rescue EOFError, Errno::ECONNRESET
      @on.ended(nil)
    rescue StandardError => e
      @on.ended(e)
    end

    # Waits while far too much is on its way to the engine.
    def wait_for_room
      @outbox.wait_for_room
    end

    # Sends a message that is no answer, and waits until it is out: messages without a number may not mix.
    def send_message(kind, id, meta, body = nil)
      @outbox.wait_for_room
      text = Frames.meta_text(meta)
      message = whole { @outgoing.post(kind, 0, id, text, body) }
      @outgoing.wait(message) if message
    end

    # Answers a request of the engine. What has no room yet leaves as the engine takes it.
    def answer(kind, id, meta, body = nil)
      text = Frames.meta_text(meta)
      whole { @outgoing.post(kind, ANSWER, id, text, body) }
    end

    # Begins an answer whose body comes bit by bit; see Outgoing.
    def open_answer(kind, id, meta)
      text = Frames.meta_text(meta)
      whole { @outgoing.open(kind, ANSWER, id, text) }
    end

    # Sends the next chunk of an open answer, and waits until the receiver had room for all of it.
    def put(answer, bytes)
      @outgoing.wait(answer) unless whole { @outgoing.put(answer, bytes) }
    end

    def release(answer)
      @outgoing.release(answer)
    end

    def close_answer(answer)
      whole { @outgoing.close(answer) }
    end

    # Stops sending the answer to a request: nobody waits for it any more, or the rest will not come; `meta` says why.
    def abort_answer(id, meta = nil)
      text = Frames.meta_text(meta)
      whole { @outgoing.abort(id, ANSWER, text) }
    end

    # Asks the engine. `replied` gets (error, body), on the thread that reads frames.
    def request(meta, body, &replied)
      text = Frames.meta_text(meta)
      whole do
        # One at a time: operations take effect in the order of their numbers and frames.
        @lock.synchronize do
          id = next_id
          @replies[id] = replied
          @outgoing.post(Kind::OP, 0, id, text, body)
        end
      end
    end

    # Asks to be taken out of service: whoever caused this may have left anything in a bad state.
    def retire(reason)
      send_message(Kind::RETIRE, 0, { reason: Text.of(reason) })
    end

    # Whether nothing waits for the engine: no answer to be sent, no operation to be answered.
    def idle?
      @outgoing.idle? && @outbox.empty? && @lock.synchronize { @replies.empty? }
    end

    # In a forked child the stream belongs to somebody else.
    def abandon
      @outbox.close
      @io.close
    rescue IOError
      # It was closed already.
    end

    private

    # What was begun is sent to its end, whatever user code does to its thread meanwhile.
    def whole(&block)
      Thread.handle_interrupt(Object => :never, &block)
    end

    def next_id
      loop do
        @last_id = @last_id == 0xffff_ffff ? 1 : @last_id + 1
        return @last_id unless @replies.key?(@last_id)
      end
    end

    def receive(kind, flags, id, meta, body)
      case kind
      when Kind::DATA
        message = @incoming.data(flags, id, body)
        dispatch(message.kind, id, message.meta, message.body) if message
      when Kind::WINDOW
        @outgoing.granted(id, flags, meta["bytes"].to_i)
      when Kind::ABORT
        broken_off(@incoming.abort(flags, id), id)
      else
        return dispatch(kind, id, meta, body) if flags & MORE == 0

        @incoming.begin(kind, kind == Kind::REPLY ? ANSWER : 0, id, meta, body)
      end
    end

    def broken_off(message, id)
      case message&.kind
      when Kind::REPLY then reply(id, BROKEN_OFF, nil)
      when Kind::CALL then @on.aborted(id)
      end
    end

    def dispatch(kind, id, meta, body)
      case kind
      when Kind::CALL then @on.call(id, meta, body)
      when Kind::REPLY then reply(id, meta["error"], body)
      when Kind::CANCEL then @on.cancel(id, meta["reason"])
      # At once: what comes behind a ping that is not answered has not been seen.
      when Kind::PING then @outbox.frame(Kind::PONG, 0, id, Frames.meta_text(Memory.meta), nil)
      when Kind::LOAD then @on.load(meta, JSON.parse(utf8(body)))
      when Kind::STREAMS then @on.streams(JSON.parse(utf8(body)))
      when Kind::STOP then @on.stop
      when Kind::INSPECT then @on.inspect_at(meta["port"])
        # Other kinds are of a newer engine.
      end
    end

    def utf8(body)
      body.force_encoding(Encoding::UTF_8)
    end

    def reply(id, error, body)
      replied = @lock.synchronize { @replies.delete(id) }
      return if replied.nil?

      # The engine may refuse before it has the whole body.
      @outgoing.abort(id, 0)
      replied.call(error, body)
    end
  end
end

# Response bodies that come bit by bit: each chunk leaves at once, and none is asked for before the receiver has room.
require_relative "response"

module Motia
  # Ends a stream that waits for its next chunk, when nobody wants it any more. No StandardError, so that loops that
  # rescue those end.
  class StreamCancelled < Exception # rubocop:disable Lint/InheritException
  end

  # The body of one streamed response on its way out. The thread of the handler runs it.
  class Streaming
    READ = 65_536

    # `head` is the outcome with the status, the headers and the stream.
    def initialize(head, call, connection)
      @head = head
      @source = head.stream
      @call = call
      @connection = connection
      @lock = Mutex.new
      @thread = Thread.current
      @cancelled = false
      @within = false
      call.streaming = self
      # One that came before it could be told.
      @cancelled = true if call.signal.aborted?
    end

    # Whether the head of the response is out.
    def open?
      !@answer.nil?
    end

    # Sends chunk after chunk. Returns the outcome of the call, once the stream has ended and has cleaned up.
    def run
      # Without a content type the first chunk decides: text or bytes.
      open("bytes") if Response.content_type?(@head.meta[:headers])
      failure = Thread.handle_interrupt(StreamCancelled => :never) { guarded }
      # What a stream says that was told to end is of no interest.
      return Outcome.failed(failure) if failure && !@cancelled

      open("bytes") unless open?
      Call::DONE
    rescue StandardError => e
      Outcome.failed(e)
    end

    # Nobody wants the rest.
    def cancel
      @lock.synchronize do
        return if @cancelled

        @cancelled = true
        # It may wait for its next chunk for ever.
        @thread.raise(StreamCancelled, "nobody wants the rest of the response") if @within
        @connection.release(@answer) if @answer
      end
    end

    # Everything that the call did is done: the answer ends, or is broken off.
    def finish(outcome)
      error = outcome.meta[:error] if outcome.failed?
      return @connection.close_answer(@answer) if error.nil? && !@cancelled

      # Another thread may have failed the call while this stream goes on.
      cancel
      @connection.abort_answer(@call.id, error && { error: error })
    end

    private

    # Returns what the stream raised, if it did.
    def guarded
      return nil unless resume

      # Only where it waits: code that runs is not torn apart.
      Thread.handle_interrupt(StreamCancelled => :on_blocking) { chunks { |chunk| take(chunk) || break } }
      nil
    rescue StreamCancelled
      nil
    rescue Exception => e
      e
    ensure
      pause
      forget_cancellation
    end

    # From now on the thread runs the user's code, if anybody still wants what it makes.
    def resume
      @lock.synchronize { @within = !@cancelled }
    end

    # From now on it runs ours.
    def pause
      @lock.synchronize { @within = false }
    end

    # The cancellation may have come just after the stream's end.
    def forget_cancellation
      Thread.handle_interrupt(StreamCancelled => :immediate) { Thread.pass }
    rescue StreamCancelled
      nil
    end

    # Says whether the stream is to go on.
    def take(chunk)
      pause
      bytes = bytes_of(chunk)
      open(chunk.encoding == Encoding::BINARY ? "bytes" : "text") unless open?
      @connection.put(@answer, bytes) unless bytes.empty? || @cancelled
      resume
    end

    def open(type)
      @call.wait_for_operations
      meta = { status: @head.meta[:status], type: type, headers: @head.meta[:headers], stream: true }.compact
      answer = @connection.open_answer(Kind::RESULT, @call.id, meta)
      @lock.synchronize { @answer = answer }
    end

    def chunks(&block)
      return @source.each(&block) if @source.is_a?(Enumerator) || !readable?

      begin
        loop { block.call(@source.respond_to?(:readpartial) ? @source.readpartial(READ) : read || break) }
      rescue EOFError
        nil
      ensure
        @source.close if @source.respond_to?(:close)
      end
    end

    # Files and pipes are read as they come, not line by line.
    def readable?
      @source.respond_to?(:readpartial) || @source.respond_to?(:read)
    end

    def read
      bytes = @source.read(READ)
      bytes.nil? || bytes.empty? ? nil : bytes
    end

    def bytes_of(chunk)
      raise TypeError, mistake(chunk) unless chunk.is_a?(String)

      case chunk.encoding
      when Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY then chunk
      else chunk.encode(Encoding::UTF_8)
      end
    end

    def mistake(chunk)
      "the response's stream yielded #{Text.name_of(chunk)}; a chunk is a string. For data, yield JSON.generate(data) " \
        'and a line feed; for server-sent events, "data: #{JSON.generate(data)}\n\n"'
    end
  end
end

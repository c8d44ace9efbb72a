# Frames on their way out. Whoever sends one writes it at once, so that no line is lost if the process dies next; what
# the socket has no room for is left to a thread of its own, so that no sender ever stands still in a system call.
require_relative "frames"

module Motia
  class Outbox
    # Handlers that write faster than the engine reads wait here, or they would fill the memory.
    MUCH = 16 * 1_048_576

    def initialize(io)
      @io = io
      @lock = Mutex.new
      @waiting = String.new(encoding: Encoding::BINARY)
      @filled = ConditionVariable.new
      @emptied = ConditionVariable.new
      @closed = false
      # Ahead of its first use: by then the system may refuse a thread.
      Threads.own { drain }
    end

    def frame(kind, flags, id, meta, body)
      bytes = Frames.encode(kind, flags, id, meta, body)
      # A Timeout or a Thread#raise of user code must not hit between half a frame and its rest.
      Thread.handle_interrupt(Object => :never) { @lock.synchronize { write(bytes) } }
    end

    # Waits while far too much is on its way. Not for the thread that reads frames, which has to answer pings.
    def wait_for_room
      return if @waiting.bytesize < MUCH

      @lock.synchronize { @emptied.wait(@lock) while @waiting.bytesize >= MUCH && !@closed }
    end

    # Whether everything has left.
    def empty?
      @lock.synchronize { @waiting.empty? }
    end

    # A forked child must not write into the stream of its parent.
    def close
      @closed = true
    end

    private

    def write(bytes)
      return if @closed

      if @waiting.empty?
        written = attempt(bytes)
        return if written == bytes.bytesize

        bytes = bytes.byteslice(written, bytes.bytesize - written)
      end
      @waiting << bytes
      @filled.signal
    end

    # How many bytes went out.
    def attempt(bytes)
      written = @io.write_nonblock(bytes, exception: false)
      written == :wait_writable ? 0 : written
    rescue SystemCallError, IOError
      # The reader notices that the engine is gone, and ends the process.
      @closed = true
      bytes.bytesize
    end

    def drain
      loop do
        @lock.synchronize { @filled.wait(@lock) while @waiting.empty? }
        IO.select(nil, [@io])
        @lock.synchronize do
          written = attempt(@waiting)
          @waiting = @waiting.byteslice(written, @waiting.bytesize - written)
          @emptied.broadcast if @waiting.bytesize < MUCH
        end
      end
    end
  end
end

# Bodies that do not fit one frame: cut into DATA frames on the way out, put together on the way in, and never further
# ahead of the receiver than the window allows.
require_relative "frames"

module Motia
  # Small grants would double the number of frames, one at the end of the window would stop the sender.
  GRANT = Frames::WINDOW / 4

  # Questions are numbered by one side and answers by the other, so an id alone names two messages.
  def self.message_key(id, flags)
    id * 2 + (flags & ANSWER == 0 ? 0 : 1)
  end

  # What leaves. Any thread sends; the one that reads frames hands on what the receiver allows.
  class Outgoing
    # `frame` puts (kind, flags, id, meta, body) into the outbox.
    def initialize(&frame)
      @frame = frame
      @lock = Mutex.new
      @messages = {}
    end

    def idle?
      @lock.synchronize { @messages.empty? }
    end

    # Sends a message. Returns it if some of it has to wait for the receiver, and nil if all of it is out.
    def post(kind, flags, id, meta, body)
      if body.nil? || body.bytesize <= Frames::INLINE_BODY
        @frame.call(kind, 0, id, meta, body)
        return
      end
      @lock.synchronize do
        @frame.call(kind, MORE, id, meta, body.byteslice(0, Frames::CHUNK))
        message = Message.new(@frame, flags, id, Frames::WINDOW - Frames::CHUNK, 0)
        return if message.put(body, Frames::CHUNK)

        @messages[Motia.message_key(id, flags)] = message
      end
    end

    # Begins a message whose body comes bit by bit: by `put`, until `close` or `abort`.
    def open(kind, flags, id, meta)
      @lock.synchronize do
        @frame.call(kind, MORE, id, meta, nil)
        @messages[Motia.message_key(id, flags)] = Message.new(@frame, flags, id, Frames::WINDOW, MORE)
      end
    end

    # Sends the next bytes of an open message. Says whether all of them are out; if not, `wait` for it.
    def put(message, bytes)
      @lock.synchronize { message.put(bytes, 0) }
    end

    # Until all that was put is out, or nobody wants it any more.
    def wait(message)
      @lock.synchronize { message.wait(@lock) }
    end

    def release(message)
      @lock.synchronize { message.release }
    end

    # The whole body of an open message has been put.
    def close(message)
      @lock.synchronize do
        @messages.delete(Motia.message_key(message.id, message.flags))
        @frame.call(Kind::DATA, message.flags, message.id, "", nil)
      end
    end

    def granted(id, flags, bytes)
      key = Motia.message_key(id, flags)
      @lock.synchronize do
        message = @messages[key]
        return if message.nil?

        message.allow(bytes)
        @messages.delete(key) if message.pump && !message.open?
      end
    end

    # Ends a message whose rest nobody wants any more, or whose rest will not come; `meta` says why.
    def abort(id, flags, meta = "")
      @lock.synchronize do
        message = @messages.delete(Motia.message_key(id, flags))
        return if message.nil?

        @frame.call(Kind::ABORT, flags, id, meta, nil)
        message.finish
      end
    end

    # A body on its way out, as far as its window allows. The lock of Outgoing is held wherever it is used.
    class Message
      attr_reader :id, :flags

      # `open` is MORE if further bytes follow those that are put.
      def initialize(frame, flags, id, allowed, open)
        @frame = frame
        @flags = flags
        @id = id
        @allowed = allowed
        @open = open
        @released = ConditionVariable.new
      end

      def open?
        @open != 0
      end

      def allow(bytes)
        @allowed += bytes
      end

      # Sends bytes from `at` on, once those before are out. Says whether all of them are out now.
      def put(bytes, at)
        return true if @finished

        @bytes = bytes
        @at = at
        pump
      end

      def pump
        while @bytes
          left = @bytes.bytesize - @at
          size = [Frames::CHUNK, @allowed, left].min
          return false if size <= 0

          more = size == left ? @open : MORE
          @frame.call(Kind::DATA, @flags | more, @id, "", @bytes.byteslice(@at, size))
          @allowed -= size
          @at += size
          @bytes = nil if size == left
        end
        @released.broadcast
        true
      end

      def wait(lock)
        @released.wait(lock) while @bytes
        self
      end

      # Its sender may not have heard yet that nothing may follow.
      def finish
        @finished = true
        release
      end

      # Nobody has to wait any more.
      def release
        @bytes = nil
        @released.broadcast
      end
    end
  end

  # What comes in. Only the thread that reads frames uses it.
  class Incoming
    Unfinished = Struct.new(:kind, :meta, :body, :ungranted)

    def initialize(&frame)
      @frame = frame
      @messages = {}
    end

    # The first frame of a message with more to come. `flags` says whose number `id` is.
    def begin(kind, flags, id, meta, body)
      message = Unfinished.new(kind, meta, String.new(encoding: Encoding::BINARY), 0)
      @messages[Motia.message_key(id, flags)] = message
      take(message, flags, id, body)
    end

    # The next piece. Returns the message, with its whole `body`, once this was the last one.
    def data(flags, id, body)
      key = Motia.message_key(id, flags)
      message = @messages[key]
      return if message.nil?

      if flags & MORE == 0
        @messages.delete(key)
        message.body << body
        return message
      end
      take(message, flags, id, body)
      nil
    end

    # The sender gave up. Returns the message it concerns.
    def abort(flags, id)
      @messages.delete(Motia.message_key(id, flags))
    end

    private

    def take(message, flags, id, body)
      message.body << body
      message.ungranted += body.bytesize
      return if message.ungranted < GRANT

      @frame.call(Kind::WINDOW, flags & ANSWER, id, %({"bytes":#{message.ungranted}}), nil)
      message.ungranted = 0
    end
  end
end

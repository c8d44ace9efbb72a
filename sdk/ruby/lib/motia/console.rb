# puts, print, p, warn and everything else that goes to $stdout, $stderr, STDOUT and STDERR, as log lines of the call. What
# child processes and IO.copy_stream write goes to the descriptors.

module Motia
  class Console
    # A line that has no end is one, all the same.
    LONGEST_PARTIAL = 65_536

    class << self
      def capture(log)
        # A process that is killed loses what Ruby holds back.
        [STDOUT, STDERR].each { |io| io.sync = true }
        @captured = [Console.new(STDOUT, "info", log), Console.new(STDERR, "warn", log)]
        @captured.each(&:take_over)
        $stdout, $stderr = @captured
      end

      # Lines that the current thread began and did not end.
      def flush
        @captured&.each(&:flush)
      end
    end

    # What every way to write to an IO goes by, and what loggers do to it in the end.
    METHODS = %i[write syswrite write_nonblock close].freeze

    def initialize(io, level, log)
      @io = io
      @raw = io.method(:write)
      @level = level
      @log = log
      @partial = :"motia_partial_#{level}"
    end

    # Lets the constant write here, too, until somebody makes another file of it.
    def take_over
      console = self
      METHODS.each { |name| @io.define_singleton_method(name) { |*args, **_| console.public_send(name, *args) } }
      @io.define_singleton_method(:reopen) do |*args, **options|
        IO.instance_method(:reopen).bind_call(self, *args, **options)
        [*METHODS, :reopen].each { |name| singleton_class.remove_method(name) }
        self
      end
    end

    def write(*texts)
      return @raw.call(*texts) if Fork.child?

      # As bytes, since a character may come in two pieces.
      text = texts.map { |part| Text.bytes(part) }.join
      thread = Thread.current
      whole = "#{thread.thread_variable_get(@partial)}#{text}".b
      ended = whole.rindex("\n")
      ended = whole.length if ended.nil? && whole.length > LONGEST_PARTIAL
      rest = ended ? whole[ended + 1..] : whole
      thread.thread_variable_set(@partial, rest.nil? || rest.empty? ? nil : rest)
      line(whole[0, ended]) if ended
      text.bytesize
    end

    def syswrite(text)
      write(text)
    end

    def write_nonblock(text, **)
      write(text)
    end

    def <<(text)
      write(text)
      self
    end

    def print(*texts)
      write(*(texts.empty? ? [$_] : texts))
      nil
    end

    def puts(*values)
      values = [""] if values.empty?
      values.each { |value| put(value, []) }
      nil
    end

    def printf(*args)
      write(format(*args)) unless args.empty?
      nil
    end

    def putc(char)
      write(char.is_a?(Integer) ? (char & 0xff).chr : char.to_s[0])
      char
    end

    def p(*values)
      values.each { |value| write(value.inspect, "\n") }
      values.size > 1 ? values : values.first
    end

    def flush
      thread = Thread.current
      rest = thread.thread_variable_get(@partial)
      return self if rest.nil?

      thread.thread_variable_set(@partial, nil)
      line(rest)
      self
    end

    def sync
      true
    end

    def sync=(value)
      value
    end

    def tty?
      false
    end
    alias isatty tty?

    def fsync
      flush
      0
    end

    # Loggers close what they write to.
    def close; end

    def closed?
      false
    end

    def to_io
      @io
    end

    def inspect
      "#<Motia::Console #{@level}>"
    end

    def respond_to_missing?(name, all = false)
      @io.respond_to?(name, all)
    end

    def method_missing(name, *args, &block)
      @io.respond_to?(name) ? @io.public_send(name, *args, &block) : super
    end

    private

    def put(value, within)
      list = Array.try_convert(value)
      if list.nil?
        text = Text.bytes(value)
        return write(text.end_with?("\n") ? text : text << "\n")
      end
      return write("[...]\n") if within.any? { |outer| outer.equal?(list) }

      list.each { |item| put(item, [*within, list]) }
    end

    def line(text)
      @log.post(@level, text, Values::NONE, "console", Threads.current)
    rescue ThreadError
      # The handler of a signal may not wait for anybody.
      @raw.call("#{text}\n")
    end
  end
end

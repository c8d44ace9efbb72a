# puts, print, p, warn and everything else that goes to $stdout and $stderr, as log lines of the call. STDOUT, STDERR and
# what child processes write stay the raw descriptors.

module Motia
  class Console
    # A line that has no end is one, all the same.
    LONGEST_PARTIAL = 65_536

    class << self
      def capture(log)
        @captured = [Console.new(STDOUT, "info", log), Console.new(STDERR, "warn", log)]
        # A process that is killed loses what Ruby holds back.
        [STDOUT, STDERR].each { |io| io.sync = true }
        $stdout, $stderr = @captured
      end

      # Lines that the current thread began and did not end.
      def flush
        @captured&.each(&:flush)
      end
    end

    def initialize(io, level, log)
      @io = io
      @level = level
      @log = log
      @partial = :"motia_partial_#{level}"
    end

    def write(*texts)
      text = texts.map { |part| Text.of(part) }.join
      thread = Thread.current
      whole = "#{thread.thread_variable_get(@partial)}#{text}"
      ended = whole.rindex("\n")
      ended = whole.length if ended.nil? && whole.length > LONGEST_PARTIAL
      rest = ended ? whole[ended + 1..] : whole
      thread.thread_variable_set(@partial, rest.nil? || rest.empty? ? nil : rest)
      line(whole[0, ended]) if ended
      texts.sum { |part| part.to_s.bytesize }
    end
    alias syswrite write
    alias write_nonblock write

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
      return write("#{value}\n".sub(/\n\n\z/, "\n")) unless value.is_a?(Array)
      return write("[...]\n") if within.any? { |outer| outer.equal?(value) }

      value.each { |item| put(item, [*within, value]) }
    end

    def line(text)
      return @io.write("#{text}\n") if Fork.child?

      @log.post(@level, text, Values::NONE, "console", Threads.current)
    rescue ThreadError
      # The handler of a signal may not wait for anybody.
      @io.write("#{text}\n")
    end
  end
end

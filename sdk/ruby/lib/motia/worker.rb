# The parts of the worker, put together.
require_relative "threads"
require_relative "fork"
require_relative "connection"
require_relative "blame"
require_relative "calls"
require_relative "console"
require_relative "debugger"
require_relative "loader"
require_relative "log"
require_relative "orphan"
require_relative "stopping"

module Motia
  class << self
    # A logger for code that has no context at hand; its lines belong to the call that runs.
    attr_reader :logger

    # Used by the worker.
    attr_writer :logger
  end

  class Worker
    def initialize(fd)
      @connection = Connection.new(fd, self)
      @steps = {}
      @log = LogSender.new(@connection)
      @calls = Calls.new(@connection, @steps, @log)
      @loader = Loader.new(@connection, @steps)
      @stopping = Stopping.new(@connection, @calls)
      @blame = Blame.new(@connection, @log, @calls)
      @calls.blame = Threads.blame = @blame
      @debugger = Debugger.new { |level, text| @log.post(level, text, Values::NONE, "worker", nil) }
      # What the main thread does: lambdas, one after the other, until there is nil.
      @work = Thread::Queue.new
    end

    def run
      Threads.install
      Fork.install(@connection)
      Console.capture(@log)
      log = @log
      Motia.logger = Logger.new { |level, text, details| log.post(level, text, details, "logger", Threads.current) }
      # Stopping comes by frame, or by the end of the stream: a Ctrl-C in the terminal reaches all processes of the
      # group. Not IGNORE, which the processes that user code starts would inherit.
      %w[INT TERM].each { |name| trap(name) {} }
      # On Linux the launcher has asked for a signal.
      Orphan.die_with_parent unless RUBY_PLATFORM.include?("linux")
      hello
      Threads.own { @connection.read }
      work
    end

    # What follows are the frames of the engine.

    def load(meta, files)
      @work << -> { @loader.load(meta["root"], files) }
    end

    def streams(names)
      @calls.streams = names
    end

    def call(id, meta, body)
      @calls.start(id, meta, body)
    end

    def aborted(id)
      @calls.aborted(id)
    end

    def cancel(id, reason)
      @calls.cancel(id, reason)
    end

    def stop
      @stopping.watch { @work << nil }
    end

    def inspect_at(port)
      @debugger.listen(port)
    end

    # The engine is gone, or speaks another language.
    def ended(error)
      exit!(0) if error.nil?
      where = error.is_a?(ProtocolError) || error.is_a?(SystemCallError) ? nil : error.backtrace
      said = ["motia worker: the connection to the engine broke: #{error.message}", *where].join("\n")
      # Past the console, whose lines would go to the engine.
      IO.instance_method(:write).bind_call(STDERR, "#{said}\n")
      exit!(1)
    end

    private

    # By hand: JSON has to wait for the Gemfile.
    def hello
      @connection.send_message(
        Kind::HELLO, 0, %({"protocol":1,"language":"ruby","runtime":"#{RUBY_VERSION}","pid":#{Process.pid}})
      )
      # A project without gems of its own can have it at once.
      JSON if Gems.gemfile_of(Dir.pwd).nil?
    end

    # Errors of other threads and of signals may be raised here, at any time.
    def work
      while (task = @work.pop)
        task.call
      end
    rescue Exception => e
      raise if Fork.child?

      @blame.uncaught(e)
      retry
    end
  end
end

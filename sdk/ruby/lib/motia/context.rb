# The `context` of handlers. Operations return their value: the thread of the handler waits for them.
require_relative "logger"
require_relative "emit"
require_relative "state"
require_relative "streams"

module Motia
  class Context
    attr_reader :logger, :state, :streams, :events

    def initialize(call, streams, log)
      @call = call
      @log = log
      @logger = Logger.new { |level, message, details| log.post(level, message, details, "logger", call) }
      @state = State.new(call)
      @streams = Streams.new(call, streams)
      @events = Events.new(call)
      @own = {}
    end

    def trace_id
      @call.trace
    end
    alias traceId trace_id

    # The call's W3C trace context, for what the handler asks of others.
    def traceparent
      @call.traceparent
    end

    def flows
      @call.step.flows
    end

    # Whether the engine still wants the call's answer, see Signal.
    def signal
      @call.signal
    end

    # `emit(topic:, data:, …)`, `emit({ topic:, data: })` and `emit("topic", data)`; see Emit.
    def emit(event, data = Values::NONE, options = nil)
      Emit.emit(@call, @log, event, data, options)
    end

    # Returns once everything that the call wrote so far is on disk.
    def sync
      Operate.operate(@call, "sync")
      nil
    end

    # `context[:state]`; without arguments to be had, `context[:emit]` is something to be called.
    def [](name)
      name = name.to_sym
      return @own[name] if @own.key?(name)
      return nil unless respond_to?(name)

      method(name).arity.zero? ? public_send(name) : method(name)
    end

    # Middleware hands things on to the handler: `context.user = …`.
    def []=(name, value)
      @own[name.to_sym] = value
    end

    def method_missing(name, *args)
      return @own[name] if args.empty? && @own.key?(name)
      return super unless name.end_with?("=") && args.size == 1

      @own[name.name.chomp("=").to_sym] = args.first
    end

    def respond_to_missing?(name, all = false)
      @own.key?(name) || super
    end

    def inspect
      "#<Motia::Context #{@call.step.source} #{@call.trace}>"
    end
  end
end

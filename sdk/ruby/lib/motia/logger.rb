# The logger of handlers, and of everyone who uses `Motia.logger`.
require_relative "details"

module Motia
  class Logger
    LEVELS = { "debug" => 0, "info" => 1, "warn" => 2, "error" => 3 }.freeze
    THRESHOLD = LEVELS.fetch(ENV.fetch("LOG_LEVEL", "").strip.downcase, 1)

    # A logger over `send`, which gets (level, message, details). `fields` are added to the details of every line.
    def initialize(fields = nil, &send)
      @send = send
      @fields = fields
      @listeners = nil
    end

    def debug(*args, &block)
      write("debug", args, block)
    end

    def info(*args, &block)
      write("info", args, block)
    end
    alias log info

    def warn(*args, &block)
      write("warn", args, block)
    end
    alias warning warn

    def error(*args, &block)
      write("error", args, block)
    end

    def child(fields = {})
      Logger.new((@fields || {}).merge(fields.to_h), &@send)
    end

    # The block gets (level, message, *details) of every line.
    def add_listener(listener = nil, &block)
      (@listeners ||= []) << (listener || block)
      nil
    end
    alias addListener add_listener

    def inspect
      "#<Motia::Logger>"
    end

    private

    def write(level, args, block)
      return nil if @listeners.nil? && LEVELS[level] < THRESHOLD

      # `logger.debug { "costly" }`, as with Ruby's own.
      args = [*args, block.call] if block
      @listeners&.each { |listener| notify(listener, level, args) }
      @send.call(level, text_of(args[0]), with_fields(details_of(args))) if LEVELS[level] >= THRESHOLD
      nil
    end

    # A listener that raises must not take the line, nor the handler, with it.
    def notify(listener, level, args)
      listener.call(level, *args)
    rescue StandardError => e
      Kernel.warn("a log listener failed: #{Errors.message_of(e)}")
    end

    def text_of(message)
      case message
      when String then message
      when Exception then Errors.message_of(message)
      else message.inspect
      end
    rescue StandardError
      "[unreadable]"
    end

    # `error(e)` has its details in the first argument; more than one further argument becomes a list.
    def details_of(args)
      message, *rest = args
      return message.is_a?(Exception) ? { error: message } : Values::NONE if rest.empty?

      rest.size == 1 ? rest[0] : rest
    end

    def with_fields(details)
      return details if @fields.nil?
      return @fields if details.equal?(Values::NONE)

      details.is_a?(Hash) ? @fields.merge(details) : @fields.merge(details: details)
    end
  end
end

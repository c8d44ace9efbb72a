# Errors on the wire: {name, message, stack, code, cause}. Whatever user code raises becomes one, and none is too big.
require_relative "text"

module Motia
  # An operation that the engine refused, or that could not be sent.
  class OperationError < StandardError
    attr_reader :code

    def initialize(message = nil, code = nil)
      super(message)
      @code = code
    end
  end

  # The request's body is not what its content type says. It is the client's fault: 400, and the handler is not called.
  class InvalidBody < StandardError
  end

  module Errors
    DEEPEST_CAUSE = 4
    OURS = [File.expand_path("..", __dir__), File.expand_path("../../worker.rb", __dir__)].freeze
    INTERNAL = ["<internal:", "(eval"].freeze
    VENDORED = %r{\A(?:vendor|\.bundle|node_modules)/}.freeze

    class << self
      # The project's folder: which lines of a backtrace are the user's own.
      attr_accessor :root

      # The wire form of anything that was raised. Methods of user objects may raise; an error report may not.
      def to_wire(error, depth = 0)
        wire = { name: name_of(error), message: message_of(error) }
        wire[:stack] = stack_of(error, wire)
        code = code_of(error)
        wire[:code] = Text.clip(code) if code
        cause = error.cause
        wire[:cause] = to_wire(cause, depth + 1) if cause && depth < DEEPEST_CAUSE
        wire
      rescue Exception # rubocop: an `exit` in a `message` of the user's is caught, too
        { message: "an error that cannot be read" }
      end

      def name_of(error)
        Text.clip(Names.of(error.class) || "an error of a class without a name")
      end

      def message_of(error)
        text = Names.hide(Text.of(plain_message(error)))
        text = shorten(text) if error.is_a?(SyntaxError) || error.is_a?(LoadError)
        Text.clip(text)
      end

      # Safe for log lines: never raises.
      def summary(error)
        message_of(error)
      rescue Exception
        "an error that cannot be read"
      end

      # `Name: message`, and where that was.
      def stack_of(error, wire = { name: name_of(error), message: message_of(error) })
        lines = user_lines(error.backtrace || []).map { |line| "    at #{shorten(Names.hide(Text.of(line)))}" }
        Text.clip(["#{wire[:name]}: #{wire[:message]}", *lines].join("\n"))
      end

      # The project's own lines, and above them the place in a gem or in Ruby where it was noticed.
      def user_lines(backtrace)
        lines = backtrace.reject { |line| line.start_with?(*OURS, *INTERNAL) }
        own = lines.select { |line| own?(line) }
        return lines if own.empty?

        own.first.equal?(lines.first) ? own : [lines.first, *own]
      end

      private

      # Ruby 3.1 adds a piece of the code to messages, of which only the hint is of use in a log.
      def plain_message(error)
        return error.message unless error.respond_to?(:original_message)

        hint = DidYouMean.formatter.message_for(error.corrections) if error.respond_to?(:corrections)
        "#{error.original_message}#{hint}"
      rescue StandardError
        error.message
      end

      def own?(line)
        return false unless root && line.start_with?("#{root}/")

        !line[root.length + 1..].match?(VENDORED)
      end

      # Files are named as the project names them.
      def shorten(text)
        root ? text.gsub("#{root}/", "") : text
      end

      def code_of(error)
        case error
        when SystemCallError then Names.of(error.class)&.delete_prefix("Errno::")
        when LoadError then "LOAD_ERROR"
        else
          code = error.code if error.respond_to?(:code)
          code.is_a?(String) || code.is_a?(Symbol) || code.is_a?(Integer) ? Text.of(code) : nil
        end
      end
    end
  end
end

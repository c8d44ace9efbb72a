# Errors on the wire: {name, message, stack, code, cause}. Whatever user code raises becomes one, and none is too big.
require_relative "backtrace"
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
    # Small enough that the stack has room for it, and a log line for both.
    LONGEST_MESSAGE = Text::LONGEST / 2

    class << self
      # The wire form of anything that was raised. Methods of user objects may raise; an error report may not. `message`
      # is for those who know better than the error.
      def to_wire(error, message = message_of(error))
        wire = alone(error, message)
        all = [wire, *causes(error).map { |cause| alone(cause, message_of(cause)) }]
        # The engine shows the stack of the first.
        wire[:stack] = Text.clip(all.map { |one| one[:stack] }.join("\ncaused by "), 2 * Text::LONGEST)
        all.each_cons(2) { |one, cause| one[:cause] = cause }
        wire
      rescue Exception # rubocop: an `exit` in a method of the user's is caught, too
        wire || { message: "an error that cannot be read" }
      end

      def name_of(error)
        Text.clip(Names.of(error.class) || "an error of a class without a name")
      end

      # Never raises.
      def message_of(error)
        text = Names.hide(Text.of(plain_message(error)))
        text = Backtrace.relative(text) if error.is_a?(SyntaxError) || error.is_a?(LoadError)
        Text.clip(text, LONGEST_MESSAGE)
      rescue Exception => e
        "an error whose message cannot be read, as that raises #{Names.of(e.class) || "another"}"
      end

      # `Name: message`, and where that was.
      def stack_of(error, message = message_of(error))
        Text.clip(["#{name_of(error)}: #{message}", *Backtrace.of(error)].join("\n    "))
      end

      private

      def alone(error, message)
        wire = { name: name_of(error), message: message, stack: stack_of(error, message) }
        code = code_of(error)
        wire[:code] = Text.clip(code) if code
        wire
      end

      def causes(error)
        Enumerator.produce(error, &:cause).lazy.drop(1).take_while(&:itself).first(DEEPEST_CAUSE)
      end

      # Ruby 3.1 adds a piece of the code to messages, of which only the hint is of use in a log.
      def plain_message(error)
        return error.message unless error.respond_to?(:original_message)

        hint = DidYouMean.formatter.message_for(error.corrections) if error.respond_to?(:corrections)
        "#{error.original_message}#{hint}"
      rescue StandardError
        error.message
      end

      def code_of(error)
        case error
        when SystemCallError then Names.of(error.class)&.delete_prefix("Errno::")
        when LoadError then "LOAD_ERROR"
        else
          code = error.code if error.respond_to?(:code)
          code.is_a?(String) || code.is_a?(Symbol) || code.is_a?(Integer) ? Text.of(code) : nil
        end
      rescue StandardError
        nil
      end
    end
  end
end

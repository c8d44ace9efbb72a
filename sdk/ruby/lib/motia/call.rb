# One call of a handler, or of a function of a stream. It is over when that has settled and every operation it sent has
# been answered.
require_relative "call_kinds"
require_relative "request"
require_relative "response"
require_relative "signal"

module Motia
  class Call
    # What is returned is dropped, but by requests and questions.
    DONE = Outcome.new("", nil).freeze

    attr_reader :id, :kind, :trace, :traceparent, :step
    # Sends the body of a streamed response.
    attr_accessor :streaming

    def initialize(id, meta, step, connection, log)
      @id = id
      @kind = meta["kind"]
      @trace = meta["trace"]
      @traceparent = meta["traceparent"]
      @step = step
      @connection = connection
      @log = log
      @lock = Mutex.new
      @answered = ConditionVariable.new
      @pending = 0
      @over = false
      @concluded = false
      @lost = []
    end

    # Whether the result is on its way.
    def over?
      @over
    end

    # What the handler makes of the call: the outcome of its RESULT.
    def perform(meta, body, context)
      return Response.outcome(@step.run(@kind, Request.build(meta, body), context)) if @kind == "api"
      # Who answers it has no context.
      return @step.answer(body) if @kind == "access"

      if CallKinds::VISITS.include?(@kind)
        @step.tell(@kind, body, context)
      else
        # An empty body is the language's "nothing".
        @step.run(@kind, body.empty? ? nil : Values.read(body), context)
      end
      DONE
    end

    # The first outcome counts. Waits for the operations so far and sends the result; says whether this was it.
    def conclude(outcome)
      @lock.synchronize do
        return false if @concluded

        @concluded = true
      end
      settle(outcome)
      true
    end

    # Whether the handler's own outcome is still of interest.
    def concluded?
      @concluded
    end

    def fail(error)
      conclude(Outcome.failed(error))
    end

    # Operations report themselves, see operate.rb. `replied` gets (error, bytes).
    def ask(meta, body, &replied)
      @connection.wait_for_room
      Thread.handle_interrupt(Object => :never) do
        @lock.synchronize do
          # Its call is history: a thread that was left behind asks.
          meta = meta.merge(trace: @trace, step: @step.source) if @over
          @connection.request(meta, body) do |error, bytes|
            replied.call(error, bytes)
            operation_answered
          end
          @pending += 1
        end
      end
    end

    # Until every operation that the call has sent so far has been answered.
    def wait_for_operations
      @lock.synchronize { @answered.wait(@lock) while @pending.positive? }
    end

    # An error that ended a thread of the call. If nobody asks for the thread's end, it fails the call.
    def lose(error, thread)
      @lock.synchronize { @lost << [error, thread] unless @over }
    end

    def signal
      @lock.synchronize { @signal ||= Signal.new(self) }
    end

    def cancel(reason)
      signal.abort(reason)
      streaming&.cancel
    end

    # How a log line names it: its id means nothing to the engine once it is over.
    def origin
      @over ? { trace: @trace, step: @step.source } : { call: @id }
    end

    def inspect
      "#<Motia::Call #{@trace}>"
    end

    private

    def operation_answered
      @lock.synchronize do
        @pending -= 1
        @answered.broadcast if @pending.zero?
      end
    end

    def settle(outcome)
      @lock.synchronize do
        @answered.wait(@lock) while @pending.positive?
        outcome = blame_lost(outcome)
        deliver(outcome)
        @over = true
      end
      # Its threads may hold this object for long, so it lets go.
      @streaming = nil
    end

    def blame_lost(outcome)
      return outcome if outcome.failed?

      error, = @lost.find { |_, thread| !thread.motia_joined? }
      error ? Outcome.failed(error) : outcome
    end

    def deliver(outcome)
      return @streaming.finish(outcome) if @streaming&.open?

      @connection.answer(Kind::RESULT, @id, outcome.meta, outcome.body)
    end
  end
end

# `context.signal`: whether the engine still wants the call's answer. Ruby cannot stop code at any point without harm, so
# a handler that takes long looks at it, or lets itself be told.

module Motia
  # Why a call was cancelled: its time is over.
  class CallTimeout < StandardError
  end

  # Why a call was cancelled: the client went away, or the engine stops.
  class CallAborted < StandardError
  end

  class Signal
    REASONS = {
      "timeout" => [CallTimeout, "the call took too long"],
      "disconnect" => [CallAborted, "the client went away"],
      "shutdown" => [CallAborted, "the server is stopping"]
    }.freeze

    # An error that can be raised, once the call was cancelled.
    attr_reader :reason

    # `call` is whose code the listeners are.
    def initialize(call)
      @call = call
      @lock = Mutex.new
      @listeners = []
    end

    def aborted?
      !@reason.nil?
    end
    alias aborted aborted?

    def raise_if_aborted
      raise @reason if @reason
    end

    # Runs the block, in a thread of its own, when the call is cancelled; at once if it was.
    def on_abort(&block)
      @lock.synchronize do
        return @listeners << block unless @reason
      end
      run(block)
    end

    # Used by the worker.
    def abort(reason)
      type, message = REASONS[reason] || [CallAborted, "the call was cancelled: #{reason}"]
      listeners = @lock.synchronize do
        return if @reason

        @reason = type.new(message)
        @listeners
      end
      listeners.each { |listener| run(listener) }
    end

    def inspect
      "#<Motia::Signal #{@reason ? "aborted: #{@reason.message}" : "not aborted"}>"
    end

    private

    def run(block)
      takes_none = block.lambda? && block.arity.zero?
      Threads.of(@call) { takes_none ? block.call : block.call(@reason) }
    rescue ThreadError => e
      # The thread that reads frames comes by here, and has to go on.
      Kernel.warn("a listener of the signal of #{@call.step.source} was not called: #{e.message}")
    end
  end
end

# Errors that no handler rescued, and exits that nobody asked for: each is laid at the door of the step that caused it.
# None ends the process, but what wanted to end everything may have left anything in a bad state: the worker asks to be
# replaced, and finishes what it holds.
require_relative "errors"

module Motia
  # What `exit` in a handler fails its call with.
  class ProcessExit < StandardError
    def self.of(exit)
      said = exit.message == "exit" ? "" : ": #{Text.of(exit.message)}"
      new("exit(#{exit.status}) was called#{said}").tap { |error| error.set_backtrace(exit.backtrace) }
    end
  end

  class Blame
    # `calls` names what is in flight, where nobody knows whose code it was.
    def initialize(connection, log, calls)
      @connection = connection
      @log = log
      @calls = calls
    end

    # `exit` or `abort`, which ends nothing here but the code that called it.
    def exited(exit, call)
      error = ProcessExit.of(exit)
      @log.post("error", "#{error.message} #{whose(call)}", { error: error }, "worker", call)
      retire("exit was called", error, call)
    end

    # An error that reached the main thread, as `Thread.abort_on_exception` or a signal has it.
    def uncaught(error)
      return exited(error, nil) if error.is_a?(SystemExit)
      return if error.equal?(@blamed)

      @log.post("error", "uncaught exception: #{Errors.message_of(error)}", { error: error }, "worker", nil)
      retire("uncaught exception", error, nil)
    end

    # An error that ends a thread of a call. Whoever joins it gets the error; Ruby itself only prints it.
    def thread_failed(error, call, thread)
      if thread.report_on_exception
        thread.report_on_exception = false
        @log.post("error", "uncaught exception in a thread: #{Errors.message_of(error)}", { error: error }, "worker", call)
      end
      call.lose(error, thread)
      return unless thread.abort_on_exception || Thread.abort_on_exception

      # It is about to be raised in the main thread, too.
      @blamed = error
      retire("uncaught exception", error, call)
    end

    private

    # Fails the call if it still runs, and takes the worker out of service.
    def retire(what, error, call)
      call&.fail(error)
      @connection.retire("#{what} #{whose(call)}")
    end

    def whose(call)
      return "in #{call.step.source}" if call

      sources = @calls.sources
      sources.empty? ? "outside of any call" : "outside of any call (in flight: #{sources.join(", ")})"
    end
  end
end

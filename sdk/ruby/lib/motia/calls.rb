# The calls that run now: from CALL to RESULT.
require_relative "call"
require_relative "context"
require_relative "call_kinds"
require_relative "pool"
require_relative "streaming"

module Motia
  class Calls
    # The names of the project's streams, for contexts made from now on.
    attr_writer :streams

    # `steps` maps a source to what was loaded of it.
    def initialize(connection, steps, log)
      @connection = connection
      @steps = steps
      @log = log
      @streams = []
      @pool = Pool.new { |error| warn_of(error) }
      @lock = Mutex.new
      @running = {}
    end

    # What is told of a handler that wanted to end the process, see Blame.
    attr_writer :blame

    # The steps in flight, the latest call first.
    def sources
      @lock.synchronize { @running.values }.reverse.map { |call| call.step.source }.uniq
    end

    def running?
      @lock.synchronize { !@running.empty? }
    end

    def start(id, meta, body)
      step = @steps[meta["step"]]
      return refuse(id, meta, step) unless step&.runs?(meta["kind"])

      call = Call.new(id, meta, step, @connection, @log)
      @lock.synchronize { @running[id] = call }
      streams = @streams
      @pool.post { Threads.as(call) { run(call, meta, body, streams) } }
    end

    # The body of a call will never be complete. No handler ran, but every CALL is answered.
    def aborted(id)
      error = { message: "the request was broken off", code: "aborted" }
      @connection.answer(Kind::RESULT, id, { error: error })
    end

    def cancel(id, reason)
      call = @lock.synchronize { @running[id] }
      call ? call.cancel(reason) : @connection.abort_answer(id)
    end

    private

    def warn_of(refusal)
      message = "the system refused a thread: #{refusal.message}. #{@lock.synchronize { @running.size }} calls are here, and each " \
                "needs one: some wait until others are over. Raise the limit of processes (ulimit -u, pids.max of the container)"
      @log.post("warn", message, Values::NONE, "worker", nil)
    end

    def refuse(id, meta, step)
      message = CallKinds.missing(meta["step"], meta["kind"], step)
      @connection.answer(Kind::RESULT, id, { error: { message: message, code: "step-unknown" } })
    end

    def run(call, meta, body, streams)
      outcome = outcome_of(call, meta, body, streams)
      outcome = Streaming.new(outcome, call, @connection).run if outcome.stream && !call.concluded?
      Console.flush
      call.conclude(outcome)
      ended = true
    ensure
      # `Thread.exit` in a handler comes by here as well.
      call.fail(RuntimeError.new("the handler ended its own thread")) unless ended || Fork.child?
      @lock.synchronize { @running.delete(call.id) }
    end

    def outcome_of(call, meta, body, streams)
      call.perform(meta, body, Context.new(call, streams, @log))
    rescue SystemExit => e
      raise if Fork.child?

      @blame.exited(e, call)
      Call::DONE
    rescue Exception => e # whatever it is, it is the handler's
      Outcome.failed(e)
    end
  end
end

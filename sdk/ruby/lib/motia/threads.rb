# Whose code runs: the call, carried along into the threads that a handler starts, and into theirs. It lies in a thread
# variable, so that fibers share it. Threads of a pool that a gem starts during a call belong to that call for good.

module Motia
  module Threads
    CALL = :motia_call

    @left = {}.compare_by_identity
    @lock = Mutex.new

    class << self
      # What is told about threads that end badly, see Blame.
      attr_accessor :blame

      def current
        Thread.current.thread_variable_get(CALL)
      end

      # Runs the block as code of `call`.
      def as(call)
        thread = Thread.current
        before = thread.thread_variable_get(CALL)
        thread.thread_variable_set(CALL, call)
        yield
      ensure
        thread.thread_variable_set(CALL, before)
      end

      # A thread of a call.
      def of(call, &block)
        as(call) { Thread.new(&block) }
      end

      # A thread of ours, which belongs to no call. It can be ended, whatever the thread that starts it is shielded from.
      def own(&block)
        as(nil) { Thread.new { Thread.handle_interrupt(Object => :immediate, &block) } }
      end

      # What a thread of `call` runs.
      def wrap(call, block)
        proc do |*args|
          remember(Thread.current)
          as(call) { run(call, block, args) }
        ensure
          Console.flush
          forget(Thread.current)
        end
      end

      # Whether threads that calls started still do something. Those that only other threads could wake do not.
      def busy?
        @lock.synchronize { @left.keys }.any? { |thread| thread.alive? && !thread.inspect.include?("sleep_forever") }
      end

      private

      def remember(thread)
        @lock.synchronize { @left[thread] = true }
      end

      def forget(thread)
        @lock.synchronize { @left.delete(thread) }
      end

      def run(call, block, args)
        block.call(*args)
      rescue SystemExit => e
        blame.exited(e, call)
        nil
      rescue Exception => e
        blame.thread_failed(e, call, Thread.current)
        raise
      end
    end

    # In front of Thread.start and Thread.fork, which do not go through `initialize`.
    module Starts
      def start(*args, &block)
        call = Threads.current
        return super if call.nil? || block.nil?

        super(*args, &Threads.wrap(call, block))
      end
      alias fork start
    end

    # In front of Thread itself.
    module Inherits
      def initialize(*args, &block)
        call = Threads.current
        return super if call.nil? || block.nil?

        super(*args, &Threads.wrap(call, block))
      end
      ruby2_keywords :initialize

      # Whoever asks for a thread's end hears of its error.
      def join(*)
        @motia_joined = true
        super
      end

      def value
        @motia_joined = true
        super
      end

      def motia_joined?
        @motia_joined ? true : false
      end
    end

    def self.install
      Thread.prepend(Inherits)
      Thread.singleton_class.prepend(Starts)
    end
  end
end

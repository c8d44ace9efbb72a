# The threads that run handlers. Each call has one to itself, as it may wait for as long as it likes; how many there can
# be is the engine's business, which bounds the calls that a worker holds. A thread costs more than most handlers, so
# they are used again, and end once nobody has needed them for a while.

module Motia
  class Pool
    # Seconds.
    IDLE = 5

    # The block gets, once, the error by which the system refused a thread.
    def initialize(&refused)
      @refused = refused
      @jobs = Thread::Queue.new
      # The fewest that were idle since the keeper last looked.
      @spare = 0
      Threads.own { keep }
    end

    # Runs the block at once; if the system refuses a thread for it, when another one is free.
    def post(&job)
      left = idle - 1
      @spare = left if left < @spare
      grow if left.negative?
      @jobs << job
    end

    private

    # Below zero, jobs wait.
    def idle
      @jobs.num_waiting - @jobs.size
    end

    def grow
      Threads.own { work }
    rescue ThreadError => e
      # Whoever posts may read frames, and must not wait for the log: the keeper says it.
      @refusal ||= e
    end

    def work
      while (job = @jobs.pop)
        job.call
        # A handler may have forked, and this may be the child.
        exit if Fork.child?
      end
    end

    def keep
      loop do
        sleep(IDLE)
        say_refusal
        # Jobs still wait whose thread was refused.
        (-idle).times { grow }
        @spare.times { @jobs << nil }
        @spare = [idle, 0].max
      end
    end

    def say_refusal
      return if @refusal.nil? || @refused.nil?

      @refused.call(@refusal)
      @refused = nil
    end
  end
end

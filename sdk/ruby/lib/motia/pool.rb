# The threads that run handlers. There are as many as calls ran at a time, and they stay: a thread costs more than most
# handlers.

module Motia
  class Pool
    MOST = 256

    def initialize
      @jobs = Thread::Queue.new
      @lock = Mutex.new
      @size = 0
    end

    # Runs the block soon. Once all threads are busy it waits for its turn.
    def post(&job)
      # Those that wait take what lies there; this one needs another if there are not more of them.
      grow if @jobs.num_waiting <= @jobs.size
      @jobs << job
    end

    private

    def grow
      @lock.synchronize do
        return if @size >= MOST

        @size += 1
      end
      Threads.own { work }
    end

    def work
      loop do
        @jobs.pop.call
        # A handler may have forked, and this may be the child.
        exit if Fork.child?
      end
    ensure
      # User code may end any thread, also this one.
      @lock.synchronize { @size -= 1 }
    end
  end
end

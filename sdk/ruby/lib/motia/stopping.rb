# STOP: the process ends once no call runs and nothing that calls left behind does. The engine does not wait for ever.

module Motia
  class Stopping
    PAUSE = 0.02
    # A thread that was started but has not run yet looks as if it were not there.
    SURE = 2

    def initialize(connection, calls)
      @connection = connection
      @calls = calls
    end

    # Runs the block once nothing is left to do.
    def watch(&drained)
      return if @watching

      @watching = true
      Threads.own do
        idle = 0
        until idle == SURE
          sleep(PAUSE)
          idle = busy? ? 0 : idle + 1
        end
        drained.call
      end
    end

    private

    def busy?
      @calls.running? || !@connection.idle? || Threads.busy?
    end
  end
end

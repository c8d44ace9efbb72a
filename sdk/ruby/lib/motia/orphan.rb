# Where the system has no signal for it, a thread notices that the engine is gone.

module Motia
  module Orphan
    PAUSE = 0.5

    # Ends this process once `parent` is no longer its parent.
    def self.die_with_parent(parent = Process.ppid)
      Threads.own do
        sleep(PAUSE) while Process.ppid == parent
        Process.kill(:KILL, Process.pid)
      end
    end
  end
end

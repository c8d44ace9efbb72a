# A debugger attaches to the worker that serves, and to it alone: by the gem `debug`, which comes with Ruby 3.1 and later
# but has to be named in a Gemfile.

module Motia
  class Debugger
    HOST = "127.0.0.1"
    PAUSE = 0.1
    # So often is a port that is taken tried before that is said.
    QUIET = 15

    # `say` gets (level, text).
    def initialize(&say)
      @say = say
    end

    # Listens on a port of this machine; on none any more without one.
    def listen(port)
      @wanted = port
      # The gem has no way to stop listening: its port is free again once this worker has ended.
      Threads.own { open(port) } if port
    end

    private

    def open(port)
      require "debug/session"
      tries = 0
      until free?(port)
        return if @wanted != port

        tries += 1
        @say.call("error", taken(port)) if tries == QUIET
        sleep(PAUSE)
      end
      DEBUGGER__.open_tcp(host: HOST, port: port, nonstop: true) unless @opened
      @opened = true
    rescue LoadError
      @say.call("warn", 'Ruby steps cannot be debugged: the gem "debug" is not there. Add it to the Gemfile, then run bundle install')
    rescue StandardError => e
      @say.call("error", "no debugger can attach: #{Errors.message_of(e)}")
    end

    def free?(port)
      require "socket"
      TCPServer.new(HOST, port).close
      true
    rescue SystemCallError
      false
    end

    def taken(port)
      "no debugger can attach: port #{port} is taken, by another program or by a worker before this one. Free it, and " \
        "this worker listens there; or choose another: motia dev --inspect=PORT"
    end
  end
end

# LOG frames: one line of a user's log, with the call that it belongs to.
require_relative "details"

module Motia
  class LogSender
    LONGEST_MESSAGE = 65_536

    def initialize(connection)
      @connection = connection
    end

    # `call` is nil where nobody knows whose line it is. After a call's result its trace and step stand for it.
    def post(level, message, details, source, call)
      meta = { level: level, message: Text.clip(Text.of(message), LONGEST_MESSAGE), source: source }
      meta.update(call.origin) if call
      @connection.send_message(Kind::LOG, 0, meta, Details.json(details))
    end
  end
end

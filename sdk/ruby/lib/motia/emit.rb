# Events: sent, and taken back as long as they wait.
require_relative "operate"

module Motia
  module Emit
    # As in JavaScript, and as Ruby would write it.
    OPTIONS = {
      group: %w[messageGroupId message_group_id], once: %w[idempotencyKey idempotency_key],
      delay: %w[delay], at: %w[at], priority: %w[priority]
    }.freeze

    module_function

    def emit(call, log, event, data, options)
      return post(call, event, data, options) unless event.respond_to?(:to_hash)

      members = event.to_hash.transform_keys(&:to_s)
      return post(call, members["topic"], members.fetch("data", data), members) if members.key?("topic")

      # As the original: `{ type, data }` of its first versions, and misspelt members, lose the event and not the request.
      message = "emit was called without a topic, so nothing was emitted: emit(topic:, data:)"
      log.post("warn", message, { members: members.keys }, "worker", call)
      Emitted.new(call, nil)
    end

    def post(call, topic, data, options)
      options = (options || {}).to_hash.transform_keys(&:to_s)
      given = OPTIONS.transform_values { |names| options.values_at(*names).compact.first }
      names = { topic: topic, group: given[:group], once: given[:once] }
      names.delete_if { |name, value| value.nil? && name != :topic }
      more = { delay: given[:delay], at: time(given[:at]), priority: given[:priority] }
      Emitted.new(call, Operate.operate(call, "emit", names, data, more))
    end

    # The engine takes milliseconds since 1970; a Date begins at midnight of this machine's zone.
    def time(at)
      at = at.to_time if !at.is_a?(Time) && at.respond_to?(:to_time) && !at.is_a?(String)
      at.is_a?(Time) ? (at.to_r * 1000).to_i : at
    end
  end

  # What `emit` returns: the event, which can be taken back as long as it waits. One that was dropped (its topic is not in
  # `emits`, or missing) has no id.
  class Emitted
    attr_reader :id, :repeated
    alias repeated? repeated

    def initialize(call, event)
      @call = call
      @id = event ? event["id"] : ""
      @repeated = event ? event.fetch("repeated", false) : false
    end

    # Whether anything of the event still waited, and does not any more.
    def cancel
      Events.new(@call).cancel(@id)
    end

    def to_h
      { id: @id, repeated: @repeated }
    end

    def inspect
      "#<Motia::Emitted #{@id}>"
    end
  end

  # `context.events`.
  class Events
    def initialize(call)
      @call = call
    end

    # Takes an event back, by its id; answers whether anything of it still waited.
    def cancel(event)
      event = event.id if event.is_a?(Emitted)
      Operate.operate(@call, "cancel", { event: event }).to_i.positive?
    end

    def inspect
      "#<Motia::Events>"
    end
  end
end

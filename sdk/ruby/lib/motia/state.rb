# `context.state`: values by group and key. Names are those of JavaScript and of Ruby.
require_relative "operate"

module Motia
  class State
    # Names that `state[:get]` knows.
    NAMES = %i[get set delete clear get_group getGroup entry set_if_revision setIfRevision update list_keys listKeys
               list_groups listGroups].freeze

    def initialize(call)
      @call = call
    end

    def get(group, key)
      operate("get", { group: group, key: key })
    end

    # `set(group, key, value, ttl: "12h")`. The first hash is the value, with or without braces.
    def set(group, key, value = nil, options = nil)
      operate("set", { group: group, key: key }, value, { ttl: option(options, "ttl") })
      value
    end

    def delete(group, key)
      operate("delete", { group: group, key: key })
    end

    def clear(group)
      operate("clear", { group: group })
    end

    def get_group(group)
      operate("getGroup", { group: group }) || []
    end
    alias getGroup get_group

    def entry(group, key)
      operate("entry", { group: group, key: key })
    end

    # Stores only if nobody has written since `revision`; with nil, only if there is no value.
    def set_if_revision(group, key, value, revision, options = nil)
      more = { expected: revision, ttl: option(options, "ttl") }
      operate("setIf", { group: group, key: key }, value, more)
    end
    alias setIfRevision set_if_revision

    def update(group, key, changes)
      operate("update", { group: group, key: key }, changes)
    end

    def list_keys(group)
      operate("listKeys", { group: group }) || []
    end
    alias listKeys list_keys

    def list_groups
      operate("listGroups") || []
    end
    alias listGroups list_groups

    # `state[:get].call(group, key)`, for those who take it apart.
    def [](name)
      NAMES.include?(name.to_sym) ? method(name.to_sym) : nil
    end

    def inspect
      "#<Motia::State>"
    end

    private

    def operate(op, names = {}, value = Values::NONE, more = nil)
      Operate.operate(@call, "state.#{op}", names, value, more)
    end

    def option(options, name)
      options && (options[name] || options[name.to_sym])
    end
  end
end

# `context.streams`: the project's streams by name, and what can be done with one.
require_relative "operate"

module Motia
  class Streams
    def initialize(call, names)
      @call = call
      @names = names
      @known = {}
    end

    # nil for a stream that does not exist. `my_board` may be the name of `myBoard`.
    def [](name)
      name = name.to_s
      @known[name] ||= [name, camel(name)].find { |known| @names.include?(known) }&.then { |known| Stream.new(@call, known) }
    end

    def keys
      @names
    end

    def method_missing(name, *args)
      stream = args.empty? ? self[name] : nil
      return stream if stream

      known = @names.reject { |stream_name| stream_name.start_with?("__") }
      raise KeyError, "there is no stream #{name}; the project has #{known.empty? ? "none" : known.join(", ")}"
    end

    def respond_to_missing?(name, all = false)
      !self[name].nil? || super
    end

    def inspect
      "#<Motia::Streams #{@names.join(", ")}>"
    end

    private

    def camel(name)
      name.gsub(/(?<=[a-zA-Z0-9])_([a-z0-9])/) { $1.upcase }
    end
  end

  class Stream
    # The Workbench subscribes to what a response shows it: an item says which one it is.
    MARK = "__motia"

    def initialize(call, name)
      @call = call
      @name = name
    end

    def get(group, id)
      mark(group, operate("get", { group: group, id: id }))
    end

    # Returns the item as it is stored.
    def set(group, id, data = nil)
      mark(group, operate("set", { group: group, id: id }, unmarked(data)))
    end

    def delete(group, id)
      mark(group, operate("delete", { group: group, id: id }))
    end

    # Makes all changes where the item is kept, or none. Returns the item then, or nil if nothing is left of it.
    def update(group, id, changes)
      mark(group, operate("update", { group: group, id: id }, changes))
    end

    def get_group(group)
      (operate("getGroup", { group: group }) || []).map { |item| mark(group, item) }
    end
    alias getGroup get_group

    # `query(group, where: { done: false, due: { lt: 5 }, "by.name": "ada" }, order: "-due", limit: 10, offset: 0)`: those
    # items of a group. Tests are eq, ne, lt, lte, gt, gte, in and exists.
    def query(group, query = nil)
      (operate("query", { group: group }, query.nil? ? Values::NONE : query) || []).map { |item| mark(group, item) }
    end

    # Removes all items of a group. Returns how many there were.
    def clear(group)
      operate("clear", { group: group })
    end

    # `send({ groupId:, id: }, { type:, data: })`: an event for those who watch a group, or an item.
    def send(channel, event)
      channel = (channel || {}).to_h.transform_keys(&:to_s)
      event = (event || {}).to_h.transform_keys(&:to_s)
      names = { group: channel["groupId"] || channel["group_id"] }
      names[:id] = channel["id"] unless channel["id"].nil?
      operate("send", names, event.slice("type", "data"))
      nil
    end

    def inspect
      "#<Motia::Stream #{@name}>"
    end

    private

    def operate(op, names, value = Values::NONE)
      Operate.operate(@call, "stream.#{op}", { stream: @name, **names }, value)
    end

    def mark(group, item)
      return item unless item.is_a?(Record)

      item[MARK] = Record.new.update("type" => "state-stream", "streamName" => @name, "groupId" => group.to_s,
                                     "id" => item["id"])
      item
    end

    # `set(group, id, item.merge(status: …))` sends back what `get` had added.
    def unmarked(data)
      data.is_a?(Hash) && (data.key?(MARK) || data.key?(MARK.to_sym)) ? data.reject { |key, _| key.to_s == MARK } : data
    end
  end
end

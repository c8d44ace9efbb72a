# One operation: out as an OP frame, and the value that came back. The thread that asks waits; others go on.
require_relative "values"

module Motia
  module Operate
    NONE = Values::NONE

    module_function

    # `names` are groups, keys, topics; `value` is the JSON body; `more` are members that the engine reads as they are.
    # What cannot be sent (a name that is no text, data that is no JSON) raises as a refused operation does.
    def operate(call, op, names = {}, value = NONE, more = nil)
      raise OperationError, "#{op}: a forked process has no connection to the engine" if Fork.child?

      meta = { op: op, call: call.id }
      names.each { |name, text| meta[name] = name_text(op, name, text) }
      more&.each { |name, member| meta[name] = plain(op, name, member) unless member.nil? }
      body = value.equal?(NONE) ? nil : json(op, value)
      answers = Thread::Queue.new
      call.ask(meta, body) { |error, bytes| answers << [error, bytes] }
      error, bytes = answers.pop
      raise OperationError.new(error["message"], error["code"]) if error

      bytes.nil? || bytes.empty? ? nil : Values.read(bytes)
    end

    # Numbers are common ids and become text. Anything else is a mistake that would end up as a key such as "{}".
    def name_text(op, name, value)
      case value
      when String, Symbol
        text = Text.exact(value.to_s)
        return text if text

        raise TypeError, "#{op}: #{name} must be text, not bytes that are not UTF-8"
      when Numeric then value.to_s
      else raise TypeError, "#{op}: #{name} must be a string, not #{Text.name_of(value)}"
      end
    end

    def plain(op, name, member)
      Values::Plain.new.of(seconds(member))
    rescue Unwritable => e
      raise TypeError, "#{op}: #{name}#{e.message}"
    end

    def json(op, value)
      Values.write(value)
    rescue Unwritable => e
      raise TypeError, "#{op}: #{e.message}"
    end

    # `15.minutes` of ActiveSupport.
    def seconds(value)
      value.respond_to?(:in_seconds) ? value.to_i : value
    end
  end
end

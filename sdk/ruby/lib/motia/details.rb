# What users pass to a logger, as JSON. Unlike JSON.generate it shows errors, objects and cycles, never raises, and never
# writes more than a log line should hold.
require_relative "errors"
require_relative "values"

module Motia
  class Details
    LARGEST = 65_536
    LONGEST_STRING = 16_384
    DEEPEST = 12
    BYTES_SHOWN = 32
    CUT = '"[Truncated]"'

    # JSON text of `value`, or nil where there is nothing to show.
    def self.json(value)
      return nil if value.equal?(Values::NONE)

      new.value(value, 0)
    rescue Exception => e
      raise if e.is_a?(SystemExit) || e.is_a?(SignalException)

      '"[Unreadable]"'
    end

    def initialize
      @left = LARGEST
      @path = {}.compare_by_identity
    end

    def value(value, depth)
      return CUT if @left <= 0

      case value
      when String then string(value)
      when Symbol then string(value.name)
      when Integer, nil, true, false then text(value.nil? ? "null" : value.to_s)
      when Float then text(value.finite? ? value.to_s : %("#{value}"))
      else container(value, depth)
      end
    end

    private

    def container(value, depth)
      return text('"[Circular]"') if @path.key?(value)
      return text(value.is_a?(Array) ? '"[Array]"' : '"[Object]"') if depth >= DEEPEST

      @path[value] = true
      begin
        object(value, depth + 1)
      rescue StandardError, SystemStackError => e
        string("[Unreadable: #{Errors.message_of(e)}]")
      ensure
        @path.delete(value)
      end
    end

    def object(value, depth)
      case value
      when Exception then members(error_members(value), depth)
      when Hash then members(value, depth)
      when Array then items(value, depth)
      when Time then string(Values.time(value))
      when Numeric, Regexp, Range, Module then string(value.to_s)
      when Proc, Method then string("[#{value.class}]")
      when UploadedFile then string(value.inspect)
      else other(value, depth)
      end
    end

    def other(value, depth)
      plain = Values::Plain.new
      return items(value.to_a, depth) if plain.send(:kind?, value.class, "Set") || value.respond_to?(:to_ary)
      return string(value.iso8601) if value.respond_to?(:iso8601)
      return members(value.to_h, depth) if plain.send(:own?, value, :to_h)

      string(value.inspect)
    end

    def items(items, depth)
      written = []
      items.each_with_index do |item, index|
        @left -= 1 # the comma, so that a million empty objects count too
        written << value(item, depth)
        next unless @left <= 0 && index + 1 < items.size

        written << CUT
        break
      end
      "[#{written.join(",")}]"
    end

    def members(members, depth)
      written = []
      members.each do |key, member|
        @left -= 1
        if @left <= 0
          written << %("…":#{CUT})
          break
        end
        written << "#{string(key.is_a?(Symbol) ? key.name : key.to_s)}:#{value(member, depth)}"
      end
      "{#{written.join(",")}}"
    end

    def string(text)
      return text(%("#{describe(text)}")) if text.encoding == Encoding::BINARY && Text.exact(text).nil?

      longest = [LONGEST_STRING, [@left, 0].max].min
      # Only as much as is shown is looked at: it may be a whole file.
      cut = text.length > longest
      clean = Text.of(cut ? text[0, longest] : text)
      text(JSON.generate(cut ? "#{clean}…" : clean))
    end

    def text(json)
      @left -= json.length
      json
    end

    def describe(bytes)
      more = bytes.bytesize > BYTES_SHOWN ? "…" : ""
      "[#{bytes.bytesize} bytes: #{bytes.byteslice(0, BYTES_SHOWN).unpack1("H*")}#{more}]"
    end

    def error_members(error)
      message = Errors.message_of(error)
      members = { "name" => Errors.name_of(error), "message" => message, "stack" => Errors.stack_of(error, message) }
      error.instance_variables.each do |name|
        key = name.to_s.delete_prefix("@")
        members[key] = error.instance_variable_get(name) unless members.key?(key)
      end
      members["cause"] = error.cause if error.cause
      members
    end
  end
end

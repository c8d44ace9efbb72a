# The values of handlers as JSON and back. What JSON cannot hold is an error that names where in the data it is: text
# such as "#<Object:0x0000…>" in a store would be found much later.
require_relative "record"

module Motia
  # Data that has no JSON form; says where in it.
  class Unwritable < TypeError
    # So many steps of the way there.
    SHOWN = 20

    def initialize(what)
      super()
      @what = what
      @path = []
    end

    # The error is on its way out of the member `key`.
    def within(key)
      @path.unshift(key)
      self
    end

    def at(root)
      @root = root
      self
    end

    def message
      path = @path.map { |key| key.is_a?(Integer) ? "[#{key}]" : ".#{key}" }
      path[SHOWN..] = "…" if path.size > SHOWN
      "#{@root}#{path.join} #{@what}"
    end
  end

  module Values
    # What a thread's stack has room for, with something to spare: of all that reads or writes, JSON.generate needs most.
    DEEPEST = 1_000
    TOO_DEEP = "is nested deeper than #{DEEPEST} levels"
    NONE = Object.new.freeze

    module_function

    # The value of JSON text; objects become Records.
    def read(bytes)
      text = bytes.dup.force_encoding(Encoding::UTF_8)
      text = text.scrub("\ufffd") unless text.valid_encoding?
      JSON.parse(text, object_class: Record, max_nesting: DEEPEST)
    rescue JSON::NestingError, SystemStackError
      raise JSON::NestingError, "the data #{TOO_DEEP}"
    end

    # JSON text. `root` is what errors call the value itself.
    def write(value, root = "data")
      JSON.generate(Plain.new.of(value), max_nesting: 0)
    rescue Unwritable => e
      raise e.at(root)
    rescue SystemStackError
      raise Unwritable.new(TOO_DEEP).at(root)
    end

    # A copy of nothing but hashes with text as keys, arrays, text, numbers, booleans and nil.
    class Plain
      def initialize
        @ancestors = {}.compare_by_identity
      end

      def of(value)
        case value
        when String then text(value)
        when Integer, nil, true, false then value
        when Float then value.finite? ? value : refuse("is #{value}, which JSON cannot hold")
        when Hash then members(enter(value))
        when Array then items(enter(value))
        when Symbol then text(value.name)
        when Numeric then value.class.name == "BigDecimal" && value.finite? ? value.to_s("F") : number(value)
        when Time then Values.time(value)
        else other(value)
        end
      end

      private

      def refuse(what)
        raise Unwritable, what
      end

      def text(value)
        Text.exact(value) || refuse("is a string of bytes that are not UTF-8")
      end

      def number(value)
        value.respond_to?(:finite?) && !value.finite? ? refuse("is #{value}, which JSON cannot hold") : value.to_s
      end

      def enter(value)
        refuse("is part of itself") if @ancestors.key?(value)
        refuse(TOO_DEEP) if @ancestors.size >= DEEPEST
        @ancestors[value] = true
        value
      end

      def leave(value)
        @ancestors.delete(value)
      end

      # These two have loops and no blocks, which would take several times as much of the stack for each level.

      def members(hash)
        copy = {}
        keys = hash.keys
        values = hash.values
        at = -1
        copy[key(keys[at])] = of(values[at]) while (at += 1) < keys.size
        leave(hash)
        copy
      rescue Unwritable => e
        key = keys[at]
        raise e.within(key.is_a?(String) || key.is_a?(Symbol) ? key : key.inspect)
      end

      def items(array)
        copy = []
        at = -1
        copy << of(array[at]) while (at += 1) < array.size
        leave(array)
        copy
      rescue Unwritable => e
        raise e.within(at)
      end

      # What a value of another kind holds.
      def inside(value, held)
        enter(value)
        of(held).tap { leave(value) }
      end

      def key(key)
        case key
        when String then text(key)
        when Symbol then text(key.name)
        when Numeric, nil, true, false then key.to_s
        when Time then Values.time(key)
        else refuse("has a key that is no text, but #{Text.name_of(key)}")
        end
      end

      # Classes of libraries that may not be loaded are known by their names.
      def other(value)
        type = value.class
        return inside(value, value.to_a) if kind?(type, "Set") || value.respond_to?(:to_ary)
        return value.iso8601(3) if kind?(type, "DateTime")
        return value.iso8601 if kind?(type, "Date")
        return inside(value, value.to_h) if own?(value, :to_h)
        return inside(value, JSON.parse(value.to_json)) if own?(value, :to_json)

        refuse("is #{Text.name_of(value)}, which has no JSON form")
      end

      def kind?(type, name)
        type.ancestors.any? { |ancestor| Module.instance_method(:name).bind_call(ancestor) == name }
      end

      # Every Enumerable has a to_h, for pairs, and every object a to_json, of its text.
      def own?(value, name)
        return false unless value.respond_to?(name)

        owner = value.method(name).owner
        owner != Enumerable && !owner.name.to_s.start_with?("JSON::", "Kernel", "Object")
      rescue NameError
        true
      end
    end

    # As JavaScript writes a Date, but with the zone that the time has.
    def time(value)
      value.utc? ? value.strftime("%Y-%m-%dT%H:%M:%S.%LZ") : value.strftime("%Y-%m-%dT%H:%M:%S.%L%:z")
    end
  end
end

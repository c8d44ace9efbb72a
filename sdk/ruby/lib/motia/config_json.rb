# A config as the JSON that the engine gets: data as it is, of functions only that they are there. What cannot be JSON is
# left out and named in a warning, never an error.
require_relative "values"

module Motia
  class ConfigJson
    DEEPEST = 64
    MOST_WARNINGS = 20
    # Objects of schema libraries that know their JSON Schema, by the method that gives it.
    SCHEMAS = %i[json_schema to_json_schema].freeze
    LEFT_OUT = Object.new.freeze

    # [JSON text, warnings]
    def self.of(config)
      new.then { |copier| [JSON.generate(copier.copy(config, "config", 0), max_nesting: 0), copier.warnings] }
    end

    def initialize
      @warnings = []
      @ancestors = {}.compare_by_identity
    end

    def warnings
      more = @warnings.size - MOST_WARNINGS
      more.positive? ? [*@warnings.first(MOST_WARNINGS), "and #{more} more like these"] : @warnings
    end

    # The JSON value, or LEFT_OUT.
    def copy(value, path, depth)
      case value
      when Hash, Array then nested(value, path, depth)
      when Proc, Method, UnboundMethod then true
      when Float then value.finite? ? value : nil
      else schema(value) { |method| return nested(value.public_send(method), path, depth) } || plain(value, path)
      end
    end

    private

    def warn(text)
      @warnings << Text.of(text)
      LEFT_OUT
    end

    def nested(value, path, depth)
      return warn("#{path} is a cycle, which JSON cannot hold") if @ancestors.key?(value)
      return warn("#{path} is nested too deep") if depth > DEEPEST

      @ancestors[value] = true
      value.is_a?(Hash) ? members(value, path, depth) : items(value, path, depth)
    ensure
      @ancestors.delete(value)
    end

    def members(hash, path, depth)
      hash.each_with_object({}) do |(key, member), copy|
        name = Text.of(key.is_a?(Symbol) ? key.name : key)
        if depth.zero? && name == "middleware"
          copy[name] = member.is_a?(Array) ? member.size : 1 unless member.nil?
          next
        end
        member = copy(member, "#{path}.#{name}", depth + 1)
        copy[name] = member unless member.equal?(LEFT_OUT)
      end
    end

    def items(array, path, depth)
      array.each_with_index.map do |item, index|
        item = copy(item, "#{path}[#{index}]", depth + 1)
        item.equal?(LEFT_OUT) ? nil : item
      end
    end

    def schema(value)
      method = SCHEMAS.find { |name| value.respond_to?(name) }
      yield method if method
    end

    def plain(value, path)
      Values::Plain.new.of(value)
    rescue Unwritable => e
      warn(e.at(path).message)
    rescue StandardError => e
      warn("#{path} cannot be read: #{Errors.message_of(e)}")
    end
  end
end

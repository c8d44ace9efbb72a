# JSON objects as handlers get them: hashes that can also be read as objects, `req.body["name"]`, `req.body[:name]`,
# `req.body.name`. In 0.17 these were OpenStructs.
require_relative "members_first"

module Motia
  class Record < Hash
    prepend MembersFirst

    # What Ruby asks anything for, to take it for something else: whoever sends the data has no say in that.
    CONVERSIONS = %w[to_ary to_str to_int to_proc to_io to_path to_regexp].freeze

    # Of what C calls for a key that is not there, so that a key that is there costs nothing. Without one it is a member.
    def default(key = "default")
      fetch_text(text(key))
    end

    def []=(key, value)
      super(text(key), value)
    end
    alias store []=

    def fetch(key, *default, &block)
      super(text(key), *default, &block)
    end

    def key?(key)
      super(text(key))
    end
    alias has_key? key?
    alias include? key?
    alias member? key?

    def delete(key, &block)
      super(text(key), &block)
    end

    def values_at(*keys)
      super(*keys.map { |key| text(key) })
    end

    def fetch_values(*keys, &block)
      super(*keys.map { |key| text(key) }, &block)
    end

    def slice(*keys)
      super(*keys.map { |key| text(key) })
    end

    def except(*keys)
      super(*keys.map { |key| text(key) })
    end

    def update(*others, &block)
      super(*others.map { |other| texts(other) }, &block)
    end
    alias merge! update

    def merge(*others, &block)
      super(*others.map { |other| texts(other) }, &block)
    end

    # `case req in { body: { message: } }`
    def deconstruct_keys(keys)
      (keys || self.keys.map(&:to_sym)).each_with_object({}) do |key, found|
        found[key] = fetch(key) if key?(key)
      end
    end

    def method_missing(name, *args)
      text = name.name
      if text.end_with?("=") && args.size == 1
        self[text.chomp("=")] = args.first
      elsif args.empty? && !block_given?
        attribute(text)
      else
        super
      end
    end

    # Only for what is there.
    def respond_to_missing?(name, all = false)
      (!CONVERSIONS.include?(name.name) && !key_of(name.name).nil?) || super
    end

    private

    def attribute(name)
      value = fetch_text(name)
      value.nil? ? self[key_of(name)] : value
    end

    # The key that an attribute means: `user_id` may be there as JavaScript writes it, `content_type` as HTTP does.
    def key_of(name)
      return name if key?(name)

      [camel(name), name.tr("_", "-")].find { |other| key?(other) } if name.include?("_")
    end

    def camel(name)
      name.gsub(/(?<=[a-zA-Z0-9])_([a-z0-9])/) { $1.upcase }
    end

    HASH_FETCH = Hash.instance_method(:fetch)

    def fetch_text(text)
      HASH_FETCH.bind_call(self, text, nil)
    end

    def text(key)
      key.is_a?(Symbol) ? key.name : key
    end

    def texts(other)
      other.to_hash.transform_keys { |key| text(key) }
    end
  end
end

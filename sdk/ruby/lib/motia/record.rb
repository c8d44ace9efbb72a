# JSON objects as handlers get them: hashes that can also be read as objects, `req.body["name"]`, `req.body[:name]`,
# `req.body.name`. In 0.17 these were OpenStructs. The methods of Hash win over keys of the same name.

module Motia
  class Record < Hash
    # Of what C calls for a key that is not there, so that a key that is there costs nothing.
    def default(key = nil)
      key.is_a?(Symbol) ? fetch_text(key.name) : nil
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

    # Only for what is there: Ruby asks anything whether it has to_ary, to_str, to_proc.
    def respond_to_missing?(name, all = false)
      text = name.to_s
      has_key?(text) || has_key?(camel(text)) || has_key?(text.tr("_", "-")) || super
    end

    private

    def attribute(text)
      value = fetch_text(text)
      return value if !value.nil? || !text.include?("_")

      # `path_params`, and of headers `content_type`.
      value = fetch_text(camel(text))
      value.nil? ? fetch_text(text.tr("_", "-")) : value
    end

    # Names on the wire are as JavaScript writes them.
    def camel(text)
      text.gsub(/(?<=[a-zA-Z0-9])_([a-z0-9])/) { $1.upcase }
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

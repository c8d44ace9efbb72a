# Whatever users hand over, as text that may go into a frame: UTF-8, with U+FFFD in the place of what is not.

module Motia
  module Text
    UTF_8 = Encoding::UTF_8
    # What strings are called that may be text in UTF-8 all the same.
    LIKELY = [UTF_8, Encoding::US_ASCII, Encoding::BINARY].freeze
    # A log line or an error shows so many characters.
    LONGEST = 8_192

    module_function

    def of(value)
      text = string(value)
      return text.encode(UTF_8, invalid: :replace, undef: :replace, replace: "\ufffd") unless LIKELY.include?(text.encoding)

      text = text.dup.force_encoding(UTF_8) unless text.encoding == UTF_8
      text.valid_encoding? ? text : text.scrub("\ufffd")
    rescue EncodingError
      text.b.inspect
    end

    # A copy of its bytes: as they are if they may be a piece of text, otherwise those of the text in UTF-8.
    def bytes(value)
      text = string(value)
      LIKELY.include?(text.encoding) ? text.b : of(text).b
    end

    # Unlike `to_s`, which a class may have its own idea of, this is a string for certain.
    def string(value)
      value.is_a?(String) ? value : "#{value}"
    end

    # The same text in UTF-8, or nil where that would lose something. Many libraries call text binary.
    def exact(text)
      case text.encoding
      when UTF_8 then text.valid_encoding? ? text : nil
      when Encoding::US_ASCII, Encoding::BINARY
        copy = text.dup.force_encoding(UTF_8)
        copy.valid_encoding? ? copy : nil
      else text.encode(UTF_8)
      end
    rescue EncodingError
      nil
    end

    def clip(text, longest = LONGEST)
      text.length <= longest ? text : "#{text[0, longest]}… (#{text.length - longest} more characters)"
    end

    # What a value is, for sentences that say that it should be something else.
    def name_of(value)
      case value
      when nil, true, false then value.inspect
      when String then "the string #{Text.of(value)[0, 40].inspect}"
      when Numeric then "the number #{value}"
      when Array then "an array"
      when Hash then "a hash"
      else
        name = Names.of(value.class)
        name ? a(name) : "an object"
      end
    end

    def a(noun)
      noun.match?(/\A[AEIOU]/) ? "an #{noun}" : "a #{noun}"
    end
  end

  # The classes of a step file live in a module that we made (see StepFile). Its users never heard of it.
  module Names
    OURS = /\AMotia::Steps::\w+::/.freeze
    # In Ruby's own messages and backtraces: where a script would have `main`, and in front of its classes and methods.
    HOME = /module Motia::Steps::\w+|Motia::Steps::\w+:Module/.freeze
    WITHIN = /Motia::Steps::\w+(?:::|#|\.)/.freeze

    module_function

    # nil for a class without a name.
    def of(type)
      name = Module.instance_method(:name).bind_call(type)
      name&.sub(OURS, "")
    end

    def hide(text)
      text.include?("Motia::Steps::") ? text.gsub(HOME, "main:Object").gsub(WITHIN, "") : text
    end
  end
end

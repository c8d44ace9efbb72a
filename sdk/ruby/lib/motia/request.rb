# A CALL frame's meta and body as the `req` of a handler. JSON is parsed as it came, and the exact bytes are beside it:
# signatures are made over them.
require_relative "errors"
require_relative "multipart"
require_relative "values"

module Motia
  module Request
    # Names that mean another encoding on the web, or that Ruby does not know.
    CHARSETS = { "iso-8859-1" => "Windows-1252", "latin1" => "Windows-1252", "us-ascii" => "Windows-1252",
                 "ascii" => "Windows-1252", "utf8" => "UTF-8" }.freeze

    # A form: as text it is what came, since signatures are made with "v0:#{timestamp}:#{req.body}".
    class Form < Record
      attr_writer :raw

      def to_s
        @raw || super
      end
    end

    # The whole of it. Its members have the names that Ruby would give them, too, in every way to read and write them.
    class Parts < Record
      NAMES = { "path_params" => "pathParams", "query_params" => "queryParams", "raw_body" => "rawBody" }.freeze

      private

      def text(key)
        text = super
        NAMES.fetch(text, text)
      end
    end

    module_function

    def build(meta, bytes)
      case meta["content"]
      when nil, "none" then request(meta, Record.new, "")
      when "json" then json(meta, bytes)
      when "form" then form(meta, bytes)
      when "text" then request(meta, text(meta, bytes), exact(bytes))
      when "multipart"
        fields = Multipart.parse(meta.dig("headers", "content-type"), bytes)
        request(meta, fields, exact(bytes))
      else request(meta, bytes, exact(bytes))
      end
    end

    def request(meta, body, raw)
      Parts.new.replace(
        "body" => body,
        "headers" => record(meta["headers"]),
        "pathParams" => record(meta["params"]),
        "queryParams" => record(meta["query"]),
        "rawBody" => raw
      )
    end

    # The meta was read as plain hashes.
    def record(value)
      case value
      when Hash then value.each_with_object(Record.new) { |(key, member), record| record[key] = record(member) }
      when Array then value.map { |item| record(item) }
      when nil then Record.new
      else value
      end
    end

    def json(meta, bytes)
      raw = exact(bytes)
      text = raw.encoding == Encoding::UTF_8 ? raw : Text.of(raw)
      body = text.empty? ? Record.new : parse(text)
      raise InvalidBody, "the JSON body must be an object or an array" unless body.is_a?(Hash) || body.is_a?(Array)

      request(meta, body, raw)
    end

    def parse(text)
      # A byte order mark is no JSON, but some clients send one.
      Values.read(text.delete_prefix("\ufeff"))
    rescue JSON::NestingError => e
      raise InvalidBody, "the body cannot be read: #{Text.of(e.message)}"
    rescue JSON::ParserError => e
      why = Text.of(e.message).sub(/\A\d+: /, "")
      raise InvalidBody, "the body is not valid JSON: #{Text.clip(why, 200)}"
    end

    def form(meta, bytes)
      split = meta["split"].to_i
      body = Values.read(bytes.byteslice(0, split))
      raw = exact(bytes.byteslice(split, bytes.bytesize - split))
      fields = Form.new.update(body)
      fields.raw = raw if raw.encoding == Encoding::UTF_8
      request(meta, fields, raw)
    end

    def text(meta, bytes)
      return Text.of(bytes) if meta["charset"].nil?

      charset = meta["charset"].to_s.strip.downcase
      begin
        bytes.dup.force_encoding(Encoding.find(CHARSETS.fetch(charset, charset)))
             .encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: "\ufffd")
      rescue ArgumentError, EncodingError
        raise InvalidBody, "the charset #{Text.clip(charset, 40)} is not known"
      end
    end

    # The exact bytes: as text where that loses nothing, otherwise as a binary string. A NUL says that it is no text,
    # whatever its bytes look like.
    def exact(bytes)
      return bytes if bytes.include?("\0")

      text = bytes.dup.force_encoding(Encoding::UTF_8)
      text.valid_encoding? ? text : bytes
    end
  end
end

# What a handler returned, as the meta and body of its RESULT. What is not a response is an error that says why: a
# client gets 500, and the log tells the author what to change.
require_relative "frames"
require_relative "uploaded_file"
require_relative "values"

module Motia
  # The meta and body of a RESULT; or the status and headers of one whose body is a `stream`, which comes bit by bit.
  class Outcome
    attr_reader :meta, :body, :stream

    def self.failed(error)
      meta = error.is_a?(InvalidBody) ? { invalid: Errors.message_of(error) } : { error: Errors.to_wire(error) }
      new(meta, nil)
    end

    def initialize(meta, body, stream = nil)
      @meta = meta
      @body = body
      @stream = stream
    end

    def failed?
      @meta.is_a?(Hash) && (@meta.key?(:error) || @meta.key?(:invalid))
    end
  end

  module Response
    # Header names are tokens; values may hold anything but control characters, which could forge further headers.
    TOKEN = /\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z/.freeze
    CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/.freeze
    RETURN = "return { status: 200, body: … }"

    @metas = {}

    module_function

    def outcome(response)
      members = members_of(response)
      status = status_of(members)
      headers = members["headers"].nil? ? nil : headers_of(members["headers"])
      return result(status, "none", headers, nil) unless members.key?("body")

      encode(status, headers, members["body"])
    end

    # Keys may be text or symbols. A Struct or another object that is a hash at heart does as well.
    def members_of(response)
      usable = !response.nil? && !response.is_a?(Array) && response.respond_to?(:to_h)
      unless usable
        raise TypeError, "a handler must return { status:, body: }, but this one returned #{Text.name_of(response)}"
      end

      response.to_h.transform_keys(&:to_s)
    end

    def encode(status, headers, body)
      case body
      when String then text_or_bytes(status, headers, body)
      when UploadedFile then file(status, headers, body)
      else
        return Outcome.new({ status: status, headers: headers }, nil, body) if stream?(body)

        result(status, "json", headers, json(body))
      end
    end

    # Things that have items but are data all the same have a JSON form.
    def stream?(body)
      return false if body.is_a?(Hash) || body.is_a?(Array) || body.is_a?(Struct) || body.is_a?(Range)
      return false if body.respond_to?(:to_ary) || body.respond_to?(:to_hash)
      return false unless body.respond_to?(:each)

      # A Set, an OpenStruct: what is a value. What reads or yields is not.
      body.is_a?(Enumerator) || body.respond_to?(:read) || !(body.respond_to?(:include?) && body.respond_to?(:size))
    end

    def text_or_bytes(status, headers, body)
      text = body.encoding == Encoding::BINARY ? nil : Text.exact(body)
      text ? result(status, "text", headers, text) : result(status, "bytes", headers, body)
    end

    # A file brings its type along, unless the handler says otherwise.
    def file(status, headers, file)
      headers = { "content-type" => file.content_type }.merge(headers || {}) unless content_type?(headers)
      result(status, "bytes", headers, file.data)
    end

    def content_type?(headers)
      !headers.nil? && headers.any? { |name, _| name.casecmp?("content-type") }
    end

    # Most responses have no headers, and then there are few different metas.
    def result(status, type, headers, body)
      return Outcome.new({ status: status, type: type, headers: headers }, body) if headers

      Outcome.new(@metas[[status, type]] ||= JSON.generate(status: status, type: type).freeze, body)
    end

    def status_of(members)
      value = members["status"]
      raise TypeError, "the response has no status; #{RETURN}" unless members.key?("status")

      status = value.is_a?(String) ? Integer(value.strip, 10, exception: false) : value
      status = status.to_i if status.is_a?(Float) && status.finite? && status == status.to_i
      return status if status.is_a?(Integer) && status.between?(100, 599)

      raise TypeError, "the response's status must be a whole number from 100 to 599, not #{Text.name_of(value)}"
    end

    # A hash, or a list of pairs. Names that come more than once become a list.
    def headers_of(source)
      pairs = source.respond_to?(:to_hash) ? source.to_hash : source
      raise TypeError, "the response's headers must be a hash, not #{Text.name_of(source)}" unless pairs.respond_to?(:each)

      pairs.each_with_object({}) do |(name, value), headers|
        next if value.nil?

        name = header_name(name)
        text = value.is_a?(Array) ? value.map { |item| header_text(name, item) } : header_text(name, value)
        headers[name] = headers.key?(name) ? [headers[name], text].flatten : text
      end
    end

    def header_name(name)
      text = Text.of(name)
      raise TypeError, "the response has a header with an invalid name: #{text.inspect}" unless text.match?(TOKEN)

      text
    end

    def header_text(name, value)
      case value
      when String, Symbol, Numeric, true, false
        text = Text.of(value)
        raise TypeError, "the response's header #{name} contains control characters" if text.match?(CONTROL)

        text
      else raise TypeError, "the response's header #{name} must be a string, not #{Text.name_of(value)}"
      end
    end

    def json(body)
      Values.write(body, "body")
    rescue Unwritable => e
      raise TypeError, "the response's body cannot be written as JSON: #{e.message}"
    end
  end
end

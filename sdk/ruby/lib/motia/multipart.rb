# multipart/form-data (RFC 7578): fields become text, files UploadedFiles, and repeated ones lists.
require_relative "errors"
require_relative "record"
require_relative "uploaded_file"

module Motia
  class Multipart
    LINE = "\r\n".b.freeze

    # The fields of `bytes`, a binary string.
    def self.parse(content_type, bytes)
      new(content_type, bytes).fields
    end

    def initialize(content_type, bytes)
      boundary = parameter(content_type.to_s, "boundary")
      broken("there is no boundary in its content type") if boundary.nil? || boundary.empty?
      @delimiter = "--#{boundary}".b
      @bytes = bytes
    end

    def fields
      fields = Record.new
      each_part do |head, data|
        disposition = head["content-disposition"].to_s
        name = parameter(disposition, "name")
        broken("a part has no name") if name.nil?
        add(fields, name, value(disposition, head["content-type"], data))
      end
      fields
    end

    private

    def broken(why)
      raise InvalidBody, "the body is not valid multipart/form-data: #{why}"
    end

    def each_part
      at = @bytes.start_with?(@delimiter) ? 0 : @bytes.index(LINE + @delimiter)&.+(2)
      broken("its boundary does not come") if at.nil?
      loop do
        at += @delimiter.bytesize
        return if @bytes.byteslice(at, 2) == "--"

        head_at = @bytes.index(LINE, at)
        # Before that line's end there is at most white space.
        broken("a boundary is followed by something else") unless @bytes.byteslice(at, (head_at || at) - at).strip.empty?
        at = part(head_at) { |head, data| yield head, data }
      end
    end

    # Yields the part whose head begins after the line feed at `at`; returns where the next delimiter is.
    def part(at)
      broken("it is cut off") if at.nil?
      # A part without any header has its empty line at once.
      head_end = @bytes.index(LINE + LINE, at)
      broken("a part has no end of its headers") if head_end.nil?
      data_at = head_end + 4
      data_end = @bytes.index(LINE + @delimiter, data_at - 2)
      broken("it is cut off") if data_end.nil?
      size = [data_end - data_at, 0].max
      yield headers(@bytes.byteslice(at, head_end - at)), @bytes.byteslice(data_at, size)
      data_end + 2
    end

    def headers(text)
      Text.of(text).split("\r\n").each_with_object({}) do |line, headers|
        name, value = line.split(":", 2)
        headers[name.strip.downcase] = value.strip if value
      end
    end

    # The parameter of a header: `name="a"`, `name=a`. Browsers escape quotes and line feeds as %22, %0D, %0A.
    def parameter(header, name)
      encoded = header[/;\s*#{name}\*\s*=\s*utf-8'[^']*'([^;\s]+)/i, 1]
      return Text.of(encoded.gsub(/%(\h\h)/) { $1.hex.chr }.b) if encoded

      match = header.match(/;\s*#{name}\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;\s]+))/i)
      return nil if match.nil?

      match[1] ? match[1].gsub(/\\(["\\])/, '\1').gsub(/%22|%0D|%0A/i) { |code| code[1, 2].hex.chr } : match[2]
    end

    def value(disposition, type, data)
      filename = parameter(disposition, "filename")
      return Text.of(data) if filename.nil?

      UploadedFile.new(filename, type || "application/octet-stream", data)
    end

    def add(fields, name, value)
      fields[name] = fields.key?(name) ? [*fields[name], value] : value
    end
  end
end

# A file of a multipart form.

module Motia
  class UploadedFile
    attr_reader :filename, :content_type, :data
    alias name filename
    alias type content_type

    def initialize(filename, content_type, data)
      @filename = filename
      @content_type = content_type
      @data = data
    end

    def size
      @data.bytesize
    end

    # All of it, as bytes.
    def read
      @data
    end

    def inspect
      "#<Motia::UploadedFile #{@filename.inspect} #{@content_type} #{size} bytes>"
    end
    alias to_s inspect
  end
end

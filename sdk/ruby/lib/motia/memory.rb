# The resident memory of this process, which the engine shows and limits. Where the system does not tell it cheaply, it
# is left out.

module Motia
  module Memory
    STATUS = "/proc/self/status"

    module_function

    def meta
      bytes = resident
      bytes ? { memory: bytes } : nil
    end

    def resident
      return nil if @unknown

      File.read(STATUS)[/^VmRSS:\s+(\d+) kB/, 1].to_i * 1024
    rescue SystemCallError
      @unknown = true
      nil
    end
  end
end

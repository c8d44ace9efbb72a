# Where an error comes from, as users are shown it: the lines of the project's own files, named as the project names
# them, and no more of them than a log should hold.
require_relative "text"

module Motia
  module Backtrace
    OURS = [File.expand_path("..", __dir__), File.expand_path("../../worker.rb", __dir__)].freeze
    INTERNAL = ["<internal:", "(eval"].freeze
    VENDORED = %r{\A(?:vendor|\.bundle|node_modules)/}.freeze
    # A method that calls itself is shown so often.
    REPEATED = 3
    # Of a long backtrace, so much of where it ended and of where it began.
    LAST = 30
    FIRST = 10

    class << self
      # The project's folder: which lines are the user's own.
      attr_accessor :root

      # Texts, the innermost first. Never raises.
      def of(error)
        cut(fold(user_lines(raw(error)).map { |line| "at #{relative(line)}" }))
      end

      # `file:line` of the user's own code where it was noticed; nil if none of it was involved.
      def place(error)
        line = raw(error).find { |candidate| own?(candidate) }
        line && relative(line)[/\A.+?:\d+/]
      end

      # Files are named as the project names them.
      def relative(text)
        root ? text.gsub("#{root}/", "") : text
      end

      private

      # A class may have its own idea of a backtrace.
      def raw(error)
        Array(error.backtrace).map { |line| Names.hide(Text.of(line)) }
      rescue Exception
        []
      end

      # The project's own lines, and above them the place in a gem or in Ruby where it was noticed.
      def user_lines(lines)
        lines = lines.reject { |line| line.start_with?(*OURS, *INTERNAL) }
        own = lines.select { |line| own?(line) }
        return lines if own.empty?

        own.first.equal?(lines.first) ? own : [lines.first, *own]
      end

      def own?(line)
        return false unless root && line.start_with?("#{root}/")

        !line[root.length + 1..].match?(VENDORED)
      end

      def fold(lines)
        lines.chunk_while { |line, following| line == following }.flat_map do |same|
          more = same.size - REPEATED
          more > 1 ? [*same.first(REPEATED), "… the same #{more} more times"] : same
        end
      end

      def cut(lines)
        more = lines.size - LAST - FIRST
        more > 1 ? [*lines.first(LAST), "… #{more} more lines", *lines.last(FIRST)] : lines
      end
    end
  end
end

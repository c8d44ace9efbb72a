# A forked child of user code: the stream to the engine is its parent's. It has to let go of it, and goes on as an
# ordinary Ruby process.

module Motia
  module Fork
    class << self
      def child?
        @child ? true : false
      end

      def install(connection)
        @connection = connection
        if Process.respond_to?(:_fork)
          Process.singleton_class.prepend(Hook)
        else
          [Kernel.singleton_class, Process.singleton_class, Kernel].each { |place| place.prepend(Hook30) }
        end
      end

      def forked
        @child = true
        @connection.abandon
        %w[INT TERM].each { |name| trap(name, "DEFAULT") }
      end
    end

    module Hook
      def _fork
        super.tap { |pid| Fork.forked if pid.zero? }
      end
    end

    # Ruby 3.0 has no single place that all forks go through.
    module Hook30
      def fork
        return super().tap { |pid| Fork.forked if pid.nil? } unless block_given?

        super() do
          Fork.forked
          yield
        end
      end
    end
  end
end

# A step file, as code of its own: what it defines at its top level are methods and constants of a module that nobody
# else sees, so that all files can have a `config` and a `handler`. Apart from that it runs as a script would.

module Motia
  # The modules of the step files: with names, so that objects of their classes can be dumped and printed.
  module Steps
  end

  class StepFile
    # Of these a file that says `class String` means Ruby's own, not a new one.
    RUBYS = Object.constants.reject { |name| name == :Motia }.freeze
    OPENS = /^[ \t]*(?:class|module)[ \t]+([A-Z]\w*)/.freeze
    ENDS = /^__END__\r?\n?/.freeze

    class << self
      # What EVALUATE evaluates: it has no variables of its own, as the code would see them.
      attr_reader :home, :code, :path

      def evaluate(home, code, path)
        @home = home
        @code = code
        @path = path
        EVALUATE.call
      ensure
        @home = @code = @path = nil
      end
    end

    # `path` is where the file lies for its user, and is found by require_relative, __FILE__ and in backtraces; its text
    # may come from a copy.
    def initialize(source, path)
      @source = source
      @path = path
    end

    # Runs the file, given as bytes: whether they are text is for Ruby to say. Raises whatever it raises.
    def load(text)
      name = name_of(@source)
      Steps.send(:remove_const, name) if Steps.const_defined?(name, false)
      @home = Steps.const_set(name, Module.new)
      @home.extend(@home)
      prepare(text)
      within_classes(text) { StepFile.evaluate(@home, text.dup.force_encoding(Encoding::UTF_8), @path) }
      self
    end

    # A top-level method of the file. Methods that other files put on every object do not count.
    def method(name)
      method = @home.method(name)
      [Object, Kernel, Module, Class, BasicObject].include?(method.owner) ? nil : method
    rescue NameError
      nil
    end

    private

    # steps/pay-order.step.rb → StepsPayOrderStepRb
    def name_of(source)
      name = source.split(/[^A-Za-z0-9]+/).reject(&:empty?).map { |part| part[0].upcase + part[1..] }.join
      name.match?(/\A[A-Z]/) ? name : "File#{name}"
    end

    def prepare(text)
      text.scan(OPENS).flatten.uniq.map(&:to_sym).each do |name|
        @home.const_set(name, Object.const_get(name)) if RUBYS.include?(name)
      end
      text.match(ENDS) { |match| @home.const_set(:DATA, data(match.post_match)) }
    end

    # What a script finds in DATA, behind its __END__.
    def data(rest)
      reader, writer = IO.pipe
      Threads.own do
        writer.write(rest)
      ensure
        writer.close
      end
      reader.set_encoding(Encoding::UTF_8)
    end

    # In a script, its top-level methods can be called from everywhere in it, also from its classes.
    def within_classes(text, &block)
      return yield unless text.match?(OPENS)

      helpers = helpers_of(@home)
      opened = TracePoint.new(:class) do |point|
        type = point.self
        next unless point.path == @path && !type.singleton_class? && type.name&.start_with?("#{@home.name}::")

        type.include(helpers)
        type.extend(helpers)
      rescue StandardError
        # A class that cannot be extended has to do without.
      end
      opened.enable(&block)
    end

    # Only what nothing else answers to: a method of a class's own or of its parent goes first.
    def helpers_of(home)
      Module.new do
        define_method(:method_missing) do |name, *args, &block|
          return super(name, *args, &block) unless home.method_defined?(name) || home.private_method_defined?(name)

          home.instance_method(name).bind_call(self, *args, &block)
        end
        ruby2_keywords :method_missing
        private :method_missing
      end
    end
  end
end

# Here, where no module of ours is in sight of the code, and in no method, where `using` would be refused.
Motia::StepFile::EVALUATE = lambda {
  Motia::StepFile.home.module_eval(Motia::StepFile.code, Motia::StepFile.path)
}

# A loaded step: its config, and its handler behind its middleware.
require_relative "call_kinds"

module Motia
  # A file without what its kind of file needs. It says all there is to say: where it was noticed is of no use to anyone.
  class Unsuitable < StandardError
  end

  class Step
    EXAMPLES = {
      "step" => "type: \"api\", name: \"MyStep\", path: \"/my-step\", method: \"GET\", emits: []",
      "stream" => "name: \"myStream\", schema: {}, baseConfig: { storageType: \"default\" }"
    }.freeze

    # How many arguments fit where any number does.
    ANY = 255

    attr_reader :source, :config, :flows

    # `file` is a StepFile that was loaded. Raises where a step would run unprotected.
    def initialize(source, kind, file)
      @source = source
      @config = config_of(kind, file)
      flows = member("flows")
      @flows = flows.is_a?(Array) ? flows : []
      handler = kind == "step" ? file.method(:handler) : nil
      run = handler && layered(positional(handler))
      # Kind of CALL to what it runs.
      @runs = run ? CallKinds::HANDLED.to_h { |handled| [handled, run] } : {}
    end

    def handler?
      !@runs.empty?
    end

    def runs?(kind)
      @runs.key?(kind)
    end

    def run(kind, input, context)
      # A cron step's handler gets nothing but its context.
      @runs[kind].call(input, context, kind == "cron")
    end

    private

    def member(name)
      @config.fetch(name) { @config[name.to_sym] }
    end

    def config_of(kind, file)
      method = file.method(:config)
      if method.nil?
        raise Unsuitable, "#{@source} defines no config. Add: def config = { #{EXAMPLES.fetch(kind, EXAMPLES["step"])} }"
      end

      config = method.call
      return config if config.is_a?(Hash)

      line = method.source_location&.last
      raise Unsuitable, "#{[@source, line].compact.join(":")}: config returns #{Text.name_of(config)}, not a hash"
    end

    # Handlers take what they have parameters for.
    def positional(handler)
      takes = takes_of(handler)
      lambda do |input, context, alone|
        # A cron handler of two parameters has the input of other steps first.
        args = alone && (takes < 2 || takes == ANY) ? [context] : [input, context]
        handler.call(*args.first(takes))
      end
    end

    def takes_of(function)
      kinds = function.parameters.map(&:first)
      kinds.include?(:rest) ? ANY : kinds.count { |kind| kind == :req || kind == :opt }
    end

    def layered(handler)
      middleware = member("middleware")
      return handler if middleware.nil?

      layers = middleware.is_a?(Array) ? middleware : [middleware]
      layers.each_with_index { |layer, at| check(layer, at) }
      layers.reverse.inject(handler) { |inner, layer| wrap(inner, layer) }
    end

    # Leaving it out could leave out the check of who is asking.
    def check(layer, at)
      return if layer.respond_to?(:call)

      raise Unsuitable, "#{@source}: middleware[#{at}] must be a lambda, a method or another object with `call`, " \
                        "but it is #{Text.name_of(layer)}"
    end

    def wrap(inner, layer)
      lambda do |input, context, alone|
        called = false
        following = lambda do |*|
          raise "the middleware #{name_of(layer)} called next_fn twice" if called

          called = true
          inner.call(input, context, alone)
        end
        layer.call(input, context, following)
      end
    end

    def name_of(layer)
      return layer.name.to_s if layer.is_a?(Method)
      return Names.of(layer.class).to_s unless layer.is_a?(Proc)

      file, line = layer.source_location
      "of #{Backtrace.relative(file.to_s)}:#{line}"
    end
  end
end

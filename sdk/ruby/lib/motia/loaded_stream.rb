# A loaded stream: `canAccess` of its config says who may watch it, `onJoin` and `onLeave` hear of those who come and go.
# The engine runs them by CALL.
require_relative "response"
require_relative "step"

module Motia
  class LoadedStream < Step
    # By kind of CALL, what it runs and how many arguments that gets. The engine knows each function by its first name.
    FUNCTIONS = {
      "access" => [%w[canAccess can_access], 2],
      "join" => [%w[onJoin on_join], 3],
      "leave" => [%w[onLeave on_leave], 3]
    }.freeze
    ANSWER = '{"type":"json"}'.freeze

    # Raises where everybody could watch.
    def initialize(source, kind, file)
      super
      FUNCTIONS.each { |of_kind, (names, most)| take(of_kind, names, most) }
    end

    # Whether it says who may watch. Its config tells of what else it has.
    def handler?
      runs?("access")
    end

    # The outcome of a call that asks.
    def answer(body)
      Outcome.new(ANSWER, @runs["access"].call(*about(body)) ? "true" : "false")
    end

    # Somebody comes or goes.
    def tell(kind, body, context)
      @runs[kind].call(*about(body), context)
    end

    private

    def take(kind, names, most)
      keys = names.flat_map { |name| [name, name.to_sym] }
      function = @config.values_at(*keys).compact.first
      # Of functions the engine knows only that they are there.
      @config = @config.except(*keys)
      return if function.nil?

      ensure_function(names.first, function)
      @config[names.first] = true
      @runs[kind] = fitting(function.respond_to?(:parameters) ? function : function.method(:call), most)
    end

    def ensure_function(name, function)
      return if function.respond_to?(:call)

      raise Unsuitable, "#{source}: #{name} must be a lambda, a method or another object with `call`, " \
                        "but it is #{Text.name_of(function)}"
    end

    def fitting(function, most)
      takes = [takes_of(function), most].min
      ->(*args) { function.call(*args.first(takes)) }
    end

    def about(body)
      Values.read(body).values_at("subscription", "context")
    end
  end
end

# A loaded stream: who may watch it is what the `canAccess` of its config says. The engine asks by CALL.
require_relative "response"
require_relative "step"

module Motia
  class Guard < Step
    NAMES = %w[canAccess can_access].flat_map { |name| [name, name.to_sym] }.freeze
    ANSWER = '{"type":"json"}'.freeze

    # Raises where everybody could watch.
    def initialize(source, kind, file)
      super
      check = config.values_at(*NAMES).compact.first
      # The engine knows one name only, and of functions only that they are there.
      @config = config.except(*NAMES)
      return if check.nil?

      ensure_function(check)
      @config["canAccess"] = true
      @run = positional(check.respond_to?(:parameters) ? check : check.method(:call))
    end

    def question
      QUESTIONS["access"]
    end

    # The outcome of a call that asks.
    def answer(body)
      question = Values.read(body)
      Outcome.new(ANSWER, run(question["subscription"], question["context"]) ? "true" : "false")
    end

    private

    def ensure_function(check)
      return if check.respond_to?(:call)

      raise Unsuitable, "#{source}: canAccess must be a lambda, a method or another object with `call`, " \
                        "but it is #{Text.name_of(check)}"
    end
  end
end

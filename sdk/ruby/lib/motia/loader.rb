# LOAD: runs user files one after the other and tells the engine what each of them is. The main thread does it, as some
# libraries want to be loaded there.
require_relative "config_json"
require_relative "loaded_stream"
require_relative "step"
require_relative "step_file"

module Motia
  class Loader
    # `steps` is filled: source to what was loaded.
    def initialize(connection, steps)
      @connection = connection
      @steps = steps
    end

    def load(root, files)
      Gems.setup(root)
      enter(root)
      files.each do |file|
        # The file may never return. The engine then has to know which one it was.
        @connection.send_message(Kind::IMPORTING, 0, { file: file["source"] })
        import(root, file)
        Console.flush
      end
      @connection.send_message(Kind::READY, 0, Memory.meta)
    end

    private

    # Files of the project are found by `require`, after Ruby's own and gems.
    def enter(root)
      Backtrace.root = root
      [root, *%w[lib steps src].map { |name| File.join(root, name) }].each do |folder|
        $LOAD_PATH << folder unless $LOAD_PATH.include?(folder)
      end
    end

    def import(root, file)
      source, kind = file.values_at("source", "kind")
      return refuse(source, Gems.problem) if Gems.problem

      step = step_of(source, kind, File.join(root, source), file["module"])
      json, warnings = ConfigJson.of(step.config)
      @steps[source] = step
      meta = { file: source, handler: step.handler?, warnings: warnings }
      @connection.send_message(Kind::IMPORTED, 0, meta, json)
    rescue Exception => e # whatever it is, it is this file's
      refuse(source, describe(e, source))
    end

    def step_of(source, kind, path, copy)
      raise Unsuitable, "#{source}: the project's config is a file of JavaScript or TypeScript" if kind == "config"

      text = File.binread(copy).delete_prefix("\ufeff".b)
      (kind == "stream" ? LoadedStream : Step).new(source, kind, StepFile.new(source, path).load(text))
    end

    def refuse(source, error)
      @connection.send_message(Kind::REFUSED, 0, { file: source }, JSON.generate(error))
    end

    def describe(error, source)
      case error
      when Unsuitable then { message: Errors.message_of(error) }
      when SystemExit then exited(ProcessExit.of(error))
      when LoadError then missing(error)
      when SyntaxError then syntax(error, source)
      else Errors.to_wire(error)
      end
    end

    def exited(error)
      Errors.to_wire(error, "#{error.message}#{place(error)}, while the file was loaded")
    end

    def missing(error)
      name = error.path.to_s
      return Errors.to_wire(error) if name.empty? || name.start_with?("/", ".")

      hint = "If #{name} is a gem, add it to the Gemfile, then run bundle install"
      Errors.to_wire(error, "#{Errors.message_of(error)}#{place(error)}. #{hint}")
    end

    def place(error)
      Backtrace.place(error)&.then { |place| " (#{place})" }
    end

    # Ruby says where in the message only.
    def syntax(error, source)
      wire = Errors.to_wire(error)
      place = wire[:message][/^(\S+?:\d+):/, 1] || source
      wire[:stack] = "#{wire[:name]}: #{wire[:message]}\n    at #{place}"
      wire
    end
  end
end

# LOAD: files that load, each for itself, and files that are refused.
require "minitest/autorun"
require_relative "support/engine"

class LoadingTest < WorkerTest
  def test_steps_streams_and_noops_load_and_each_is_announced_before_it_runs
    files = {
      "steps/named.step.rb" => step("{ status: 200 }"),
      "steps/under_step.rb" => "def config\n  { 'type' => 'event', 'name' => 'U', 'subscribes' => ['x'] }\nend\ndef handler(input, context); end",
      "noop.step.rb" => "def config = { type: 'noop', name: 'N', virtualEmits: [], virtualSubscribes: [] }",
      "a.stream.rb" => "def config = { name: 'chat', schema: {}, baseConfig: { storageType: 'default' } }",
      "b_stream.rb" => "def config = { name: 'b' }\ndef handler = 1"
    }
    with_engine(files: files) do |engine|
      loaded = engine.load(*files.keys)
      assert_equal([true, true, false, false, false], files.keys.map { |source| loaded[source]["handler"] })
      assert_equal({ "type" => "event", "name" => "U", "subscribes" => ["x"] }, loaded["steps/under_step.rb"]["config"])
      order = engine.frames.drop(1).map { |frame| [frame.kind, frame.meta["file"]] }
      expected = files.keys.flat_map { |file| [[Kind::IMPORTING, file], [Kind::IMPORTED, file]] }
      assert_equal [*expected, [Kind::READY, nil]], order
    end
  end

  def test_files_do_not_see_each_other
    file = lambda do |n|
      <<~RUBY
        require "set"
        LIMIT = #{n}
        @calls = 0
        class Thing
          attr_reader :n
          def initialize = @n = helper
          def self.make = new.n + helper
        end
        Point = Struct.new(:x)
        def config = { type: "api", name: "F#{n}" }
        def handler(req, context) = { status: 200, body: { mine: [LIMIT, helper, Thing.make, Point.new(LIMIT).x], calls: count, other: defined?(other#{3 - n}) } }
        def count = @calls += 1
        def other#{n} = true
        private
        def helper = LIMIT * 10
      RUBY
    end
    with_engine(files: { "one.step.rb" => file[1], "two.step.rb" => file[2] }) do |engine|
      engine.load("one.step.rb", "two.step.rb")
      assert_equal({ "mine" => [1, 10, 20, 1], "calls" => 1, "other" => nil }, engine.json("one.step.rb")["body"])
      assert_equal({ "mine" => [2, 20, 40, 2], "calls" => 1, "other" => nil }, engine.json("two.step.rb")["body"])
      assert_equal 2, engine.json("one.step.rb")["body"]["calls"], "state of the file survives between calls"
    end
  end

  def test_a_file_is_much_like_a_script
    script = <<~'RUBY'
      # frozen_string_literal: true
      module Shout
        refine(Symbol) { def shout = "#{self}!" }
      end
      using Shout
      class String
        def tripled = self * 3
      end
      class PaymentError < StandardError
      end
      module Tools
        module_function
        def tool = helper
      end
      lines = DATA.read.split
      define_method(:lines) { lines }
      alias greet tripled rescue nil
      def self.own = 5
      def helper = 7
      def config = { type: "api", name: "S", where: [__FILE__, __dir__], main: binding.local_variables }
      def handler(req, context)
        raise PaymentError, "declined" if req.body.fail
        { status: 200, body: [:a.shout, "ab".tripled, ::String.new("b").tripled, Tools.tool, lines, own, "x".frozen?] }
      end
      return if true
      raise "not reached"
      __END__
      one
      two
    RUBY
    with_engine(files: { "steps/s.step.rb" => script }) do |engine|
      loaded = engine.load("steps/s.step.rb")["steps/s.step.rb"]
      assert_nil loaded["refused"]
      path = "#{engine.root}/steps/s.step.rb"
      assert_equal [path, File.dirname(path)], loaded["config"]["where"]
      assert_equal [], loaded["config"]["main"]
      assert_equal ["a!", "ababab", "bbb", 7, %w[one two], 5, true], engine.json("steps/s.step.rb")["body"]
      error = engine.json("steps/s.step.rb", { fail: true })["error"]
      assert_equal %w[PaymentError declined], error.values_at("name", "message")
      assert_equal "PaymentError: declined\n    at steps/s.step.rb:22:in `handler'", error["stack"].sub("'LoadingTest#", "`").lines.first(2).join.chomp
    end
  end

  def test_require_and_require_relative_find_the_projects_files_also_from_a_copy
    files = {
      "steps/orders/a.step.rb" => "raise 'the copy is loaded'",
      "copy/1" => <<~RUBY,
        require "json"
        require "tax"
        require "shared/names"
        require "src_tool"
        require_relative "../../lib/rates"
        require_relative "beside"
        def config = { type: "api", name: "A" }
        def handler(req) = { status: 200, body: [Tax::RATE, NAMES, SRC, Rates.rate, beside, __FILE__.end_with?("orders/a.step.rb")] }
      RUBY
      "lib/tax.rb" => "module Tax; RATE = 19; end", "lib/rates.rb" => "module Rates; def self.rate = 3; end",
      "shared/names.rb" => "NAMES = 1", "src/src_tool.rb" => "SRC = 2", "steps/orders/beside.rb" => "def beside = 4",
      "lib/json.rb" => "raise 'a file of the project hides one of Ruby'"
    }
    with_engine(files: files) do |engine|
      loaded = engine.load("steps/orders/a.step.rb", modules: { "steps/orders/a.step.rb" => "#{engine.root}/copy/1" })
      assert_nil loaded["steps/orders/a.step.rb"]["refused"]
      assert_equal [19, 1, 2, 3, 4, true], engine.json("steps/orders/a.step.rb")["body"]
    end
  end

  def test_handlers_take_what_they_have_parameters_for
    files = {
      "none.step.rb" => step("{ status: 201 }", args: ""),
      "one.step.rb" => step("{ status: req.body.n }", args: "(req)"),
      "rest.step.rb" => step("{ status: 200, body: args.size }", args: "(*args)"),
      "optional.step.rb" => step("{ status: 200, body: [context.trace_id] }", args: "(req, context = nil, third = 3)"),
      "cron0.step.rb" => step('$seen << :none', args: ""),
      "cron1.step.rb" => step('$seen << context.trace_id', args: "(context)"),
      "cron2.step.rb" => step('$seen << [input, context.trace_id]', args: "(input, context)"),
      "event1.step.rb" => step("$seen << input", args: "(input)"),
      "seen.step.rb" => "$seen = []\n#{step("{ status: 200, body: $seen }")}"
    }
    with_engine(files: files) do |engine|
      engine.load(*files.keys)
      assert_equal 201, engine.json("none.step.rb")["status"]
      assert_equal 202, engine.json("one.step.rb", { n: 202 })["status"]
      assert_equal 2, engine.json("rest.step.rb")["body"]
      assert_equal ["AUSDA-1060748"], engine.json("optional.step.rb")["body"]
      %w[cron0 cron1 cron2].each { |name| assert_empty engine.call("#{name}.step.rb", { kind: "cron" }).meta }
      engine.call("event1.step.rb", { kind: "event" }, '{"a":1}')
      assert_equal ["none", "AUSDA-1060748", [nil, "AUSDA-1060748"], { "a" => 1 }], engine.json("seen.step.rb")["body"]
    end
  end

  REFUSED = {
    "raises.step.rb" => ["require_relative 'deep'", /\Ano key\z/],
    "syntax.step.rb" => ["def config = {}\ndef handler(\n  1 +\nend", /\Asyntax.step.rb:\d+: syntax error|\Asyntax.step.rb:\d+: syntax errors? found/],
    "syntax_inside.step.rb" => ["require_relative 'broken'", /broken.rb:1: syntax error/],
    "gem.step.rb" => ["require 'not_installed'",
                      /cannot load such file -- not_installed \(gem.step.rb:1\). If not_installed is a gem, add it to the Gemfile, then run bundle install/],
    "helpers_gem.step.rb" => ["\nrequire_relative 'helper'", /-- not_installed \(helper.rb:3\). If .* add it to the Gemfile, then run bundle install\z/],
    "bytes.step.rb" => ["def config = {}\nNAME = \"\xff\"", /\Abytes.step.rb:2: invalid multibyte char \(UTF-8\)/],
    "bytes_inside.step.rb" => ["require_relative 'bytes'", /\Abytes.rb:1: invalid multibyte char \(UTF-8\)/],
    "aborts_inside.step.rb" => ["require_relative 'aborts'", /\Aexit\(1\) was called: no key \(aborts.rb:2\), while/],
    "file.step.rb" => ["require_relative 'nope'", /\Acannot load such file -- nope\z/],
    "none.step.rb" => ["def conf = {}", /\Anone.step.rb defines no config. Add: def config = \{ type: "api"/],
    "nil.step.rb" => ["\ndef config\n  nil\nend", /\Anil.step.rb:2: config returns nil, not a hash\z/],
    "text.step.rb" => ["def config = 'x'", /config returns the string "x", not a hash/],
    "other.step.rb" => ["require_relative 'config_of_all'", /defines no config/],
    "a.stream.rb" => ["def handler = 1", /defines no config.*baseConfig/],
    "unguarded.step.rb" => ["def config = { type: 'api', middleware: [->(r, c, n) {}, nil] }\ndef handler(r, c); end",
                            /\Aunguarded.step.rb: middleware\[1\] must be a lambda, a method or another object with `call`, but it is nil/],
    "exits.step.rb" => ["puts 'bye'\nexit 3", /\Aexit\(3\) was called \(exits.step.rb:2\), while the file was loaded\z/],
    "aborts.step.rb" => ["abort 'no key'", /\Aexit\(1\) was called: no key \(aborts.step.rb:1\), while the file was loaded\z/],
    "deep_stack.step.rb" => ["def a = a\na", /stack level too deep/],
    "not_implemented.step.rb" => ["raise NotImplementedError, 'later'", /later/]
  }.freeze

  def test_a_file_that_cannot_be_used_is_refused_with_its_reason_and_the_others_load
    files = REFUSED.transform_values(&:first).merge(
      "deep.rb" => "begin\n  raise KeyError, 'env'\nrescue KeyError\n  raise 'no key'\nend",
      "helper.rb" => "# helper\n\nrequire 'not_installed'", "bytes.rb" => "X = '\xff'", "aborts.rb" => "\nabort 'no key'",
      "broken.rb" => "def x(", "config_of_all.rb" => "def config = {}", "good.step.rb" => step("{ status: 200 }")
    )
    with_engine(files: files) do |engine|
      loaded = engine.load(*REFUSED.keys, "good.step.rb")
      REFUSED.each { |source, (_, message)| assert_match message, loaded[source]["refused"]["message"], source }
      raised = loaded["raises.step.rb"]["refused"]
      assert_equal %w[RuntimeError KeyError], [raised["name"], raised["cause"]["name"]]
      assert_match(/    at deep.rb:4:in.*\n(.*\n)?    at raises.step.rb:1/, raised["stack"])
      refute_match(%r{sdk/ruby|internal:}, raised["stack"])
      assert_match(/\n    at helper.rb:3:in .*\n(.*\n)?    at helpers_gem.step.rb:2:/, loaded["helpers_gem.step.rb"]["refused"]["stack"])
      assert_match(/\n    at bytes.step.rb:2\z/, loaded["bytes.step.rb"]["refused"]["stack"])
      assert_match(/    at syntax.step.rb:\d/, loaded["syntax.step.rb"]["refused"]["stack"])
      assert_equal "SyntaxError", loaded["syntax.step.rb"]["refused"]["name"]
      assert loaded["good.step.rb"]["handler"]
      assert_equal 200, engine.json("good.step.rb")["status"]
      assert(engine.frames.none? { |frame| frame.kind == Kind::RETIRE })
    end
  end

  def test_the_engine_knows_which_file_hangs_or_dies
    { "hang.step.rb" => "sleep", "dies.step.rb" => "exit!(9)" }.each do |source, text|
      with_engine(files: { source => text }) do |engine|
        engine.deliver(Kind::LOAD, meta: { root: engine.root },
                                   body: JSON.generate([{ source: source, module: "#{engine.root}/#{source}", kind: "step" }]))
        assert_equal source, engine.frame { |frame| frame.kind == Kind::IMPORTING }.meta["file"]
        engine.deliver(Kind::PING, id: 1)
        text == "sleep" ? engine.frame { |frame| frame.kind == Kind::PONG } : assert_equal(9, engine.exit.exitstatus)
      end
    end
  end

  def test_a_later_load_replaces_a_step
    with_engine(files: { "a.step.rb" => step("{ status: 201 }"), "old/a" => step("{ status: 203 }") }) do |engine|
      engine.load("a.step.rb")
      assert_equal 201, engine.json("a.step.rb")["status"]
      engine.load("a.step.rb", modules: { "a.step.rb" => "#{engine.root}/old/a" })
      assert_equal 203, engine.json("a.step.rb")["status"]
    end
  end

  def test_a_config_keeps_its_data_and_tells_of_functions_only_that_they_are_there
    text = <<~'RUBY'
      def config
        shared = { "type" => "object" }
        looped = {}
        looped[:self] = looped
        {
          name: :Sym, type: "api", emits: ["x", { topic: "y" }], middleware: [->(r, c, n) { n.call }, method(:auth)],
          bodySchema: shared, responseSchema: { 200 => shared }, flag: true, nothing: nil, ratio: Float::NAN,
          canAccess: ->(*) { true }, at: Time.utc(2026, 1, 2), looped: looped, odd: Object.new, list: [Object.new, 2]
        }
      end
      def auth(req, context, next_fn) = next_fn.call
      def handler(req, context) = { status: 200 }
    RUBY
    with_engine(files: { "c.step.rb" => text }) do |engine|
      loaded = engine.load("c.step.rb")["c.step.rb"]
      assert_equal({ "name" => "Sym", "type" => "api", "emits" => ["x", { "topic" => "y" }], "middleware" => 2,
                     "bodySchema" => { "type" => "object" }, "responseSchema" => { "200" => { "type" => "object" } },
                     "flag" => true, "nothing" => nil, "ratio" => nil, "canAccess" => true, "at" => "2026-01-02T00:00:00.000Z",
                     "looped" => {}, "list" => [nil, 2] }, loaded["config"])
      assert_equal ["config.looped.self is a cycle, which JSON cannot hold",
                    "config.odd is an Object, which has no JSON form",
                    "config.list[0] is an Object, which has no JSON form"], loaded["warnings"]
    end
  end

  def test_a_gemfile_is_in_force_before_any_file_runs
    files = {
      "Gemfile" => "source 'https://rubygems.org'\ngem 'minitest'\n", "Gemfile.lock" => nil,
      "g.step.rb" => "require 'minitest'\nbegin\n  require 'test/unit'\nrescue LoadError => e\n  $left_out = e.path\nend\n" +
                     step("{ status: 200, body: [Minitest::VERSION, $left_out, ENV['BUNDLE_GEMFILE']] }")
    }.compact
    with_engine(files: files) do |engine|
      assert_nil engine.load("g.step.rb")["g.step.rb"]["refused"]
      body = engine.json("g.step.rb")["body"]
      assert_equal [Minitest::VERSION, "test/unit", "#{engine.root}/Gemfile"], body
    end
  end

  def test_gems_that_are_missing_refuse_every_file_and_say_what_to_do
    files = { "Gemfile" => "source 'https://rubygems.org'\ngem 'not-installed-anywhere'\n", "a.step.rb" => "raise 'no'" }
    with_engine(files: files) do |engine|
      message = engine.load("a.step.rb")["a.step.rb"]["refused"]["message"]
      assert_match(/\Athe gems of the Gemfile are not installed. Run: bundle install \(.*not-installed-anywhere/m, message)
    end
    with_engine(files: { "Gemfile" => "gem ]", "a.step.rb" => "raise 'no'" }) do |engine|
      assert_match(/\Athe Gemfile cannot be used/, engine.load("a.step.rb")["a.step.rb"]["refused"]["message"])
    end
  end
end

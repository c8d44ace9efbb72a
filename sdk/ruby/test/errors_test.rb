# What is told of an error: its class, what it says, where it was, and what caused it; never too much.
require "minitest/autorun"
require_relative "support/engine"

class ErrorsTest < WorkerTest
  FILES = {
    "cause.step.rb" => step(<<~'RUBY'),
      begin
        begin
          Integer("x")
        rescue ArgumentError
          raise KeyError, "within"
        end
      rescue KeyError => e
        raise "outer", cause: e
      end
    RUBY
    "odd.step.rb" => step("error = RuntimeError.new\ndef error.message = raise(IOError, 'no')\nraise error"),
    "exits.step.rb" => step("error = KeyError.new\ndef error.message = exit\nraise error"),
    "odder.step.rb" => step(<<~'RUBY'),
      error = IOError.new("closed")
      def error.code = raise("no")
      def error.cause = raise("no")
      raise error
    RUBY
    "placeless.step.rb" => step("error = IOError.new('closed')\ndef error.backtrace = raise('no')\nraise error"),
    "deep.step.rb" => step("deeper(1)") + "def deeper(n) = deeper(n + 1) + 1\n",
    "both.step.rb" => step("one(1)") + "def one(n)\n  two(n + 1)\nend\ndef two(n)\n  one(n + 1)\nend\n",
    "long.step.rb" => step("begin\n  raise 'x' * 100_000\nrescue\n  raise KeyError, 'y' * 100_000\nend")
  }.freeze

  def error(file)
    engine.json(file)["error"]
  end

  def test_causes_are_shown_with_their_lines_as_the_engine_logs_nothing_but_the_stack
    stack = error("cause.step.rb")["stack"].lines(chomp: true)
    heads = ["RuntimeError: outer", "caused by KeyError: within", 'caused by ArgumentError: invalid value for Integer(): "x"']
    assert_equal heads, stack.grep_v(/\A    at /)
    heads.zip([11, 8, 6]).each { |head, line| assert_match(/\A    at cause.step.rb:#{line}:in /, stack[stack.index(head) + 1]) }
    assert_equal %w[KeyError ArgumentError], [error("cause.step.rb")["cause"]["name"], error("cause.step.rb")["cause"]["cause"]["name"]]
    refute_includes error("cause.step.rb")["cause"]["stack"], "caused by"
  end

  def test_an_error_that_cannot_be_read_has_its_class_and_place_all_the_same
    { "odd" => %w[RuntimeError IOError], "exits" => %w[KeyError SystemExit] }.each do |file, (name, raised)|
      got = error("#{file}.step.rb")
      message = "an error whose message cannot be read, as that raises #{raised}"
      assert_equal [name, message], got.values_at("name", "message")
      assert_match(/\A#{name}: #{message}\n    at #{file}.step.rb:6:in /, got["stack"])
    end
    assert_match(/\AIOError: closed\n    at odder.step.rb:7:in /, error("odder.step.rb")["stack"])
    assert_equal "IOError: closed", error("placeless.step.rb")["stack"]
  end

  def test_a_stack_that_is_too_deep_is_folded
    lines = error("deep.step.rb")["stack"].lines(chomp: true)
    assert_equal "SystemStackError: stack level too deep", lines[0]
    assert_equal ["    at deep.step.rb:6"], lines[1..3].map { |line| line[/.*:\d+/] }.uniq
    assert_match(/\A    … the same \d{4,} more times\z/, lines[4])
    assert_match(/\A    at deep.step.rb:4:in /, lines[5])
    lines = error("both.step.rb")["stack"].lines(chomp: true)
    assert_match(/\A    … \d{4,} more lines\z/, lines[31])
    assert_equal 42, lines.size
    assert_match(/\A    at both.step.rb:4:in /, lines.last)
  end

  def test_what_is_said_is_cut_and_leaves_room_for_where_it_was
    got = error("long.step.rb")
    assert_match(/\Ay+… \(95904 more characters\)\z/, got["message"])
    assert_match(/ more characters\)\n    at long.step.rb:7:.*\ncaused by RuntimeError: x+… .* more characters\)\n    at long.step.rb:5:/m, got["stack"])
    assert_includes got["stack"], got["message"], "or the engine would show only that"
  end
end

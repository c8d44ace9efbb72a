# What goes to the console, whatever it is and however it gets there.
require "minitest/autorun"
require_relative "support/engine"

class ConsoleTest < WorkerTest
  FILES = {
    "bytes.step.rb" => step(<<~'RUBY'),
      puts "\xff bin", "\xff bin".b, "abé".encode("UTF-16LE"), "é".encode("ISO-8859-1"), ["in\xffside"]
      print "\xff print\n"
      $stdout.write("h\xc3".b)
      $stdout.write("\xa9!\n".b)
      warn "\xff warn"
      p "\xff"
      $stdout.write_nonblock("nonblock\n", exception: false)
      puts Struct.new(:to_ary).new(%w[an array]), nil
      puts "ends\n"
      { status: 200 }
    RUBY
    "constants.step.rb" => step(<<~'RUBY'),
      require "logger"
      STDOUT.puts "puts"
      STDOUT << "shift\n"
      STDOUT.print "print", "\n"
      STDOUT.printf("%s\n", "printf")
      STDOUT.write("wri", "te\n")
      STDOUT.syswrite("syswrite\n")
      STDOUT.write_nonblock("nonblock\n", exception: false)
      STDERR.puts "err"
      plain = ->(_, _, _, text) { "#{text}\n" }
      [STDOUT, $stdout, STDERR, $stderr].each { |io| Logger.new(io, formatter: plain).tap { |log| log.info("logger") }.close }
      STDOUT.puts "still open"
      Thread.new { STDOUT.puts "thread" }.join
      before = $stdout
      $stdout = STDOUT
      puts "set back"
      $stdout = before
      { status: 200, body: [STDOUT.fileno, STDERR.fileno, STDOUT.is_a?(IO), STDOUT.closed?] }
    RUBY
    "reopen.step.rb" => step(<<~'RUBY')
      before = STDOUT.dup
      STDOUT.reopen("out.txt", "a")
      STDOUT.puts "into a file"
      STDOUT.reopen(before)
      { status: 200, body: [File.read("out.txt")] }
    RUBY
  }.freeze

  def lines_of(file)
    engine.forget
    id = engine.start(file)
    frame = engine.result(id)
    assert_equal 200, frame.meta["status"], frame.meta.inspect
    assert(engine.logs.all? { |line| line["call"] == id && line["source"] == "console" }, engine.logs.inspect)
    [engine.logs.map { |line| line.values_at("level", "message") }, frame.json]
  end

  def test_lines_are_text_whatever_was_printed
    lines, = lines_of("bytes.step.rb")
    out = ["\ufffd bin", "\ufffd bin", "abé", "é", "in\ufffdside", "\ufffd print", "hé!", '"\xFF"', "nonblock", "an", "array", "", "ends"]
    assert_equal out, lines.select { |level, _| level == "info" }.map(&:last)
    assert_includes lines, ["warn", "\ufffd warn"]
  end

  def test_what_the_constants_are_told_belongs_to_the_call_too
    lines, body = lines_of("constants.step.rb")
    out = %w[puts shift print printf write syswrite nonblock logger logger] + ["still open", "thread", "set back"]
    assert_equal [out, %w[err logger logger]], %w[info warn].map { |level| lines.select { |line| line[0] == level }.map(&:last) }
    assert_equal [1, 2, true, false], body
    assert_equal ["", ""], [engine.stdout, engine.stderr]
  end

  def test_who_makes_another_file_of_a_constant_gets_that_file
    with_engine(files: { "reopen.step.rb" => FILES["reopen.step.rb"] }) do |other|
      other.load("reopen.step.rb")
      assert_equal ["into a file\n"], other.json("reopen.step.rb")["body"]
      assert_empty other.logs
    end
  end
end

# Code that goes wrong outside of what a handler returns, and what goes to the console: whose it is, and that it ends
# nothing.
require "minitest/autorun"
require_relative "support/engine"

class BlameTest < WorkerTest
  FILES = {
    "ok.step.rb" => step("{ status: 200 }"),
    "thread.step.rb" => step("Thread.new { raise 'left behind' }; sleep 0.1; { status: 200 }"),
    "thread_after.step.rb" => step("Thread.new { sleep 0.03; raise 'too late' }; { status: 200 }"),
    "quiet.step.rb" => step("t = Thread.new { Thread.current.report_on_exception = false; raise 'quiet' }; (t.join rescue 1); { status: 200 }"),
    "odd.step.rb" => step("error = RuntimeError.new\ndef error.message = raise('no')\nraise error"),
    "console.step.rb" => step(<<~'RUBY'),
      puts "hello", ["a", ["b"]]
      print "one "
      print "line\n"
      p({ x: 1 })
      pp [1, 2]
      $stdout << "shift\n"
      $stdout.printf("%03d\n", 7)
      puts
      puts "two\nlines"
      warn "careful"
      $stderr.puts "err"
      Thread.new { puts "from a thread" }.join
      Fiber.new { puts "from a fiber" }.resume
      puts "bytes \xff".b
      system("echo child")
      print "no end"
      { status: 200 }
    RUBY
    "levels.step.rb" => step('context.logger.debug("d"); context.logger.info("i"); puts "c"; { status: 200 }'),
    "trap.step.rb" => step('trap("USR1") { puts "in a trap" }; Process.kill(:USR1, Process.pid); sleep 0.05; { status: 200 }')
  }.freeze

  def still_serves
    assert_equal 200, engine.json("ok.step.rb")["status"]
  end

  def test_an_error_that_ends_a_thread_is_logged_against_its_call_which_fails_as_nobody_else_hears_of_it
    engine.forget
    id = engine.start("thread.step.rb")
    line = engine.log { |meta| meta["message"] == "uncaught exception in a thread: left behind" }
    assert_equal ["error", "worker", id], line.meta.values_at("level", "source", "call")
    assert_match(/thread.step.rb:4/, line.json["error"]["stack"])
    assert_equal "left behind", engine.result(id).meta["error"]["message"]
    assert_equal 1, engine.logs.size, "Ruby does not print it, too"
    still_serves
  end

  def test_also_after_the_result_then_against_its_trace_and_step
    assert_equal 200, engine.json("thread_after.step.rb")["status"]
    line = engine.log { |meta| meta["message"] == "uncaught exception in a thread: too late" }
    assert_equal ["AUSDA-1060748", "thread_after.step.rb", nil], line.meta.values_at("trace", "step", "call")
  end

  def test_threads_whose_errors_are_awaited_are_quiet_when_told_so
    engine.forget
    assert_equal 200, engine.json("quiet.step.rb")["status"]
    assert_empty engine.logs
  end

  def test_what_cannot_be_read_is_reported_all_the_same
    assert_match(/\Aan error whose message cannot be read/, engine.json("odd.step.rb")["error"]["message"])
    still_serves
  end

  def test_the_console_becomes_log_lines_of_the_call_and_raw_descriptors_stay
    engine.forget
    id = engine.start("console.step.rb")
    engine.result(id)
    lines = engine.logs.map { |line| line.values_at("level", "message") }
    expected = ["hello", "a", "b", "one line", "{:x=>1}", "[1, 2]", "shift", "007", "", "two\nlines"].map { |text| ["info", text] } +
               [%w[warn careful], %w[warn err], ["info", "from a thread"], ["info", "from a fiber"], ["info", "bytes \ufffd"], ["info", "no end"]]
    assert_equal expected, lines.map { |level, text| [level, text.sub("{x: 1}", "{:x=>1}")] }
    assert(engine.logs.all? { |line| line["call"] == id && line["source"] == "console" })
    assert_equal "child\n", engine.await_stdout("child\n").delete_prefix("in a trap\n")
    assert_equal "", engine.stderr
  end

  def test_a_signal_handler_may_print
    assert_equal 200, engine.json("trap.step.rb")["status"]
    still_serves
  end

  def test_log_level_filters_the_logger_and_not_the_console
    { "debug" => %w[d i c], "WARN" => %w[c], "nonsense" => %w[i c] }.each do |level, seen|
      with_engine(files: { "levels.step.rb" => FILES["levels.step.rb"] }, env: { "LOG_LEVEL" => level }) do |other|
        other.load("levels.step.rb")
        other.json("levels.step.rb")
        assert_equal(seen, other.logs.map { |line| line["message"] })
      end
    end
  end

  def test_exit_fails_its_call_stops_its_handler_and_takes_the_worker_out_of_service
    files = {
      "ok.step.rb" => FILES["ok.step.rb"],
      "exit.step.rb" => step('puts "last words"; exit(7); puts "never"'),
      "abort.step.rb" => step('abort "no key"'),
      "thread.step.rb" => step("Thread.new { exit(8) }; sleep")
    }
    { "exit.step.rb" => "exit(7) was called", "abort.step.rb" => "exit(1) was called: no key",
      "thread.step.rb" => "exit(8) was called" }.each do |source, message|
      with_engine(files: files) do |worker|
        worker.load(*files.keys)
        id = worker.start(source)
        assert_equal message, worker.result(id).meta["error"]["message"]
        assert_equal({ "reason" => "exit was called in #{source}" }, worker.frame { |frame| frame.kind == Kind::RETIRE }.meta)
        line = worker.log { |meta| meta["message"] == "#{message} in #{source}" }
        assert_equal ["error", id], line.meta.values_at("level", "call")
        assert(worker.logs.none? { |log| log["message"] == "never" })
        assert_equal 200, worker.json("ok.step.rb")["status"], "it finishes what it gets"
      end
    end
  end

  def test_an_exception_that_belongs_to_no_call_names_what_is_in_flight_and_fails_none_of_it
    stray = "Thread.new { sleep 0.01 until $later; exit }\n#{step("$later = true; sleep 0.1; { status: 200 }")}"
    with_engine(files: { "stray.step.rb" => stray }) do |worker|
      worker.load("stray.step.rb")
      id = worker.start("stray.step.rb")
      retire = worker.frame { |frame| frame.kind == Kind::RETIRE }
      assert_equal "exit was called outside of any call (in flight: stray.step.rb)", retire.meta["reason"]
      assert_equal 200, worker.result(id).meta["status"]
    end
  end

  def test_abort_on_exception_fails_the_call_and_retires_the_worker
    with_engine(files: { "a.step.rb" => step("Thread.new { Thread.current.abort_on_exception = true; raise 'all' }; sleep") }) do |worker|
      worker.load("a.step.rb")
      assert_equal "all", worker.call("a.step.rb").meta["error"]["message"]
      assert_equal "uncaught exception in a.step.rb", worker.frame { |frame| frame.kind == Kind::RETIRE }.meta["reason"]
      sleep 0.05
      assert_equal 1, worker.frames.count { |frame| frame.kind == Kind::RETIRE }
    end
  end

  { "loops" => "loop { 1 + 1 }", "dies" => "exit!(1)" }.each do |how, ending|
    define_method("test_what_a_handler_logs_before_it_#{how}_is_not_lost") do
      text = step("context.logger.info('about to', n: 1); puts 'now'; #{ending}")
      with_engine(files: { "last.step.rb" => text }) do |worker|
        worker.load("last.step.rb")
        worker.start("last.step.rb")
        ["about to", "now"].each { |message| worker.log { |meta| meta["message"] == message } }
      end
    end
  end
end

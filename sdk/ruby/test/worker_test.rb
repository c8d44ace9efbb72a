# The worker as a process: start, stop, exit, signals.
require "minitest/autorun"
require_relative "support/engine"

class WorkerProcessTest < WorkerTest
  def test_says_hello_and_waits
    with_engine do |engine|
      hello = engine.frame { |frame| frame.kind == Kind::HELLO }
      assert_equal({ "protocol" => 1, "language" => "ruby", "runtime" => RUBY_VERSION, "pid" => engine.pid }, hello.meta)
    end
  end

  def test_answers_pings_even_while_a_handler_computes
    with_engine(files: { "busy.step.rb" => step('context.logger.info("in"); loop { 1 + 1 }') }) do |engine|
      engine.load("busy.step.rb")
      engine.start("busy.step.rb")
      engine.log { |line| line["message"] == "in" }
      engine.deliver(Kind::PING, id: 99)
      pong = engine.frame { |frame| frame.kind == Kind::PONG }
      assert_equal 99, pong.id
      assert_operator pong.meta["memory"], :>, 1_000_000 if RUBY_PLATFORM.include?("linux")
    end
  end

  def test_stop_waits_for_the_calls_that_run
    with_engine(files: { "slow.step.rb" => step("sleep 0.2; { status: 200 }") }) do |engine|
      engine.load("slow.step.rb")
      id = engine.start("slow.step.rb")
      engine.deliver(Kind::STOP)
      assert_equal 200, engine.result(id).meta["status"]
      assert_equal 0, engine.exit.exitstatus
      assert_empty engine.logs
    end
  end

  def test_stop_waits_for_what_a_call_left_behind_and_its_operations_are_late_ones
    late = step(<<~RUBY)
      Thread.new { Queue.new.pop } # nobody will ever wake it
      Thread.new do
        sleep 0.15
        context.emit("late", 1)
        context.emit("later", 2)
      end
      { status: 200 }
    RUBY
    with_engine(files: { "late.step.rb" => late }) do |engine|
      engine.load("late.step.rb")
      engine.on_op = ->(_) { Engine::HOLD }
      id = engine.start("late.step.rb")
      engine.deliver(Kind::STOP)
      engine.result(id)
      %w[late later].each do |topic|
        op = engine.frame { |frame| frame.kind == Kind::OP && frame.meta["topic"] == topic }
        assert_equal ["late.step.rb", "AUSDA-1060748", id], op.meta.values_at("step", "trace", "call")
        sleep 0.1
        engine.reply(op.id, nil)
      end
      assert_equal 0, engine.exit.exitstatus
    end
  end

  def test_stop_waits_until_a_long_result_is_out
    with_engine(files: { "long.step.rb" => step('{ status: 200, body: "x" * 3_000_000 }') }) do |engine|
      engine.load("long.step.rb")
      id = engine.start("long.step.rb")
      engine.deliver(Kind::STOP)
      engine.result(id)
      sleep 0.1
      engine.deliver(Kind::WINDOW, flags: ANSWER, id: id, meta: { bytes: 4_000_000 })
      assert_equal 0, engine.exit.exitstatus
      assert_equal(3_000_000, engine.frames.select { |frame| frame.id == id }.sum { |frame| frame.body.bytesize })
    end
  end

  def test_at_exit_of_user_code_runs_when_it_is_stopped
    files = { "a.step.rb" => "at_exit { puts 'bye' }\n#{step("{ status: 200 }")}" }
    with_engine(files: files) do |engine|
      engine.load("a.step.rb")
      engine.deliver(Kind::STOP)
      assert_equal 0, engine.exit.exitstatus
      engine.log { |meta| meta["message"] == "bye" }
    end
  end

  def test_the_end_of_the_stream_ends_the_worker_even_in_the_middle_of_a_call
    with_engine(files: { "forever.step.rb" => step("loop { 1 + 1 }") }) do |engine|
      engine.load("forever.step.rb")
      engine.start("forever.step.rb")
      engine.socket.close_write
      assert_equal 0, engine.exit.exitstatus
      assert_equal "", engine.stderr
    end
  end

  def test_a_broken_frame_ends_the_worker_with_a_reason
    with_engine do |engine|
      engine.frame { |frame| frame.kind == Kind::HELLO }
      engine.transmit("\xff".b * 20)
      assert_equal 1, engine.exit.exitstatus
      assert_match(/the connection to the engine broke: a frame of 4294967295 bytes/, engine.stderr)
    end
  end

  def test_sigint_and_sigterm_are_the_engines_business
    with_engine do |engine|
      engine.frame { |frame| frame.kind == Kind::HELLO }
      %i[INT TERM].each { |name| Process.kill(name, engine.pid) }
      engine.deliver(Kind::PING, id: 1)
      engine.frame { |frame| frame.kind == Kind::PONG }
    end
  end

  def test_processes_of_user_code_inherit_neither_the_variable_nor_the_stream_nor_deafness
    skip unless RUBY_PLATFORM.include?("linux")
    spawns = step(<<~'RUBY')
      ours = File.readlink("/proc/self/fd/9")
      open = `ls -l /proc/self/fd`
      pid = spawn("sleep 60")
      Process.kill(:TERM, pid)
      signal = Process.wait2(pid)[1].termsig
      { status: 200, body: { ours: ours, open: open, variable: ENV["MOTIA_FD"], signal: signal } }
    RUBY
    with_engine(files: { "spawn.step.rb" => spawns }) do |engine|
      engine.load("spawn.step.rb")
      body = engine.json("spawn.step.rb")["body"]
      assert_match(/\Asocket:/, body["ours"])
      refute_includes body["open"], body["ours"]
      assert_equal [nil, 15], body.values_at("variable", "signal")
    end
  end

  def test_a_forked_child_lets_go_of_the_stream
    forks = step(<<~'RUBY')
      reader, writer = IO.pipe
      pid = fork do
        puts "from the child"
        begin
          context.emit("t")
        rescue => e
          writer.write("#{e.message}|#{File.exist?("/proc/self/fd/9") && File.readlink("/proc/self/fd/9")}")
        end
      end
      writer.close
      child = reader.read
      { status: 200, body: { child: child, status: Process.wait2(pid)[1].exitstatus, ours: File.readlink("/proc/self/fd/9") } }
    RUBY
    with_engine(files: { "fork.step.rb" => forks }) do |engine|
      engine.load("fork.step.rb")
      body = engine.json("fork.step.rb")["body"]
      message, fd = body["child"].split("|")
      assert_match(/a forked process has no connection/, message)
      refute_equal body["ours"], fd
      assert_equal 0, body["status"]
      assert_equal "from the child\n", engine.await_stdout("child")
      assert_equal 200, engine.json("fork.step.rb")["status"]
    end
  end

  def test_refuses_to_run_by_hand
    with_engine(env: { "MOTIA_FD" => nil }) do |engine|
      assert_equal 2, engine.exit.exitstatus
      assert_equal "This is the Ruby worker of Motia. The motia command starts it.\n", engine.stderr
    end
  end

  def test_inspect_without_a_debugger_says_so
    with_engine(env: { "RUBYOPT" => "--disable-gems" }) do |engine|
      engine.frame { |frame| frame.kind == Kind::HELLO }
      engine.deliver(Kind::INSPECT, meta: { port: 1 })
      line = engine.log { true }
      assert_match(/Ruby steps cannot be debugged: the gem "debug" is not there/, line.meta["message"])
      assert_equal "worker", line.meta["source"]
    end
  end
end

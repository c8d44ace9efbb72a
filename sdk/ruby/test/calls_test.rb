# Calls, from CALL to RESULT: handlers, middleware, threads, cancellation, long bodies.
require "minitest/autorun"
require_relative "support/engine"

class CallsTest < WorkerTest
  MIDDLEWARE = <<~'RUBY'
    def inner(req, context, next_fn)
      req.trail << "inner"
      next_fn.()
    end
    def config
      outer = lambda do |req, context, next_fn|
        req.trail = ["outer"]
        context.user = "ada"
        next_fn.call.merge(headers: { "x-trail" => req.trail.join(",") })
      end
      { type: "api", name: "L", middleware: [outer, method(:inner)] }
    end
    def handler(req, context)
      req.trail << "handler"
      { status: 200, body: { user: context.user } }
    end
  RUBY

  FILES = {
    "echo.step.rb" => step("{ status: 200, body: req }"),
    "raises.step.rb" => step(<<~'RUBY'),
      begin
        raise ArgumentError, "why"
      rescue ArgumentError
        raise Errno::ENOENT, "broken"
      end
    RUBY
    "typo.step.rb" => step("req.body.constant ? Nowhere : helpr") + "def helper = 1",
    "exception.step.rb" => step("raise Exception, 'all of it'"),
    "nothing.step.rb" => step("nil"),
    "event.step.rb" => step('context.logger.info("got", { data: input, flows: context.flows }); { status: "dropped" }',
                            config: 'type: "event", name: "E", subscribes: ["x"], flows: ["f1"]', args: "(input, context)"),
    "cron.step.rb" => step('context.logger.info("tick", trace: context.traceId, parent: context.traceparent)',
                           config: 'type: "cron", name: "C", cron: "* * * * *"', args: "(context)"),
    "layers.step.rb" => MIDDLEWARE,
    "short.step.rb" => step("raise 'must not run'",
                            config: 'type: "api", name: "S", "middleware" => [->(*) { { status: 401, body: { error: "who" } } }]'),
    "twice.step.rb" => step("{ status: 200 }",
                            config: 'type: "api", name: "T", middleware: [proc { |_, _, n| n.call; n.call }]'),
    "forgot.step.rb" => step("{ status: 200 }", config: 'type: "api", name: "F", middleware: [->(r, c, n) { n.call; nil }]'),
    "context.step.rb" => step(<<~'RUBY'),
      { status: 200, body: {
        trace: [context.trace_id, context.traceId, context[:trace_id], context["traceId"]], flows: context.flows,
        known: context.streams.chat.inspect, camel: context.streams.my_board.inspect, unknown: context.streams["nope"],
        snake: [context.streams[:my_board].inspect, context["streams"]["my_board"].inspect, context.streams.respond_to?(:my_board)],
        get: context.state[:get].respond_to?(:call), emit: context[:emit].respond_to?(:call), nope: context[:nope],
        no_method: (context.nope rescue $!.class.name), no_stream: (context.streams.nope rescue $!.message),
        inspect: context.inspect
      } }
    RUBY
    "thread_op.step.rb" => step('Thread.new { context.emit("t", 1) }; sleep 0.05; { status: 200 }'),
    "thread_lost.step.rb" => step('Thread.new { context.emit("t", 1) }; sleep 0.1; { status: 200 }'),
    "thread_joined.step.rb" => step('t = Thread.new { context.emit("t", 1) }; code = (t.value rescue $!.code); { status: 200, body: [code] }'),
    "timeout.step.rb" => step(<<~'RUBY'),
      require "timeout"
      { status: 200, body: [(Timeout.timeout(0.05) { context.state.get("g", "k") } rescue $!.class.name)] }
    RUBY
    "late.step.rb" => step(<<~'RUBY'),
      Thread.new do
        sleep 0.05
        context.state.set("g", "k", 1)
        context.logger.info("late")
        puts "later"
        Motia.logger.warn("latest")
      end
      { status: 200 }
    RUBY
    "signal.step.rb" => step(<<~'RUBY'),
      queue = Queue.new
      context.signal.on_abort { queue << 1 }
      context.logger.info("listening")
      queue.pop
      { status: 200, body: { aborted: context.signal.aborted?, name: context.signal.reason.class.name, text: context.signal.reason.message } }
    RUBY
    "parallel.step.rb" => "GATE = Queue.new\n" + step('req.body.open ? (3.times { GATE << 1 }) : GATE.pop; { status: 200, body: [1] }'),
    "raw.step.rb" => step("{ status: 200, body: req.rawBody }"),
    "huge.step.rb" => step('{ status: 200, body: "x" * 2_000_000 }'),
    "ends_thread.step.rb" => step("Thread.exit"),
    "nohandler.step.rb" => 'def config = { type: "api", name: "N" }'
  }.freeze

  def test_the_request_has_the_five_documented_members_and_the_answer_is_the_handlers
    meta = { params: { id: "7" }, query: { a: ["1"], o: { k: "v" } }, headers: { host: "x" } }
    got = engine.json("echo.step.rb", { a: 1 }, meta)
    assert_equal [200, "json"], got.values_at("status", "type")
    assert_equal({ "body" => { "a" => 1 }, "headers" => { "host" => "x" }, "pathParams" => { "id" => "7" },
                   "queryParams" => { "a" => ["1"], "o" => { "k" => "v" } }, "rawBody" => '{"a":1}' }, got["body"])
    assert_equal %w[body headers pathParams queryParams rawBody], got["body"].keys
  end

  def test_what_was_raised_is_reported_with_the_users_lines_and_not_with_ours
    error = engine.json("raises.step.rb")["error"]
    assert_equal ["Errno::ENOENT", "No such file or directory - broken", "ENOENT"], error.values_at("name", "message", "code")
    assert_equal %w[ArgumentError why], error["cause"].values_at("name", "message")
    assert_match(/\AErrno::ENOENT: .*\n    at raises.step.rb:7:in .*handler'\n    at raises.step.rb:3:/, error["stack"])
    refute_match(%r{sdk/ruby}, error["stack"])
    assert_equal "all of it", engine.json("exception.step.rb")["error"]["message"]
  end

  def test_names_that_nobody_gave_do_not_appear_in_what_ruby_says
    error = engine.json("typo.step.rb")["error"]
    assert_match(/\Aundefined local variable or method [`']helpr' for main(:Object)?\nDid you mean\?  helper\z/, error["message"])
    refute_match(/Motia/, error["stack"])
    assert_equal "uninitialized constant Nowhere", engine.json("typo.step.rb", { constant: true })["error"]["message"]
  end

  def test_a_handler_that_returns_nothing_is_told_so
    assert_equal "a handler must return { status:, body: }, but this one returned nil",
                 engine.json("nothing.step.rb")["error"]["message"]
  end

  def test_a_body_that_is_no_json_never_reaches_the_handler
    assert_match(/not valid JSON/, engine.call("echo.step.rb", { content: "json" }, '{"a":').meta["invalid"])
  end

  def test_unknown_steps_and_steps_without_a_handler_are_refused
    assert_equal "step-unknown", engine.json("nope.step.rb")["error"]["code"]
    assert_match(/has no handler/, engine.json("nohandler.step.rb")["error"]["message"])
  end

  def test_events_get_input_and_context_with_nil_for_no_data_and_what_they_return_is_dropped
    engine.forget
    assert_empty engine.call("event.step.rb", { kind: "event", topic: "x" }, '{"n":[1]}').meta
    assert_empty engine.call("event.step.rb", { kind: "event", topic: "x" }).meta
    assert_equal([{ "data" => { "n" => [1] }, "flows" => ["f1"] }, { "data" => nil, "flows" => ["f1"] }],
                 engine.logs.map { |line| line["details"] })
  end

  def test_cron_gets_only_the_context
    assert_empty engine.call("cron.step.rb", { kind: "cron", traceparent: "00-a" }).meta
    line = engine.log { |meta| meta["message"] == "tick" }
    assert_equal({ "trace" => "AUSDA-1060748", "parent" => "00-a" }, line.json)
  end

  def test_middleware_runs_outer_to_inner_changes_what_the_handler_sees_and_edits_its_response
    got = engine.json("layers.step.rb")
    assert_equal({ "user" => "ada" }, got["body"])
    assert_equal({ "x-trail" => "outer,inner,handler" }, got["headers"])
  end

  def test_middleware_can_answer_by_itself_and_what_it_forgets_or_repeats_is_an_error
    assert_equal({ "error" => "who" }, engine.json("short.step.rb")["body"])
    assert_equal "the middleware of twice.step.rb:1 called next_fn twice", engine.json("twice.step.rb")["error"]["message"]
    assert_match(/returned nil/, engine.json("forgot.step.rb")["error"]["message"])
  end

  def test_the_context_answers_to_ruby_and_javascript_names
    body = engine.json("context.step.rb")["body"]
    assert_equal ["AUSDA-1060748"] * 4, body["trace"]
    assert_equal [[], true, true, nil], body.values_at("flows", "get", "emit", "nope")
    assert_equal ["#<Motia::Stream chat>", "#<Motia::Stream myBoard>", nil], body.values_at("known", "camel", "unknown")
    assert_equal ["#<Motia::Stream myBoard>", "#<Motia::Stream myBoard>", true], body["snake"]
    assert_equal "NoMethodError", body["no_method"]
    assert_equal "there is no stream nope; the project has chat, myBoard", body["no_stream"]
  end

  def test_calls_run_beside_each_other
    waiting = Array.new(3) { engine.start("parallel.step.rb", { content: "json" }, "{}") }
    sleep 0.05
    assert(engine.frames.none? { |frame| frame.kind == Kind::RESULT && waiting.include?(frame.id) })
    engine.json("parallel.step.rb", { open: true })
    waiting.each { |id| assert_equal 200, engine.result(id).meta["status"] }
  end

  def test_hundreds_of_calls_wait_at_a_time
    engine.on_op = ->(_) { Engine::HOLD }
    engine.forget
    ids = Array.new(300) { engine.start("timeout.step.rb") }
    ids.each { |id| engine.frame { |frame| frame.kind == Kind::OP && frame.meta["call"] == id && engine.reply(frame.id, nil).nil? } }
    ids.each { |id| assert_equal 200, engine.result(id).meta["status"] }
  end

  def test_the_result_waits_for_operations_of_threads
    engine.on_op = ->(_) { Engine::HOLD }
    id = engine.start("thread_op.step.rb")
    op = engine.frame { |frame| frame.kind == Kind::OP && frame.meta["call"] == id }
    sleep 0.15
    assert(engine.frames.none? { |frame| frame.kind == Kind::RESULT && frame.id == id })
    engine.reply(op.id, nil)
    assert_equal 200, engine.result(id).meta["status"]
  end

  def test_an_operation_that_fails_in_a_thread_fails_its_call_unless_somebody_hears_of_it
    engine.on_op = ->(_) { { error: { code: "store-failed", message: "the disk is full" } } }
    engine.forget
    assert_equal "store-failed", engine.json("thread_lost.step.rb")["error"]["code"]
    assert_includes engine.logs.map { |line| line["message"] }, "uncaught exception in a thread: the disk is full"
    assert_equal ["store-failed"], engine.json("thread_joined.step.rb")["body"]
  end

  def test_an_operation_that_its_handler_gave_up_is_still_waited_for
    engine.on_op = ->(_) { Engine::HOLD }
    id = engine.start("timeout.step.rb")
    op = engine.frame { |frame| frame.kind == Kind::OP && frame.meta["call"] == id }
    sleep 0.15
    assert(engine.frames.none? { |frame| frame.kind == Kind::RESULT && frame.id == id })
    engine.reply(op.id, 1)
    assert_equal ["Timeout::Error"], engine.result(id).json
  end

  def test_what_a_call_leaves_behind_carries_its_trace_and_step
    id = engine.start("late.step.rb")
    engine.result(id)
    op = engine.frame { |frame| frame.kind == Kind::OP && frame.meta["call"] == id }
    assert_equal({ "op" => "state.set", "call" => id, "trace" => "AUSDA-1060748", "step" => "late.step.rb", "group" => "g",
                   "key" => "k" }, op.meta)
    [%w[info late logger], %w[info later console], %w[warn latest logger]].each do |level, message, source|
      line = engine.log { |meta| meta["message"] == message }
      assert_equal({ "level" => level, "message" => message, "source" => source, "trace" => "AUSDA-1060748",
                     "step" => "late.step.rb" }, line.meta)
    end
  end

  def test_cancel_aborts_the_signal
    { "timeout" => "CallTimeout", "disconnect" => "CallAborted", "shutdown" => "CallAborted" }.each do |reason, name|
      id = engine.start("signal.step.rb")
      engine.log { |meta| meta["message"] == "listening" && meta["call"] == id }
      engine.deliver(Kind::CANCEL, id: id, meta: { reason: reason })
      body = engine.result(id).json
      assert_equal [true, "Motia::#{name}"], body.values_at("aborted", "name")
    end
  end

  def test_long_bodies_travel_in_both_directions_within_their_windows
    body = (0...250_000).map { |n| "ž#{n}" }.join(",").b
    id = 1_000_000
    meta = { step: "raw.step.rb", kind: "api", trace: "T", content: "text", headers: {} }
    (0...body.bytesize).step(65_536) do |at|
      more = at + 65_536 < body.bytesize ? MORE : 0
      engine.deliver(at.zero? ? Kind::CALL : Kind::DATA, flags: more, id: id, meta: at.zero? ? meta : nil,
                                                         body: body.byteslice(at, 65_536))
    end
    first = engine.result(id)
    assert_equal({ "status" => 200, "type" => "text" }, first.meta)
    grants = engine.frames.select { |frame| frame.kind == Kind::WINDOW && frame.id == id }
    refute_empty grants
    engine.deliver(Kind::WINDOW, flags: ANSWER, id: id, meta: { bytes: body.bytesize })
    engine.frame { |frame| frame.kind == Kind::DATA && frame.id == id && frame.flags & MORE == 0 }
    pieces = engine.frames.select { |frame| frame.id == id && [Kind::RESULT, Kind::DATA].include?(frame.kind) }
    assert(pieces.drop(1).all? { |piece| piece.flags & ANSWER != 0 })
    assert_equal body, pieces.map(&:body).join.b
  end

  def test_a_request_that_is_broken_off_is_answered_without_a_handler
    meta = { step: "echo.step.rb", kind: "api", trace: "T", content: "json" }
    engine.deliver(Kind::CALL, flags: MORE, id: 1_000_001, meta: meta, body: '{"a')
    engine.deliver(Kind::ABORT, id: 1_000_001)
    assert_equal "aborted", engine.result(1_000_001).meta["error"]["code"]
  end

  def test_a_client_that_goes_away_ends_a_result_that_is_still_being_sent
    id = engine.start("huge.step.rb")
    engine.result(id)
    sleep 0.05
    engine.deliver(Kind::CANCEL, id: id, meta: { reason: "disconnect" })
    assert_equal ANSWER, engine.frame { |frame| frame.kind == Kind::ABORT && frame.id == id }.flags
  end

  def test_a_handler_that_ends_its_thread_fails_and_others_go_on
    assert_match(/ended its own thread/, engine.json("ends_thread.step.rb")["error"]["message"])
    assert_equal 200, engine.json("echo.step.rb")["status"]
  end
end

# Who comes and goes: `onJoin` and `onLeave` of streams.
require "minitest/autorun"
require_relative "support/engine"

class HooksTest < WorkerTest
  # Text of a stream file, with what goes into its config.
  def self.stream(members, more: "")
    "#{more}\ndef config = { name: \"chat\", schema: {}, #{members} }\n"
  end

  def stream(...)
    self.class.stream(...)
  end

  FILES = {
    "room.stream.rb" => stream("onJoin: CAME, on_leave: method(:went)", more: <<~'RUBY'),
      CAME = lambda do |subscription, user, ctx|
        about = { group: subscription.groupId, id: subscription["id"], user: user.name }
        ctx.logger.info("came", **about, trace: ctx.trace_id, flows: ctx.flows)
        ctx.emit(topic: "chat.joined", data: { group: subscription.groupId })
        ctx.streams.chat.set(subscription.groupId, user[:name], { here: true })
        ctx.sync
        { dropped: true }
      end
      def went(_, user, ctx) = ctx.state.delete("here", user.name)
    RUBY
    "few.stream.rb" => stream('on_join: ->(subscription) { puts "came #{subscription.group_id}" }, "onLeave" => Went.new', more: <<~'RUBY'),
      class Went
        def call(*all) = puts("went #{all.size} #{all[1].inspect}")
      end
    RUBY
    "raises.stream.rb" => stream("onJoin: ->(*) { raise RangeError, 'full' }, onLeave: ->(_, user) { user.fetch('name') }"),
    "lost.stream.rb" => stream("on_join: ->(_, _, ctx) { ctx.emit(topic: 'unheard', data: 1) }"),
    "nil.stream.rb" => stream("onJoin: -> {}, onLeave: nil"),
    "both.stream.rb" => stream("can_access: ->(*both) { both.size == 2 }, on_leave: -> {}"),
    "guarded.stream.rb" => stream("canAccess: -> { true }"),
    "exits.stream.rb" => stream("onLeave: -> { exit(3) }"),
    "a.step.rb" => step("{ status: 200, body: true }")
  }.freeze

  def self.loaded
    @loaded ||= Engine.new(files: FILES).then do |engine|
      Minitest.after_run { engine.close }
      engine.deliver(Kind::STREAMS, body: '["chat"]')
      engine.on_op = ->(op) { answer(op) }
      [engine, engine.load(*FILES.keys)]
    end
  end

  def self.answer(op)
    return { error: { code: "store-failed", message: "the disk is full" } } if op["topic"] == "unheard"
    return Engine::HOLD if op["op"] == "state.delete"

    { "emit" => { id: "e1" }, "stream.set" => { id: "ada", here: true } }[op["op"]]
  end

  def engine
    HooksTest.loaded.first
  end

  def start(kind, source, context = nil, id = nil)
    visit = { subscription: { groupId: "g", id: id }.compact, context: context }
    engine.start(source, { kind: kind }, JSON.generate(visit))
  end

  def tell(...)
    engine.result(start(...)).meta
  end

  def test_on_join_gets_what_is_watched_who_it_is_and_a_context
    id = start("join", "room.stream.rb", { name: "ada" }, "i")
    result = engine.result(id)
    assert_equal [{}, ""], [result.meta, result.body]
    line = engine.log { |meta| meta["message"] == "came" }
    assert_equal [id, "logger"], line.meta.values_at("call", "source")
    expected = { "group" => "g", "id" => "i", "user" => "ada", "trace" => "AUSDA-1060748", "flows" => [] }
    assert_equal expected, line.json
    ops = engine.ops.select { |op| op["call"] == id }.map { |op| [op["op"], op["topic"] || op["group"]] }
    assert_equal [["emit", "chat.joined"], ["stream.set", "g"], ["sync", nil]], ops
  end

  def test_on_leave_as_well_and_one_that_waits_holds_up_nobody
    id = start("leave", "room.stream.rb", { name: "ada" })
    engine.frame { |frame| frame.kind == Kind::OP && frame.meta["call"] == id }
    assert_equal({}, tell("join", "nil.stream.rb"))
    op = engine.ops.find { |asked| asked["call"] == id }
    assert_equal ["state.delete", "ada"], op.values_at("op", "key")
    refute(engine.frames.any? { |frame| frame.kind == Kind::RESULT && frame.id == id })
    engine.reply(op["number"], nil)
    assert_equal({}, engine.result(id).meta)
  end

  def test_they_get_as_much_as_they_take
    assert_equal({}, tell("join", "few.stream.rb"))
    engine.log { |meta| meta["message"] == "came g" }
    assert_equal({}, tell("leave", "few.stream.rb"))
    engine.log { |meta| meta["message"] == "went 3 nil" }
  end

  def test_what_they_raise_is_an_error_with_the_users_line
    error = tell("join", "raises.stream.rb")["error"]
    assert_equal %w[RangeError full], error.values_at("name", "message")
    assert_match(/raises\.stream\.rb:2/, error["stack"])
    assert_equal "NoMethodError", tell("leave", "raises.stream.rb")["error"]["name"]
    assert_equal "the disk is full", tell("join", "lost.stream.rb")["error"]["message"]
  end

  def test_can_access_is_asked_as_ever
    answer = engine.result(start("access", "both.stream.rb"))
    assert_equal [{ "type" => "json" }, "true"], [answer.meta, answer.body]
  end

  def test_a_file_is_called_only_for_what_it_has
    [["leave", "nil.stream.rb", "nil.stream.rb has no onLeave"],
     ["access", "nil.stream.rb", "nil.stream.rb has no canAccess"],
     ["join", "guarded.stream.rb", "guarded.stream.rb has no onJoin"],
     ["join", "a.step.rb", "a.step.rb has no onJoin"],
     ["leave", "nope.stream.rb", "nope.stream.rb is not loaded"],
     ["event", "nil.stream.rb", "nil.stream.rb has no handler"],
     ["storage", "nil.stream.rb", "nil.stream.rb has no custom storage"],
     ["dance", "a.step.rb", "a.step.rb has nothing for calls of the kind 'dance'"]].each do |kind, source, message|
      assert_equal({ "error" => { "message" => message, "code" => "step-unknown" } }, tell(kind, source))
    end
  end

  def test_imported_names_them_in_the_config_and_handler_tells_of_can_access_alone
    names = %w[canAccess can_access onJoin on_join onLeave on_leave]
    { "room.stream.rb" => [false, { "onJoin" => true, "onLeave" => true }],
      "few.stream.rb" => [false, { "onJoin" => true, "onLeave" => true }],
      "nil.stream.rb" => [false, { "onJoin" => true }],
      "both.stream.rb" => [true, { "canAccess" => true, "onLeave" => true }],
      "guarded.stream.rb" => [true, { "canAccess" => true }] }.each do |source, expected|
      file = HooksTest.loaded.last[source]
      assert_equal expected, [file["handler"], file["config"].slice(*names)], source
      assert_empty file["warnings"]
    end
  end

  def test_of_two_names_the_one_that_says_something_counts
    files = { "two.stream.rb" => stream("on_join: ->(*) { puts 'snake' }, 'onJoin' => nil, onLeave: ->(*) { puts 'camel' }, on_leave: 5") }
    with_engine(files: files) do |own|
      refute own.load("two.stream.rb")["two.stream.rb"].key?("refused")
      { "join" => "snake", "leave" => "camel" }.each do |kind, said|
        own.call("two.stream.rb", { kind: kind }, '{"subscription":{"groupId":"g"},"context":null}')
        own.log { |meta| meta["message"] == said }
      end
    end
  end

  def test_what_is_no_function_is_refused
    with_engine(files: { "false.stream.rb" => stream("onJoin: false"), "sym.stream.rb" => stream("on_leave: :went") }) do |own|
      loaded = own.load("false.stream.rb", "sym.stream.rb")
      must = "must be a lambda, a method or another object with `call`, but it is"
      assert_equal "false.stream.rb: onJoin #{must} false", loaded["false.stream.rb"]["refused"]["message"]
      assert_equal "sym.stream.rb: onLeave #{must} a Symbol", loaded["sym.stream.rb"]["refused"]["message"]
    end
  end

  def test_an_exit_fails_its_call_and_the_worker_retires
    with_engine(files: { "exits.stream.rb" => FILES["exits.stream.rb"] }) do |own|
      own.load("exits.stream.rb")
      id = own.start("exits.stream.rb", { kind: "leave" }, '{"subscription":{"groupId":"g"},"context":null}')
      assert_match(/exit/, own.result(id).meta["error"]["message"])
      assert_match(/exits\.stream\.rb/, own.frame { |frame| frame.kind == Kind::RETIRE }.meta["reason"])
    end
  end
end

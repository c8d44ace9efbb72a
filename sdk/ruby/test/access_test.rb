# Who may watch streams: `canAccess`, which the engine asks.
require "minitest/autorun"
require_relative "support/engine"

class AccessTest < WorkerTest
  # Text of a stream file. `check` is Ruby for the function.
  def self.stream(check, key: "canAccess:", more: "")
    "#{more}\ndef config = { name: \"chat\", schema: {}, baseConfig: { storageType: \"default\" }, #{key} #{check} }\n"
  end

  def stream(...)
    self.class.stream(...)
  end

  FILES = {
    "member_stream.rb" => stream(<<~'RUBY'),
      ->(subscription, context) do
        puts "may #{subscription.groupId} #{subscription[:id]} #{context&.user&.name}"
        context ? context["projects"].include?(subscription.group_id) : false
      end
    RUBY
    "method_stream.rb" => stream("method(:allowed?)", key: "can_access:", more: "def allowed?(subscription, context) = context.nil?"),
    "text_stream.rb" => stream("->(subscription) { subscription.groupId }", key: '"can_access" =>'),
    "proc.stream.rb" => stream("proc { _1.groupId == _2.id }"),
    "none.stream.rb" => stream("-> { nil }"),
    "any.stream.rb" => stream("->(*both) { both.size == 2 }"),
    "object.stream.rb" => stream("Check.new", more: "class Check\n  def call(subscription) = subscription.groupId == 'public'\nend"),
    "zero.stream.rb" => stream("->(*) { 0 }"),
    "raises.stream.rb" => stream("->(_, context) { context.fetch('user') }"),
    "waits.stream.rb" => stream("->(*) { puts 'waiting'; GATE.pop }", more: "GATE = Queue.new"),
    "exits.stream.rb" => stream("->(*) { exit(3) }"),
    "open.stream.rb" => stream("nil"),
    "a.step.rb" => step("{ status: 200, body: true }")
  }.freeze

  # A worker for all of them, and what it said of the files.
  def engine
    AccessTest.loaded.first
  end

  def self.loaded
    @loaded ||= Engine.new(files: FILES).then do |engine|
      Minitest.after_run { engine.close }
      [engine, engine.load(*FILES.keys)]
    end
  end

  def start(source, group = "g", context = nil, id = nil)
    question = { subscription: { groupId: group, id: id }.compact, context: context }
    engine.start(source, { kind: "access" }, JSON.generate(question))
  end

  # The answer, or {"error" => …}.
  def ask(...)
    answer = engine.result(start(...))
    return answer.meta if answer.meta.key?("error")

    assert_equal({ "type" => "json" }, answer.meta)
    { "true" => true, "false" => false }.fetch(answer.body)
  end

  def test_it_gets_the_subscription_and_the_context_as_records
    context = { projects: ["p1"], user: { name: "ada" } }
    id = start("member_stream.rb", "p1", context, "i")
    assert_equal "true", engine.result(id).body
    line = engine.log { |meta| meta["message"] == "may p1 i ada" }
    assert_equal [id, "console"], line.meta.values_at("call", "source")
    assert_equal false, ask("member_stream.rb", "p2", context)
    assert_equal false, ask("member_stream.rb", "p1")
  end

  def test_whatever_can_be_called_with_as_many_arguments_as_it_takes
    assert_equal true, ask("method_stream.rb")
    assert_equal false, ask("method_stream.rb", "g", {})
    assert_equal true, ask("text_stream.rb")
    assert_equal [true, false], [ask("proc.stream.rb", "7", { id: "7" }), ask("proc.stream.rb", "8", { id: "7" })]
    assert_equal false, ask("none.stream.rb")
    assert_equal true, ask("any.stream.rb")
    assert_equal [true, false], [ask("object.stream.rb", "public"), ask("object.stream.rb", "private")]
  end

  def test_the_answer_counts_by_what_ruby_takes_for_true
    assert_equal true, ask("zero.stream.rb")
  end

  def test_what_it_raises_is_an_error_with_the_users_line
    error = ask("raises.stream.rb")["error"]
    assert_equal "NoMethodError", error["name"]
    assert_match(/raises\.stream\.rb:2/, error["stack"])
    refute_match(%r{sdk/ruby}, error["stack"])
  end

  def test_a_cancelled_question_does_not_hold_up_others
    id = start("waits.stream.rb")
    engine.log { |meta| meta["message"] == "waiting" && meta["call"] == id }
    engine.deliver(Kind::CANCEL, id: id, meta: { reason: "timeout" })
    assert_equal true, ask("zero.stream.rb")
    assert(engine.frames.none? { |frame| frame.kind == Kind::RESULT && frame.id == id })
  end

  def test_a_file_is_asked_only_what_it_can_answer
    [["access", "open.stream.rb", "open.stream.rb has no canAccess"],
     ["access", "a.step.rb", "a.step.rb has no canAccess"],
     ["access", "nope.stream.rb", "nope.stream.rb is not loaded"],
     ["authenticate", "a.step.rb", "a.step.rb has no streamAuth.authenticate"],
     ["authenticate", "zero.stream.rb", "zero.stream.rb has no streamAuth.authenticate"],
     ["api", "zero.stream.rb", "zero.stream.rb has no handler"],
     ["event", "zero.stream.rb", "zero.stream.rb has no handler"]].each do |kind, source, message|
      assert_equal({ "error" => { "message" => message, "code" => "step-unknown" } },
                   engine.call(source, { kind: kind }, "{}").meta)
    end
  end

  def test_imported_says_whether_it_can_be_asked_and_the_config_knows_one_name
    files = AccessTest.loaded.last
    assert_equal(["open.stream.rb"], files.reject { |_, file| file["handler"] }.keys)
    %w[member_stream.rb method_stream.rb text_stream.rb object.stream.rb].each do |source|
      assert_equal true, files[source]["config"]["canAccess"], source
      refute_includes files[source]["config"], "can_access"
      assert_empty files[source]["warnings"]
    end
    refute_includes files["open.stream.rb"]["config"], "canAccess"
  end

  def test_what_is_no_function_is_refused_since_everybody_could_watch
    with_engine(files: { "false.stream.rb" => stream("false"), "sym.stream.rb" => stream(":owner", key: "can_access:") }) do |engine|
      loaded = engine.load("false.stream.rb", "sym.stream.rb")
      must = "canAccess must be a lambda, a method or another object with `call`, but it is"
      assert_equal "false.stream.rb: #{must} false", loaded["false.stream.rb"]["refused"]["message"]
      assert_equal "sym.stream.rb: #{must} a Symbol", loaded["sym.stream.rb"]["refused"]["message"]
    end
  end

  def test_a_later_load_replaces_it
    engine.write("later.stream.rb" => stream("->(*) { true }"))
    engine.load("later.stream.rb")
    assert_equal true, ask("later.stream.rb")
    engine.load("later.stream.rb", modules: { "later.stream.rb" => "#{engine.root}/open.stream.rb" })
    assert_equal "step-unknown", ask("later.stream.rb")["error"]["code"]
  end

  def test_an_exit_fails_its_call_and_the_worker_retires
    with_engine(files: { "exits.stream.rb" => FILES["exits.stream.rb"] }) do |engine|
      engine.load("exits.stream.rb")
      id = engine.start("exits.stream.rb", { kind: "access" }, '{"subscription":{"groupId":"g"},"context":null}')
      assert_match(/exit/, engine.result(id).meta["error"]["message"])
      assert_match(/exits\.stream\.rb/, engine.frame { |frame| frame.kind == Kind::RETIRE }.meta["reason"])
    end
  end
end

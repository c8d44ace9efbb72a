# What context.emit, context.state and context.streams put on the wire, and what they give back.
require "minitest/autorun"
require_relative "support/engine"

class OperationsTest < WorkerTest
  # One step that runs the code it is sent, so that each test shows its own.
  FILES = {
    "run.step.rb" => step(<<~'RUBY')
      state, streams = context.state, context.streams
      result = eval(req.body.code)
      { status: 200, body: { result: result } }
    RUBY
  }.freeze

  # Runs `code` in a handler: [result, what the last operation carried], or raises what it failed with.
  def run_code(code, &on_op)
    shared = engine
    shared.forget
    shared.on_op = on_op
    got = shared.json("run.step.rb", { code: code })
    raise got["error"].values_at("name", "message").join(": ") if got["error"]

    [got["body"]["result"], shared.ops.last&.reject { |key, _| %w[number call].include?(key) }]
  end

  def op(code, &on_op)
    run_code(code, &on_op).last
  end

  def test_emit_in_all_forms
    data = { "op" => "emit", "topic" => "a", "value" => { "n" => nil, "m" => 1 } }
    assert_equal data, op('context.emit({ topic: "a", data: { n: nil, m: 1 } })')
    assert_equal data, op('context.emit(topic: "a", data: { n: nil, m: 1 })')
    assert_equal data, op('context.emit("topic" => "a", "data" => { n: nil, m: 1 })')
    assert_equal data, op('context.emit("a", n: nil, m: 1)')
    assert_equal data, op('context.emit(:a, { n: nil, m: 1 })')
    assert_equal data, op('context[:emit].call(topic: "a", data: { n: nil, m: 1 })')
    assert_equal({ "op" => "emit", "topic" => "d", "value" => :none }, op('context.emit(topic: "d")'))
    assert_equal({ "op" => "emit", "topic" => "d", "value" => nil }, op('context.emit(topic: "d", data: nil)'))
    grouped = { "op" => "emit", "topic" => "c", "group" => "7", "value" => 1 }
    assert_equal grouped, op('context.emit(topic: "c", data: 1, messageGroupId: 7)')
    assert_equal grouped, op('context.emit({ topic: "c", data: 1, message_group_id: "7" })')
    assert_equal grouped, op('context.emit("c", 1, message_group_id: "7")')
  end

  def test_emit_without_a_topic_is_said_and_nothing_more
    result, sent = run_code("context.emit({ type: 'old', data: 1 })")
    assert_equal [{ "id" => "", "repeated" => false }, nil], [result, sent]
    assert_match(/\Aemit was called without a topic/, engine.logs.last["message"])
  end

  def test_emit_when_how_urgent_how_often
    emit = ->(more) { op("context.emit(topic: 't', #{more})").reject { |key, _| %w[op topic].include?(key) } }
    assert_equal({ "delay" => "15m", "priority" => 5, "value" => :none }, emit['delay: "15m", priority: 5'])
    assert_equal({ "at" => 1000, "value" => :none }, emit["at: Time.at(1)"])
    assert_equal({ "at" => "2026-11-25T09:00:00Z", "value" => :none }, emit['at: "2026-11-25T09:00:00Z"'])
    assert_equal({ "delay" => 0, "value" => :none }, emit["delay: 0, at: nil, priority: nil"])
    assert_equal({ "once" => "5", "value" => :none }, emit["idempotency_key: 5"])
    assert_equal({ "once" => "5", "value" => :none }, emit["idempotencyKey: 5"])
    assert_equal 1_000, op("require 'date'; context.emit(topic: 't', at: DateTime.new(1970, 1, 1, 0, 0, 1))")["at"]
  end

  def test_emit_returns_the_event_which_can_be_taken_back
    answers = { "emit" => { id: "7-1", repeated: true }, "cancel" => 1 }
    result, sent = run_code('e = context.emit("t"); [e, e.id, e.repeated, e.cancel, context.events.cancel("8-1")]') { |op| answers[op["op"]] }
    assert_equal [{ "id" => "7-1", "repeated" => true }, "7-1", true, true, true], result
    assert_equal({ "op" => "cancel", "event" => "8-1", "value" => :none }, sent)
    assert_equal false, run_code('context.events.cancel("8-1")') { 0 }.first
  end

  def test_state
    at = { "group" => "g", "key" => "k" }
    result, sent = run_code("v = state.get('g', 'k'); [v.a, v['a'], v[:a], v.to_h.class.name]") { { a: 1 } }
    assert_equal [[1, 1, 1, "Hash"], { "op" => "state.get", **at, "value" => :none }], [result, sent]
    result, sent = run_code("state.set('Org/repo', 42, { at: Time.at(0).utc, s: :sym })")
    assert_equal({ "op" => "state.set", "group" => "Org/repo", "key" => "42",
                   "value" => { "at" => "1970-01-01T00:00:00.000Z", "s" => "sym" } }, sent)
    assert_equal({ "at" => "1970-01-01T00:00:00.000Z", "s" => "sym" }, result)
    assert_equal({ "op" => "state.set", **at, "value" => { "a" => 1 } }, op("state.set('g', 'k', a: 1)"))
    assert_equal({ "op" => "state.set", **at, "ttl" => "1m", "value" => { "a" => 1 } }, op("state.set('g', :k, { a: 1 }, ttl: '1m')"))
    assert_nil op("state.set('g', 'k', nil)")["value"]
    assert_equal "old", run_code("state.delete('g', 'k')") { "old" }.first
    assert_equal [1, 2], run_code("state.get_group('g')") { [1, 2] }.first
    assert_equal [1, 2], run_code("state.getGroup('g')") { [1, 2] }.first
    assert_equal [nil, { "op" => "state.clear", "group" => "g", "value" => :none }], run_code("state.clear('g')")
    assert_equal({ "op" => "state.entry", **at, "value" => :none }, op("state.entry('g', 'k')"))
    assert_equal({ "op" => "state.setIf", **at, "expected" => 7, "value" => 2 }, op("state.set_if_revision('g', 'k', 2, 7)"))
    assert_equal({ "op" => "state.setIf", **at, "ttl" => 5, "value" => 2 }, op("state.setIfRevision('g', 'k', 2, nil, ttl: 5)"))
    assert_equal({ "op" => "state.update", **at, "value" => [{ "type" => "increment" }] }, op("state.update('g', 'k', [{ type: :increment }])"))
    assert_equal({ "op" => "state.listKeys", "group" => "g", "value" => :none }, op("state.list_keys('g')"))
    assert_equal({ "op" => "state.listGroups", "value" => :none }, op("state.listGroups"))
    assert_equal 3, run_code("state[:get].call('g', 'k')") { 3 }.first
  end

  def test_streams_items_come_back_with_their_mark_and_go_without_it
    stored = { "text" => "hi", "id" => "m1", "_createdAt" => 1 }
    item = stored.merge("__motia" => { "type" => "state-stream", "streamName" => "chat", "groupId" => "room", "id" => "m1" })
    result, sent = run_code("item = streams.chat.get('room', 'm1'); streams['chat'].set('room', 'm1', item.merge(text: 'ho'))") { stored }
    assert_equal({ "op" => "stream.set", "stream" => "chat", "group" => "room", "id" => "m1", "value" => stored.merge("text" => "ho") }, sent)
    assert_equal item, result
    assert_equal [item], run_code("streams.chat.get_group('room')") { [stored] }.first
    assert_equal item, run_code("streams[:chat].delete('room', 'm1')") { stored }.first
    assert_nil run_code("streams.chat.get('room', 'm1')").first
  end

  def test_streams_update_query_and_clear
    stored = { "text" => "hi", "id" => "m1", "_createdAt" => 1 }
    item = stored.merge("__motia" => { "type" => "state-stream", "streamName" => "chat", "groupId" => "7", "id" => "m1" })
    at = { "stream" => "chat", "group" => "7" }
    change = { "op" => "stream.update", **at, "id" => "m1", "value" => [{ "type" => "increment", "path" => "n" }] }
    assert_equal [item, change], run_code("streams.chat.update(7, :m1, [{ type: :increment, path: 'n' }])") { stored }
    assert_nil run_code("streams.chat.update('room', 'm1', [{ type: 'remove' }])").first
    asked = { "where" => { "done" => false, "due" => { "lt" => 5 }, "by.name" => nil }, "order" => ["-due", "title"], "limit" => 10 }
    sent = { "op" => "stream.query", **at, "value" => asked }
    written = "where: { done: false, due: { lt: 5 }, 'by.name': nil }, order: %w[-due title], limit: 10"
    assert_equal [[item], sent], run_code("streams.chat.query(7, #{written})") { [stored] }
    assert_equal sent, op("streams.chat.query(7, { #{written} })") { [] }
    assert_equal "hi", run_code("streams.chat.query(7).first.text") { [stored] }.first
    ["query(7)", "query(7, nil)"].each { |code| assert_equal({ **sent, "value" => :none }, op("streams.chat.#{code}") { [] }, code) }
    assert_equal [3, { "op" => "stream.clear", **at, "value" => :none }], run_code("streams.chat.clear(7)") { 3 }
  end

  def test_streams_send
    sent = { "op" => "stream.send", "stream" => "chat", "group" => "room", "value" => { "type" => "typing", "data" => { "who" => "ada" } } }
    assert_equal sent, op("streams.chat.send({ groupId: 'room' }, { type: 'typing', data: { who: 'ada' } })")
    assert_equal sent, op("streams.chat.send({ group_id: 'room' }, type: 'typing', data: { who: 'ada' })")
    assert_equal "5", op("streams.chat.send({ groupId: 'room', id: 5 }, { type: 't' })")["id"]
  end

  def test_sync
    assert_equal [nil, { "op" => "sync", "value" => :none }], run_code("context.sync")
  end

  def test_an_operation_that_is_refused_raises_with_its_code
    code = "begin; state.get('g', 'k'); rescue Motia::OperationError => e; [e.message, e.code, e.backtrace.first[/[^\\/]*\\z/][0, 4]]; end"
    result, = run_code(code) { { error: { code: "store-failed", message: "the disk is full" } } }
    assert_equal ["the disk is full", "store-failed"], result.first(2)
    engine.on_op = ->(_) { { error: { code: "x", message: "no" } } }
    error = engine.json("run.step.rb", { code: "state.get('g', 'k')" })["error"]
    assert_equal %w[Motia::OperationError no x], error.values_at("name", "message", "code")
    assert_match(/run.step.rb:5/, error["stack"])
  end

  MISTAKES = {
    "state.get('g', nil)" => "TypeError: state.get: key must be a string, not nil",
    "state.set({}, 'k', 1)" => "TypeError: state.set: group must be a string, not a hash",
    "streams.chat.get(['a'], 'k')" => "TypeError: stream.get: group must be a string, not an array",
    "streams.chat.update('g', nil, [])" => "TypeError: stream.update: id must be a string, not nil",
    "streams.chat.query(where: {})" => "TypeError: stream.query: group must be a string, not a hash",
    "streams.chat.query('g', limit: Float::NAN)" => "TypeError: stream.query: data.limit is NaN, which JSON cannot hold",
    "streams.chat.clear(nil)" => "TypeError: stream.clear: group must be a string, not nil",
    "streams.chat.send({}, {})" => "TypeError: stream.send: group must be a string, not nil",
    "context.emit(nil)" => "TypeError: emit: topic must be a string, not nil",
    "context.emit(topic: 't', delay: Float::NAN)" => "TypeError: emit: delay is NaN, which JSON cannot hold",
    "context.emit('t', { list: [1, { price: Float::NAN }] })" => "TypeError: emit: data.list[1].price is NaN, which JSON cannot hold",
    "state.set('g', 'k', -> {})" => "TypeError: state.set: data is a Proc, which has no JSON form",
    "state.set('g', 'k', { a: [\"\\xff\"] })" => "TypeError: state.set: data.a[0] is a string of bytes that are not UTF-8",
    "h = {}; h[:h] = { i: h }; state.set('g', 'k', h)" => "TypeError: state.set: data.h.i is part of itself",
    "state.set('g', 'k', { Object.new => 1 })" => /TypeError: state.set: data.*has a key that is no text, but an Object/,
    "state.set('g', 'k', { at: (1..3) })" => "TypeError: state.set: data.at is a Range, which has no JSON form",
    "context.emit('x' * 900_000)" => /RangeError: .*too long to be sent/
  }.freeze

  def test_what_cannot_be_sent_is_named
    MISTAKES.each do |code, message|
      error = assert_raises(RuntimeError, code) { run_code(code) }
      message.is_a?(String) ? assert_equal(message, error.message) : assert_match(message, error.message)
    end
  end

  def test_values_of_ruby_have_a_json_form
    code = <<~'RUBY'
      require "set"
      require "date"
      require "bigdecimal"
      require "ostruct"
      Point = Struct.new(:x, :y) unless defined?(Point)
      own = Class.new { def to_h = { own: 1 } }
      json = Class.new { def to_json(*) = '{"j":1}' }
      state.set("g", "k", [Set[1, :a], Date.new(2026, 1, 2), DateTime.new(2026, 1, 2, 3, 4, 5), BigDecimal("1.50"), Point.new(1, [2]),
        OpenStruct.new(a: 1), own.new, json.new, 1r / 3, 2**70, "latin é".encode("ISO-8859-1"), "bytes é".b, { 1 => 2, nil => 3 },
        Time.new(2026, 1, 2, 3, 4, 5.5, "+02:00")])
      nil
    RUBY
    assert_equal [[1, "a"], "2026-01-02", "2026-01-02T03:04:05.000+00:00", "1.5", { "x" => 1, "y" => [2] }, { "a" => 1 }, { "own" => 1 },
                  { "j" => 1 }, "1/3", 2**70, "latin é", "bytes é", { "1" => 2, "" => 3 }, "2026-01-02T03:04:05.500+02:00"],
                 op(code)["value"]
  end

  def test_operations_leave_in_the_order_in_which_they_were_made
    run_code("50.times { |n| state.set('g', n, n % 7 == 0 ? 'x' * 400_000 : n) }; nil")
    assert_equal (0...50).map(&:to_s), engine.ops.map { |op| op["key"] }
  end

  def test_long_data_and_long_replies_travel_in_pieces
    result, = run_code("state.set('g', 'k', 'x' * 3_000_000); state.get('g', 'k').length") { |op| op["op"] == "state.get" ? "ž" * 2_000_000 : nil }
    assert_equal 3_000_000, engine.ops.first["value"].length
    assert_equal 2_000_000, result
  end

  def test_a_long_operation_that_is_refused_early_is_not_sent_to_its_end
    shared = engine
    shared.forget
    id = shared.start("run.step.rb", { content: "json" }, JSON.generate(code: "context.emit('t', 'x' * 5_000_000)"))
    op = shared.frame { |frame| frame.kind == Kind::OP }
    shared.transmit(Frames.encode(Kind::REPLY, 0, op.id, JSON.generate(error: { code: "too-large", message: "4 MB at most" }), ""))
    assert_equal "too-large", shared.result(id).meta["error"]["code"]
    assert(shared.frames.any? { |frame| frame.kind == Kind::ABORT && frame.id == op.id && frame.flags.zero? })
  end
end

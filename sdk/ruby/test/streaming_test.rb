# Responses whose bodies come bit by bit.
require "minitest/autorun"
require_relative "support/engine"

class StreamingTest < WorkerTest
  def self.streaming(body, headers = "{}")
    step("{ status: 200, headers: #{headers}, body: (#{body}) }")
  end

  PLAIN = '{ "Content-Type" => "text/plain" }'

  FILES = {
    "text.step.rb" => streaming("Enumerator.new { |y| y << 'grü'; sleep 0.001; y << ''; y << 'ße' }"),
    "bytes.step.rb" => streaming('["\x01".b, "\x02".b].each_entry'),
    "lazy.step.rb" => streaming("(1..3).lazy.map(&:to_s)"),
    "each.step.rb" => "class Rows\n def each\n yield 'a'\n yield 'b'\n end\nend\n#{streaming("Rows.new")}",
    "file.step.rb" => streaming("File.open(__FILE__)"),
    "pipe.step.rb" => streaming("IO.pipe.then { |r, w| Thread.new { w << 'a'; w.flush; sleep 0.05; w << 'b'; w.close }; r }"),
    "io.step.rb" => "require 'stringio'\n#{streaming("StringIO.new('ab' * 40_000)")}",
    "empty.step.rb" => streaming("[].each_entry"),
    "hash.step.rb" => streaming("[{ a: 1 }].each_entry"),
    "late_hash.step.rb" => streaming("['a', { a: 1 }].each_entry"),
    "fails_first.step.rb" => streaming("Enumerator.new { |y| raise 'early' }"),
    "raises.step.rb" => streaming("Enumerator.new { |y| y << 'a'; raise TypeError, 'boom' }", PLAIN),
    "writes.step.rb" => streaming(<<~'RUBY'),
      Enumerator.new do |y|
        y << "a"
        context.state.set("g", "k", 1)
        y << "b"
        context.state.set("g", "k", 2)
      end
    RUBY
    "loses.step.rb" => streaming("Enumerator.new { |y| y << 'a'; context.emit('t') }"),
    "endless.step.rb" => streaming(<<~'RUBY', PLAIN),
      Enumerator.new do |y|
        begin
          (0..).each { |n| context.logger.info("pulled", n: n); y << "x" * 65_536 }
        ensure
          context.state.set("g", "over", context.signal.aborted?)
        end
      end
    RUBY
    "waits.step.rb" => streaming(<<~'RUBY', PLAIN),
      Enumerator.new do |y|
        context.logger.info("waiting")
        Queue.new.pop
      rescue => e
        context.logger.info("rescued")
      ensure
        context.state.set("g", "cleaned", 1)
      end
    RUBY
    "burst.step.rb" => streaming("Enumerator.new { |y| 2000.times { y << 'x' } }", PLAIN),
    "set.step.rb" => "require 'set'\n#{streaming("Set[1, 2]")}"
  }.freeze

  def part?(frame, id)
    frame.id == id && [Kind::DATA, Kind::ABORT].include?(frame.kind) && frame.flags & ANSWER != 0
  end

  def ended(id)
    engine.frame("the end of #{id}") { |frame| part?(frame, id) && frame.flags & MORE == 0 }
  end

  # The head, the chunks and how they end.
  def streamed(file)
    id = engine.start(file)
    head = engine.result(id)
    assert_equal true, head.meta["stream"], head.meta.inspect
    assert_equal MORE, head.flags & MORE
    end_of = ended(id)
    chunks = engine.frames.select { |frame| part?(frame, id) && !frame.body.empty? }.map(&:body)
    { id: id, head: head.meta, chunks: chunks, text: chunks.join.force_encoding("UTF-8"), end: end_of }
  end

  def test_every_kind_of_stream_is_sent_chunk_by_chunk_and_its_first_chunk_says_what_it_is
    [["text", "text", "grüße", 2], ["bytes", "bytes", "\x01\x02", 2], ["lazy", "text", "123", 3], ["each", "text", "ab", 2],
     ["pipe", "bytes", "ab", 2], ["empty", "bytes", "", 0], ["burst", "bytes", "x" * 2000, 2000], ["io", nil, "ab" * 40_000, 2],
     ["file", "bytes", FILES["file.step.rb"], 1]].each do |file, type, text, count|
      got = streamed("#{file}.step.rb")
      assert_equal [text, count, Kind::DATA], [got[:text], got[:chunks].size, got[:end].kind], file
      assert_equal type, got[:head]["type"], file if type
    end
  end

  def test_what_is_a_value_is_sent_as_one
    assert_equal [1, 2], engine.json("set.step.rb")["body"]
  end

  def test_what_fails_before_the_first_chunk_fails_the_call
    assert_match(/the response's stream yielded a hash; a chunk is a string.*JSON.generate/, engine.call("hash.step.rb").meta["error"]["message"])
    assert_equal "early", engine.call("fails_first.step.rb").meta["error"]["message"]
  end

  def test_what_fails_after_that_breaks_the_response_off_and_says_why
    { "late_hash.step.rb" => /yielded a hash/, "raises.step.rb" => /\Aboom\z/ }.each do |file, message|
      got = streamed(file)
      assert_equal ["a", Kind::ABORT], [got[:text], got[:end].kind]
      assert_match message, got[:end].meta["error"]["message"]
    end
  end

  def test_operations_belong_to_the_call_until_its_end_which_waits_for_them
    got = streamed("writes.step.rb")
    ops = engine.ops.select { |op| op["call"] == got[:id] }
    assert_equal([["state.set", 1, nil], ["state.set", 2, nil]], ops.map { |op| op.values_at("op", "value", "step") })
    frames = engine.frames
    assert_operator frames.rindex { |frame| frame.kind == Kind::OP && frame.id == ops[1]["number"] }, :<, frames.index(got[:end])
  end

  def test_an_operation_that_fails_breaks_the_response_off
    engine.on_op = ->(_) { { error: { code: "no", message: "not now" } } }
    got = streamed("loses.step.rb")
    assert_equal [Kind::ABORT, "no"], [got[:end].kind, got[:end].meta["error"]["code"]]
  end

  def test_a_stream_is_pulled_no_further_than_the_window_and_cancelled
    id = engine.start("endless.step.rb")
    engine.result(id)
    sent = -> { engine.frames.select { |frame| part?(frame, id) }.sum { |frame| frame.body.bytesize } }
    deadline = Time.now + 5
    sleep 0.01 until sent.call == 1_048_576 || Time.now > deadline
    sleep 0.05
    assert_equal [1_048_576, 17], [sent.call, engine.logs.count { |line| line["message"] == "pulled" }]
    engine.deliver(Kind::CANCEL, id: id, meta: { reason: "disconnect" })
    assert_equal [Kind::ABORT, {}], [ended(id).kind, ended(id).meta]
    over = engine.ops.find { |op| op["key"] == "over" }
    assert_equal [true, id, nil], over.values_at("value", "call", "step"), "its clean-up belongs to the call"
  end

  def test_a_stream_that_waits_for_its_next_chunk_is_cancelled_too
    id = engine.start("waits.step.rb")
    engine.log { |meta| meta["message"] == "waiting" && meta["call"] == id }
    sleep 0.02
    engine.deliver(Kind::CANCEL, id: id, meta: { reason: "disconnect" })
    assert_equal Kind::ABORT, ended(id).kind
    assert(engine.ops.any? { |op| op["key"] == "cleaned" })
    assert(engine.logs.none? { |line| line["message"] == "rescued" })
    assert_equal "ab", streamed("each.step.rb")[:text], "its thread serves on"
  end

  def test_an_exit_in_another_thread_breaks_the_response_off_and_nothing_follows
    files = { "exit.step.rb" => self.class.streaming("Thread.new { sleep 0.05; exit 3 }; Enumerator.new { |y| loop { y << 'x'; sleep 0.001 } }") }
    with_engine(files: files) do |other|
      other.load("exit.step.rb")
      id = other.start("exit.step.rb")
      broken = other.frame { |frame| frame.kind == Kind::ABORT && frame.id == id }
      assert_equal "exit(3) was called", broken.meta["error"]["message"]
      other.deliver(Kind::STOP)
      assert_equal 0, other.exit.exitstatus
      assert_equal broken, other.frames.reverse.find { |frame| part?(frame, id) }
    end
  end

  def test_stop_waits_for_the_end_of_a_stream
    with_engine(files: { "text.step.rb" => FILES["text.step.rb"] }) do |other|
      other.load("text.step.rb")
      id = other.start("text.step.rb")
      other.deliver(Kind::STOP)
      other.frame { |frame| part?(frame, id) && frame.flags & MORE == 0 }
      assert_equal 0, other.exit.exitstatus
    end
  end
end

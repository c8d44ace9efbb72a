# The threads that run handlers, without a process, and that no call waits for another.
require "minitest/autorun"
require_relative "support/engine"
%w[threads fork pool].each { |name| require_relative "../lib/motia/#{name}" }

class PoolTest < Minitest::Test
  # A pool that looks after its threads often.
  class Quick < Motia::Pool
    def sleep(_)
      super(0.02)
    end
  end

  # The system has no more threads, as long as the block runs.
  def refusing
    own = Motia::Threads.method(:own)
    Motia::Threads.define_singleton_method(:own) { |&_| raise ThreadError, "can't create Thread: Resource temporarily unavailable" }
    yield
  ensure
    Motia::Threads.define_singleton_method(:own, own)
  end

  def threads
    Thread.list.size
  end

  def soon(what)
    deadline = Time.now + 5
    sleep 0.005 until yield || Time.now > deadline
    assert yield, what
  end

  def test_a_call_never_waits_for_another_and_threads_are_used_again_and_end
    pool = Quick.new
    before = threads
    gate = Queue.new
    ran = Queue.new
    600.times { pool.post { ran << gate.pop } }
    soon("all began") { gate.num_waiting == 600 }
    600.times { gate << 1 }
    soon("all ended") { ran.size == 600 }
    soon("idle threads end") { threads <= before }
    ran.clear
    used = Array.new(100) do
      pool.post { ran << Thread.current }
      ran.pop.tap { sleep 0.0005 }
    end
    assert_operator used.uniq.size, :<, 20, "one after the other needs few"
  end

  def test_what_is_busy_stays
    pool = Quick.new
    gate = Queue.new
    ran = Queue.new
    5.times { pool.post { ran << gate.pop } }
    sleep 0.2
    5.times { gate << 1 }
    soon("all ended") { ran.size == 5 }
  end

  def test_a_refused_thread_is_said_once_and_its_job_waits_for_another
    said = Queue.new
    pool = Quick.new { |error| said << error.message }
    gate = Queue.new
    ran = Queue.new
    pool.post { ran << gate.pop }
    refusing do
      pool.post { ran << 2 }
      pool.post { ran << 3 }
      assert_equal "can't create Thread: Resource temporarily unavailable", Timeout.timeout(5) { said.pop }
      assert_empty ran
      gate << 1
      soon("the others ran") { ran.size == 3 }
      2.times { pool.post { ran << gate.pop } }
      sleep 0.1
      assert_equal 1, gate.num_waiting
      assert_empty said
    end
    soon("the system allows more again") { gate.num_waiting == 2 }
  end
end

class ManyCallsTest < WorkerTest
  FILES = {
    "hello.step.rb" => step("{ status: 200, body: { hello: 1 } }"),
    "event.step.rb" => step("context.logger.info('event')", config: 'type: "event", name: "E", subscribes: ["x"]', args: "(input, context)"),
    "stream.step.rb" => step("{ status: 200, headers: { 'content-type' => 'text/plain' }, body: Enumerator.new { |y| y << 'a'; sleep } }")
  }.freeze

  def test_open_responses_hold_up_nobody
    ids = Array.new(400) { engine.start("stream.step.rb") }
    ids.each { |id| assert_equal true, engine.result(id).meta["stream"] }
    assert_equal({ "hello" => 1 }, engine.json("hello.step.rb")["body"])
    assert_empty engine.call("event.step.rb", { kind: "event" }).meta
    ids.each { |id| engine.deliver(Kind::CANCEL, id: id, meta: { reason: "disconnect" }) }
    ids.each { |id| engine.frame { |frame| frame.kind == Kind::ABORT && frame.id == id } }
  end

  REFUSES = <<~RUBY
    module Refusing
      def own(&block)
        $refusing ? raise(ThreadError, "can't create Thread: none left") : super
      end
    end
    Motia::Threads.singleton_class.prepend(Refusing)
  RUBY

  def test_a_system_without_threads_is_named_and_the_worker_goes_on
    files = { "refuse.step.rb" => REFUSES + step("$refusing = true; { status: 200 }"), **FILES }
    with_engine(files: files) do |other|
      other.load(*files.keys)
      other.json("refuse.step.rb")
      stream = other.start("stream.step.rb")
      other.result(stream)
      hello = other.start("hello.step.rb")
      line = other.log { |meta| meta["message"].start_with?("the system refused a thread: can't create Thread: none left. 2 calls") }
      assert_equal %w[warn worker], line.meta.values_at("level", "source")
      assert(other.frames.none? { |frame| frame.kind == Kind::RESULT && frame.id == hello })
      other.deliver(Kind::CANCEL, id: stream, meta: { reason: "disconnect" })
      assert_equal 200, other.result(hello).meta["status"]
    end
  end
end

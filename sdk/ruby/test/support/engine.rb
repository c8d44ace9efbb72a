# A fake engine: starts the worker as the real one does, on an inherited descriptor, and speaks frames with it.
require "fileutils"
require "json"
require "minitest"
require "socket"
require "timeout"
require "tmpdir"
require_relative "../../lib/motia/bodies"
require_relative "../../lib/motia/text"

class Engine
  WORKER = File.expand_path("../../worker.rb", __dir__)
  PATIENCE = 10
  HOLD = Object.new.freeze

  Frame = Struct.new(:kind, :flags, :id, :meta, :body) do
    def json
      body.empty? ? nil : JSON.parse(body.dup.force_encoding("UTF-8"))
    end
  end

  include Motia

  attr_reader :root, :pid, :socket
  # What to answer an operation with: a value, an {error:}, nothing (nil), or HOLD for no answer at all.
  attr_accessor :on_op

  # `files` maps paths to their text; they are written to a folder of their own, the project's root.
  def initialize(files: {}, env: {}, command: ["ruby", WORKER])
    @root = File.realpath(Dir.mktmpdir("motia-worker-"))
    write(files)
    @lock = Mutex.new
    @changed = ConditionVariable.new
    @frames = []
    @ops = []
    @next_call = 1
    @socket, theirs = UNIXSocket.pair
    @output = { out: IO.pipe, err: IO.pipe }
    @pid = spawn({ "MOTIA_FD" => "9", "LOG_LEVEL" => nil, "BUNDLE_GEMFILE" => nil, "RUBYOPT" => nil }.merge(env), *command,
                 chdir: @root, 9 => theirs, in: File::NULL, out: @output[:out][1], err: @output[:err][1])
    theirs.close
    @output.each_value { |_, writer| writer.close }
    @texts = @output.transform_values { |reader, _| String.new }
    @readers = @output.map { |name, (reader, _)| Thread.new { while (text = reader.read_nonblock_or_wait) do @texts[name] << text end } }
    @sending = Mutex.new
    frame = proc { |*parts| transmit(Frames.encode(*parts)) }
    @long_ops = Incoming.new(&frame)
    @long_replies = Outgoing.new(&frame)
    @reader = Thread.new { read }
  end

  def write(files)
    files.each do |path, text|
      file = File.join(@root, path)
      FileUtils.mkdir_p(File.dirname(file))
      File.write(file, text)
    end
  end

  def stdout
    @texts[:out]
  end

  # What came on the other pipes may be later than what came in frames.
  def await_stdout(text)
    deadline = now + 2
    sleep 0.01 until stdout.include?(text) || now > deadline
    stdout
  end

  def stderr
    @texts[:err]
  end

  # The status of the process, once it has ended.
  def exit
    @status ||= Timeout.timeout(PATIENCE) { Process.wait2(@pid)[1] }
    @readers.each { |reader| reader.join(2) }
    @status
  end

  # Kills the worker, if it still runs, and removes the project.
  def close
    Process.kill(:KILL, @pid) unless @status
    self.exit
    @reader.kill
    @socket.close
    FileUtils.rm_rf(@root)
  end

  def deliver(kind, flags: 0, id: 0, meta: nil, body: "")
    transmit(Frames.encode(kind, flags, id, Frames.meta_text(meta), body))
  end

  def transmit(bytes)
    @sending.synchronize { @socket.write(bytes) }
  rescue SystemCallError
    nil
  end

  def frames
    @lock.synchronize { @frames.dup }
  end

  def ops
    @lock.synchronize { @ops.dup }
  end

  def forget
    @lock.synchronize { [@frames, @ops].each(&:clear) }
  end

  def logs
    frames.select { |frame| frame.kind == Kind::LOG }.map { |frame| frame.meta.merge("details" => frame.json) }
  end

  # The first frame, past or future, that the block says yes to.
  def frame(what = "a frame")
    deadline = now + PATIENCE
    @lock.synchronize do
      loop do
        found = @frames.find { |frame| yield frame }
        return found if found

        left = deadline - now
        raise "#{what} did not come\n#{@texts[:err]}\n#{@frames.last(5).inspect}" if left <= 0

        @changed.wait(@lock, left)
      end
    end
  end

  def log(what = "a log line")
    frame(what) { |frame| frame.kind == Kind::LOG && yield(frame.meta) }
  end

  # Loads files of the project. Returns source => {config, handler, warnings} or {refused}.
  def load(*sources, modules: {})
    start = frames.size
    files = sources.map { |source| { source: source, module: modules.fetch(source, File.join(@root, source)), kind: kind_of(source) } }
    deliver(Kind::LOAD, meta: { root: @root }, body: JSON.generate(files))
    wait_for(start) { |frame| frame.kind == Kind::READY }
    frames.drop(start).each_with_object({}) do |frame, loaded|
      loaded[frame.meta["file"]] = frame.meta.merge("config" => frame.json) if frame.kind == Kind::IMPORTED
      loaded[frame.meta["file"]] = { "refused" => frame.json } if frame.kind == Kind::REFUSED
    end
  end

  def wait_for(start, &matches)
    # Frames that say the same are equal, but they are not the same.
    frame("READY") { |one| matches.call(one) && @frames.index { |frame| frame.equal?(one) } >= start }
  end

  # Sends a call and returns its result's frame.
  def call(step, meta = {}, body = "")
    result(start(step, meta, body))
  end

  def start(step, meta = {}, body = "")
    id = @next_call
    @next_call += 1
    kind = meta.fetch(:kind, "api")
    api = kind == "api" ? { method: "POST", path: "/x", headers: {} } : {}
    meta = { step: step, kind: kind, trace: "AUSDA-1060748", attempt: 1, **api, **meta }
    deliver(Kind::CALL, id: id, meta: meta, body: body)
    id
  end

  def result(id)
    frame("the result of call #{id}") { |frame| frame.kind == Kind::RESULT && frame.id == id }
  end

  # A call whose body is JSON: the result's meta, and its answer as "body".
  def json(step, value = {}, meta = {})
    frame = call(step, { content: "json", **meta }, JSON.generate(value))
    frame.meta.merge("body" => frame.body.empty? ? nil : JSON.parse(frame.body))
  end

  def reply(number, answer)
    meta = answer.is_a?(Hash) && answer.key?(:error) ? JSON.generate(answer) : ""
    body = answer.nil? || meta != "" ? nil : JSON.generate(answer)
    @long_replies.post(Kind::REPLY, ANSWER, number, meta, body)
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def kind_of(source)
    source.match?(/[._]stream\.rb\z/) ? "stream" : "step"
  end

  def read
    decoder = Decoder.new { |*parts| receive(Frame.new(*parts)) }
    loop { decoder.push(@socket.readpartial(65_536)) }
  rescue EOFError, SystemCallError, IOError
    nil
  end

  def receive(frame)
    @lock.synchronize do
      @frames << frame
      @changed.broadcast
    end
    operation(frame)
  end

  def operation(frame)
    kind, flags, id, meta, body = *frame
    if kind == Kind::WINDOW && flags & ANSWER != 0 then @long_replies.granted(id, flags, meta["bytes"])
    elsif kind == Kind::OP && flags & MORE != 0 then @long_ops.begin(kind, 0, id, meta, body)
    elsif kind == Kind::OP then answer(id, meta, body)
    elsif kind == Kind::DATA && flags & ANSWER == 0
      whole = @long_ops.data(flags, id, body)
      answer(id, whole.meta, whole.body) if whole
    end
  end

  def answer(number, meta, body)
    op = meta.merge("number" => number, "value" => body.empty? ? :none : JSON.parse(body.dup.force_encoding("UTF-8")))
    @lock.synchronize do
      @ops << op
      @changed.broadcast
    end
    answer = @on_op&.call(op)
    reply(number, answer) unless answer.equal?(HOLD)
  end
end

class IO
  # The next text, or nil at the end.
  def read_nonblock_or_wait
    readpartial(65_536)
  rescue EOFError
    nil
  end
end

class WorkerTest < Minitest::Test
  include Motia

  CONFIG = 'type: "api", name: "S", path: "/s", method: "POST", emits: []'

  # Text of a step file: `body` is the handler's.
  def self.step(body, config: CONFIG, args: "(req, context)")
    "def config = { #{config} }\n\ndef handler#{args}\n#{body}\nend\n"
  end

  def step(...)
    self.class.step(...)
  end

  # Runs the block with a worker of its own.
  def with_engine(**options)
    engine = Engine.new(**options)
    yield engine
  ensure
    engine&.close
  end

  # One worker for all tests of a class that only call: `FILES` are loaded.
  def engine
    WorkerTest.shared(self.class)
  end

  @shared = {}

  def self.shared(type)
    WorkerTest.instance_variable_get(:@shared)[type] ||= Engine.new(files: type::FILES).tap do |made|
      made.deliver(Kind::STREAMS, body: JSON.generate(%w[chat myBoard __motia.logs]))
      refused = made.load(*type::FILES.keys.grep(/step\.rb\z/)).select { |_, file| file.key?("refused") }
      raise "refused: #{refused}" unless refused.empty?
    end
  end

  def setup
    WorkerTest.instance_variable_get(:@shared)[self.class]&.on_op = nil
  end

  Minitest.after_run { @shared.each_value(&:close) }
end

# How fast is the worker? A fake engine in this process keeps some calls in flight over a socket pair, and only counts.
#
#   ruby test/bench.rb [seconds]
require "json"
require "socket"
require "tmpdir"
require_relative "../lib/motia/frames"

SECONDS = (ARGV[0] || 3).to_f
STEPS = {
  "hello (api, json in and out)" => "{ status: 200, body: { hello: req.body.name } }",
  "emit (api, one emit)" => 'context.emit(topic: "order.created", data: req.body); { status: 200, body: { ok: true } }',
  "log (api, one log line)" => 'context.logger.info("order created", id: req.body.name, total: 3); { status: 200, body: { ok: true } }'
}.freeze
BODY = JSON.generate(name: "Ada", items: [1, 2, 3], total: 99.99, note: nil)
HEADERS = { host: "localhost:3000", "user-agent" => "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", accept: "*/*",
            "content-type" => "application/json", "content-length" => "57" }.freeze
META = JSON.generate(step: "s", kind: "api", trace: "AUSDA-1060748", attempt: 1, method: "POST", path: "/hello", headers: HEADERS, content: "json")

def cpu(pid)
  fields = File.read("/proc/#{pid}/stat").split(") ", 2)[1].split
  (fields[11].to_i + fields[12].to_i) / 100.0
end

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def measure(name, handler, in_flight)
  Dir.mktmpdir do |root|
    File.write(File.join(root, "s"), "def config = { type: 'api', name: 'S' }\ndef handler(req, context)\n#{handler}\nend\n")
    ours, theirs = UNIXSocket.pair
    pid = spawn({ "MOTIA_FD" => "9" }, "ruby", File.expand_path("../worker.rb", __dir__), 9 => theirs, chdir: root)
    theirs.close
    files = JSON.generate([{ source: "s", module: File.join(root, "s"), kind: "step" }])
    ours.write(Motia::Frames.encode(Motia::Kind::LOAD, 0, 0, JSON.generate(root: root), files))
    done = 0
    id = 0
    out = "".b
    call = lambda { out << Motia::Frames.encode(Motia::Kind::CALL, 0, id += 1, META, BODY) }
    started = nil
    used = 0
    buffer = "".b
    first = 0
    loop do
      buffer << ours.readpartial(65_536)
      while buffer.bytesize >= 14 && buffer.bytesize >= (size = 4 + buffer.unpack1("V"))
        kind = buffer.getbyte(4)
        if kind == Motia::Kind::READY then in_flight.times { call.call }
        elsif kind == Motia::Kind::RESULT
          done += 1
          call.call
        elsif kind == Motia::Kind::OP then out << Motia::Frames.encode(Motia::Kind::REPLY, 0, buffer.byteslice(6, 4).unpack1("V"), "", nil)
        end
        buffer = buffer.byteslice(size, buffer.bytesize - size)
      end
      ours.write(out) unless out.empty?
      out.clear
      if started.nil? && done > 500
        started, first, used = now, done, cpu(pid)
      elsif started && now - started > SECONDS
        calls = done - first
        puts format("%-30s %3d in flight %7d calls/s  worker %6.1f µs/call", name, in_flight, calls / (now - started), (cpu(pid) - used) / calls * 1e6)
        break
      end
    end
    ours.close
    Process.wait(pid)
  end
end

STEPS.each { |name, handler| [1, 64].each { |in_flight| measure(name, handler, in_flight) } }

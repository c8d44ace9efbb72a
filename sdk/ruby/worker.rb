# The Ruby worker of Motia: reads frames, runs handlers, answers. See sdk/protocol/README.md.
#
# A map of lib/motia:
#   the stream     frames (codec), bodies (long ones, windows), outbox (writes), connection (messages, requests)
#   loading        gems, project_json (the Gemfile first), loader, step_file (isolation), step (arity, middleware),
#                  loaded_stream (canAccess, onJoin, onLeave), config_json
#   calls          call_kinds, calls, call, pool (threads), threads (whose code runs), blame, stopping
#   for handlers   request, multipart, uploaded_file, record (hash with attributes), members_first, context, emit, state, streams, signal,
#                  operate (one operation), response, streaming, values (JSON)
#   the log        log, logger, console ($stdout, $stderr), details, errors, backtrace, text
#   the process    memory, fork, orphan, debugger
#
# Threads: one reads frames and never waits for anything else, the main one loads files, each call has one of its own. Ruby
# lets them take turns, so a handler that computes for long delays the others but stops none, and pings are answered.

fd = ENV.delete("MOTIA_FD").to_i
if fd < 3
  warn "This is the Ruby worker of Motia. The motia command starts it."
  exit 2
end

# First, as it notes what Ruby itself defines.
require_relative "lib/motia/step_file"
require_relative "lib/motia/gems"
# No gem is loaded before the project's Gemfile is known, see project_json.rb.
autoload :JSON, File.expand_path("lib/motia/project_json.rb", __dir__)
require_relative "lib/motia/worker"

Motia::Worker.new(fd).run

# What `JSON` is, the first time that somebody names it (see `autoload` in worker.rb): the project's own, if its Gemfile
# names one. A spare worker has the project's folder as its own, but must not read the Gemfile before it has work, as
# that may change until then.
Motia::Gems.setup(Dir.pwd)
require "json"

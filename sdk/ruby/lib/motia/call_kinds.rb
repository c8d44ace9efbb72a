# The kinds of CALL, and what of a file each of them runs.

module Motia
  module CallKinds
    # Those that run a step's handler.
    HANDLED = %w[api event cron].freeze
    # Those that tell a stream of somebody. What they run has a context, as handlers have; `canAccess`, which is asked, has none.
    VISITS = %w[join leave].freeze

    # By kind, what a file must have for it, as messages call it. No file of Ruby has an `authenticate` or an adapter.
    NEEDS = {
      **HANDLED.to_h { |kind| [kind, "handler"] },
      "authenticate" => "streamAuth.authenticate",
      "access" => "canAccess",
      "join" => "onJoin",
      "leave" => "onLeave",
      "storage" => "custom storage"
    }.freeze

    # Why a call cannot run. `step` is what was loaded of the file, if anything was.
    def self.missing(source, kind, step)
      return "#{source} is not loaded" if step.nil?

      need = NEEDS[kind]
      "#{source} has #{need ? "no #{need}" : "nothing for calls of the kind '#{kind}'"}"
    end
  end
end

# The project's gems. Its Gemfile has to be in force before anything loads a gem: also before the JSON that we need
# ourselves, as a Gemfile.lock may name another version of it than the one that comes with Ruby.

module Motia
  module Gems
    module_function

    # Makes the gems of the Gemfile in `root` the ones that `require` finds, if there is one. Once.
    def setup(root)
      return if @done

      gemfile = gemfile_of(root)
      return if gemfile.nil?

      @done = true
      ENV["BUNDLE_GEMFILE"] = gemfile
      # Not bundler/setup: that ends the process where something is wrong, or starts another one in its place.
      require "bundler"
      Bundler.ui = Bundler::UI::Silent.new
      Bundler.setup
    rescue Exception => e # a Gemfile is code, and may do anything
      @problem = describe(e)
    end

    # Why the gems of the project cannot be used, as an error on the wire; nil where they can.
    def problem
      @problem
    end

    def gemfile_of(root)
      named = ENV.fetch("BUNDLE_GEMFILE", "")
      return File.expand_path(named, root) unless named.empty?

      %w[Gemfile gems.rb].map { |name| File.join(root, name) }.find { |path| File.file?(path) }
    end

    def describe(error)
      text = Text.of(error.message)
      missing = %w[Bundler::GemNotFound Bundler::VersionConflict Gem::MissingSpecError Gem::MissingSpecVersionError
                   Bundler::GitError Bundler::PathError Bundler::SolveFailure]
      if error.class.ancestors.any? { |type| missing.include?(type.name) }
        return { message: "the gems of the Gemfile are not installed. Run: bundle install (#{text})" }
      end

      { message: "the Gemfile cannot be used (#{Names.of(error.class)}): #{text}. Does `bundle install` work?" }
    end
  end
end

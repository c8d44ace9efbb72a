# Members of a record that are called like a method of Hash: who reads `req.body.count` means the data. Only where there
# is such a member, and only without arguments and a block, as data is read. What others rely on of any hash stays.

module Motia
  module MembersFirst
    KEPT = /\A(?:class|clone|dup|extend|freeze|hash|inspect|itself|keys|object_id|send|tap|then|values|yield_self
             |(?:define|each|enum|instance|private|protected|public|remove|singleton|to)(?:_\w+)?)\z/x.freeze

    Hash.instance_methods.grep(/\A[a-z]\w*\z/).grep_v(KEPT).each do |name|
      define_method(name) do |*args, &block|
        key = args.empty? && block.nil? ? key_of(name.name) : nil
        key ? self[key] : super(*args, &block)
      end
      ruby2_keywords name
    end
  end
end

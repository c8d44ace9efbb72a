# The codec against the golden vectors, and bodies against their windows.
require "minitest/autorun"
require_relative "support/engine"

class FramesTest < Minitest::Test
  include Motia

  VECTORS = JSON.parse(File.read(File.expand_path("../../protocol/frames.json", __dir__)))

  def bytes_of(hex, more)
    [hex].pack("H*") + (more ? [more["byte"]].pack("H*") * more["times"] : "".b)
  end

  def decode(chunks)
    frames = []
    decoder = Decoder.new { |*frame| frames << frame }
    chunks.each { |chunk| decoder.push(chunk) }
    frames
  end

  VECTORS["valid"].each do |vector|
    define_method("test_golden: #{vector["name"]}") do
      bytes = bytes_of(vector["hex"], vector["then"])
      kind, flags, id, meta = vector["frame"].values_at("kind", "flags", "id", "meta")
      body = bytes_of(vector["frame"]["body_hex"], vector["then"])
      assert_equal [[kind, flags, id, meta, body]], decode([bytes])
      unless vector["decode_only"]
        assert_equal meta, JSON.parse("{}").merge(meta)
        assert_equal bytes, Frames.encode(kind, flags, id, Frames.meta_text(meta), body)
      end
    end
  end

  VECTORS["invalid"].each do |vector|
    define_method("test_golden: #{vector["name"]} is refused (#{vector["error"]})") do
      assert_raises(ProtocolError) { decode([bytes_of(vector["hex"], nil)]) }
    end
  end

  VECTORS["bodies"].each do |vector|
    define_method("test_golden: a body of #{vector["bytes"]} bytes is cut as agreed") do
      sent = []
      outgoing = Outgoing.new do |kind, flags, _id, _meta, body|
        sent << { "kind" => kind == Kind::DATA ? "DATA" : "message", "flags" => flags, "bytes" => body.bytesize }
      end
      outgoing.post(Kind::OP, 0, 1, "", "x" * vector["bytes"])
      expected = vector["frames"].flat_map { |frame| [frame.reject { |key, _| key == "times" }] * frame["times"] }
      assert_equal expected, sent
    end
  end

  def test_frames_may_be_split_anywhere_and_share_chunks
    stream = VECTORS["valid"].reject { |vector| vector["then"] }.map { |vector| [vector["hex"]].pack("H*") }.join
    whole = decode([stream])
    [1, 2, 3, 5, 13, 14, 15, 64, 1000].each do |size|
      chunks = (0...stream.bytesize).step(size).map { |at| stream.byteslice(at, size) }
      assert_equal whole, decode(chunks), "chunks of #{size}"
    end
  end

  def test_a_meta_that_leaves_no_room_for_a_body_is_refused_before_it_is_sent
    error = assert_raises(RangeError) { Frames.meta_text({ topic: "x" * 900_000 }) }
    assert_match(/too long to be sent/, error.message)
  end

  def test_a_long_body_arrives_whole_within_its_window
    wire = []
    received = nil
    outgoing = Outgoing.new { |*frame| wire << frame }
    incoming = Incoming.new { |_kind, flags, id, meta, _| outgoing.granted(id, flags, JSON.parse(meta)["bytes"]) }
    body = Random.new(1).bytes(5 * 1_048_576 + 17)
    refute_nil outgoing.post(Kind::OP, 0, 7, "", body)
    assert_equal 1_048_576, wire.sum { |frame| frame[4].bytesize }, "the sender stops at the window"
    until wire.empty?
      kind, flags, id, meta, bytes = wire.shift
      kind == Kind::OP ? incoming.begin(kind, 0, id, meta, bytes) : received = incoming.data(flags, id, bytes)
    end
    assert_equal body, received.body
    assert_predicate outgoing, :idle?
  end

  def test_a_question_and_an_answer_with_the_same_number_are_two_messages
    wire = []
    outgoing = Outgoing.new { |*frame| wire << frame }
    outgoing.post(Kind::OP, 0, 3, "", "x" * 2_097_152)
    outgoing.post(Kind::RESULT, ANSWER, 3, "", "y" * 2_097_152)
    wire.clear
    outgoing.granted(3, ANSWER, 2_097_152)
    assert(wire.all? { |_, flags, _, _, body| flags & ANSWER != 0 && body.start_with?("y") })
    outgoing.abort(3, 0)
    assert_equal [Kind::ABORT, 0, 3], wire.last.first(3)
    assert_predicate outgoing, :idle?
  end
end

# Requests, responses, records and log details, without a process.
require "minitest/autorun"
require_relative "support/engine"
%w[threads fork console log logger request response streaming].each { |name| require_relative "../lib/motia/#{name}" }

class RecordTest < Minitest::Test
  include Motia

  def record
    Values.read('{"name":"Ada","nested":{"a":[{"b":1}]},"pathParams":{"id":"7"},"size":"L","nothing":null}')
  end

  def test_a_record_is_read_by_text_symbol_and_attribute
    assert_equal %w[Ada Ada Ada], [record["name"], record[:name], record.name]
    assert_equal [1, 1, 1], [record.nested.a[0].b, record.dig(:nested, "a", 0, :b), record[:nested][:a].first[:b]]
    assert_equal %w[7 7 x], [record.path_params.id, record.pathParams[:id], Record.new.update("content-type" => "x").content_type]
    assert_equal ["Ada", "x", "x"], [record.fetch(:name), record.fetch(:nope, "x"), record.fetch("nope") { "x" }]
    assert_raises(KeyError) { record.fetch(:nope) }
    assert_equal [nil, nil, nil, nil], [record.nope, record[:nope], record["nope"], record.dig(:nope, :x)]
    assert_equal [true, true, false], [record.key?(:name), record.key?("name"), record.key?(:nope)]
    assert_equal [["Ada", nil], { "name" => "Ada" }], [record.values_at(:name, :x), record.slice(:name)]
  end

  def test_a_member_that_is_called_like_a_method_of_hash_is_meant_where_it_is_there
    named = Values.read('{"count":"c","size":"s","zip":"z","first":"f","key":"k","method":"m","default":"d","length":null,"sortBy":"b"}')
    assert_equal %w[c s z f k m d], [named.count, named.size, named.zip, named.first, named.key, named.method, named.default]
    assert_equal [nil, "b"], [named.length, named.sort_by]
    plain = Values.read('{"a":1}')
    assert_equal [1, 1, ["a", 1], 1, nil, nil], [plain.count, plain.size, plain.first, plain.length, plain.default, plain.nope]
    # With arguments or a block it is the method.
    assert_equal [9, [%w[count c]], "count", "x"], [named.count { true }, named.first(1), named.key("c"), named.merge(x: "x").x]
    assert_equal "c", named.fetch(:count)
  end

  def test_what_others_rely_on_of_any_hash_is_not_for_members_to_change
    kept = %w[class hash inspect keys values each each_pair to_h to_s to_a to_json dup freeze object_id send tap is_a? respond_to? ==]
    shadowed = Values.read(JSON.generate(kept.to_h { |name| [name, "data"] }))
    assert_equal [Record, kept, %w[data], true], [shadowed.class, shadowed.keys, shadowed.values.uniq, shadowed.is_a?(Hash)]
    assert_equal shadowed, shadowed.dup
    assert_equal [kept.size, Hash, shadowed], [shadowed.each.count, shadowed.to_h.class, JSON.parse(JSON.generate(shadowed))]
    assert_equal "data", shadowed["class"]
    # Whether Ruby takes something for a list, or for text, is not for those to say who send data.
    sly = Values.read('{"to_ary":[1],"to_str":"x","to_name":"y"}')
    assert_equal [[sly], "y"], [[sly].flatten, sly.to_name]
    assert_raises(TypeError) { "a" + sly }
  end

  def test_a_record_is_a_hash
    assert_kind_of Hash, record
    assert_equal [Hash, Record], [record.to_h.class, record.nested.class]
    assert_equal '{"b":1}', JSON.generate(record.nested.a[0])
    assert_equal [[1, 2], { "a" => 1 }], [[record].flatten.map { 1 } + [2], Record.new.merge(a: 1)]
    assert_raises(NoMethodError) { record.nope(1) }
    refute_respond_to record, :to_ary
    assert_respond_to record, :name
    case record
    in { name: String => name, nested: { a: [{ b: }] } } then assert_equal ["Ada", 1], [name, b]
    end
  end

  def test_a_record_can_be_changed
    changed = record
    changed.name = "Bob"
    changed[:age] = 3
    changed.update(nested: nil)
    assert_equal ["Bob", 3, nil, 3], [changed["name"], changed["age"], changed["nested"], changed.delete(:age)]
    refute changed.key?("age")
  end
end

class RequestTest < Minitest::Test
  include Motia

  def build(meta, body = "")
    Request.build({ "headers" => {}, **meta.transform_keys(&:to_s) }, body.b)
  end

  def test_no_body
    req = build({})
    assert_equal({ "body" => {}, "headers" => {}, "pathParams" => {}, "queryParams" => {}, "rawBody" => "" }, req)
    assert_equal [{}, {}], [build({ content: "none" }).body, build({ content: "json" }).body]
    assert_nil req.body.anything
  end

  def test_json
    text = '{"z":1,"a":{"é":[1.5,null]},"10":true}'
    assert_equal [text, text], build({ content: "json" }, text).then { |req| [req.rawBody, JSON.generate(req.body)] }
    ["{", '"text"', "1", "null", '{"a":1}}', " "].each do |bad|
      assert_raises(InvalidBody, bad) { build({ content: "json" }, bad) }
    end
    assert_equal [1], build({ content: "json" }, "[1]").body
    assert_equal({ "a" => 1 }, build({ content: "json" }, "\ufeff{\"a\":1}").body)
  end

  def test_what_is_nested_deeply_goes_in_and_out_and_what_is_too_deep_is_refused
    deep = [->(n) { "[" * n + "]" * n }, ->(n) { '{"a":' * n + "1" + "}" * n }, ->(n) { '[{"a":' * (n / 2) + "1" + "}]" * (n / 2) }]
    # A thread has less room than the main one.
    Thread.new do
      deep.each { |text| assert_equal text[1000], Values.write(build({ content: "json" }, text[1000]).body) }
      deep.product([1002, 100_000]).each do |text, depth|
        error = assert_raises(InvalidBody) { build({ content: "json" }, text[depth]) }
        assert_equal "the body cannot be read: the data is nested deeper than 1000 levels", error.message
      end
      error = assert_raises(Unwritable) { Values.write(501.times.inject(1) { |at, _| { a: [at] } }) }
      assert_equal "data#{".a[0]" * 10}… is nested deeper than 1000 levels", error.message
    end.join
  end

  def test_members_have_rubys_names_too_however_they_are_read
    req = build({ content: "json", params: { "id" => "7" }, query: { "q" => "x" } }, "{}")
    params = [req.path_params, req[:path_params], req["path_params"], req.pathParams, req.fetch(:path_params), req.dig("path_params")]
    assert_equal [{ "id" => "7" }] * 6, params
    assert_equal ["7", "x", "{}", true], [req[:path_params].id, req["query_params"].q, *req.values_at(:raw_body), req.key?("raw_body")]
    case req
    in { path_params: { id: }, raw_body: } then assert_equal ["7", "{}"], [id, raw_body]
    end
    req[:raw_body] = "other"
    req.path_params = { "id" => "8" }
    assert_equal ["other", "8", 5], [req.rawBody, req["pathParams"]["id"], req.size]
    assert_nil build({ content: "json" }, '{"rawBody":1}').body["raw_body"], "data has the names that it has"
  end

  def test_forms
    form = '{"payload":"{\"id\":1}","a":{"b":["c"]}}'
    raw = "payload=%7B%22id%22%3A1%7D&a[b][]=c"
    req = build({ content: "form", split: form.length }, form + raw)
    assert_equal [{ "b" => ["c"] }, raw, "v0:1:#{raw}", form], [req.body.a, req.rawBody, "v0:1:#{req.body}", JSON.generate(req.body)]
  end

  def test_text_and_bytes
    raw = ->(bytes) { build({ content: "text" }, bytes).rawBody }
    assert_equal ["žluť 🐎", Encoding::UTF_8], raw["žluť 🐎"].then { |text| [text, text.encoding] }
    ["a\xff", "a\0", "\xed\xa0\x80"].each { |bytes| assert_equal [bytes.b, Encoding::BINARY], raw[bytes].then { |text| [text, text.encoding] } }
    latin = build({ content: "text", charset: "iso-8859-1" }, "\xe9")
    assert_equal ["é", "\xe9".b], [latin.body, latin.rawBody]
    assert_raises(InvalidBody) { build({ content: "text", charset: "klingon" }, "x") }
    binary = build({ content: "binary" }, "\x01\xff")
    assert_equal [Encoding::BINARY, "\x01\xff".b], [binary.body.encoding, binary.rawBody]
    assert_equal "text", build({ content: "binary" }, "text").rawBody
  end

  def multipart(*parts)
    parts.map { |name, value, more| "--b0\r\nContent-Disposition: form-data; name=\"#{name}\"#{more}\r\n\r\n#{value}\r\n" }.join + "--b0--\r\n"
  end

  MULTIPART = { content: "multipart", "headers" => { "content-type" => 'multipart/form-data; boundary="b0"' } }.freeze

  def test_multipart
    file = "; filename=\"ü \\\"x\\\".txt\"\r\nContent-Type: text/plain"
    text = multipart(%w[title Grüße], %w[tag a], %w[tag b], %w[tag c], ["doc", "hello\r\nworld\r\n--b", file], ["empty", ""],
                     ["bin", "\x00\xff\r\n".b.force_encoding("UTF-8"), '; filename="b"'])
    body = build(MULTIPART, "preamble\r\n#{text}epilogue").body
    assert_equal ["Grüße", %w[a b c], ""], [body.title, body.tag, body.empty]
    assert_equal ["ü \"x\".txt", "text/plain", "hello\r\nworld\r\n--b", 17], [body.doc.filename, body.doc.content_type, body.doc.read, body.doc.size]
    assert_equal ["application/octet-stream", "\x00\xff\r\n".b], [body.bin.content_type, body.bin.data]
    assert_empty build(MULTIPART, "--b0--\r\n").body
  end

  def test_multipart_that_is_broken_is_the_clients_fault
    ["nonsense", "--b0", "--b0\r\nx", multipart(%w[a b])[0..-10], "--b0\r\n\r\nx\r\n--b0--", "--b0junk\r\n\r\n\r\n"].each do |bad|
      assert_raises(InvalidBody, bad) { build(MULTIPART, bad) }
    end
    assert_raises(InvalidBody) { build({ content: "multipart", "headers" => { "content-type" => "multipart/form-data" } }, "x") }
  end
end

class ResponseTest < Minitest::Test
  include Motia

  def result(response)
    outcome = Response.outcome(response)
    meta = outcome.meta.is_a?(String) ? JSON.parse(outcome.meta) : JSON.parse(JSON.generate(outcome.meta))
    meta.values_at("status", "type") + [outcome.body] + (meta.key?("headers") ? [meta["headers"]] : [])
  end

  def test_the_bodys_kind_is_told_by_its_value
    { nil => ["json", "null"], 5 => ["json", "5"], false => ["json", "false"], [1, nil] => ["json", "[1,null]"], "text" => %w[text text],
      { n: 1, t: Time.at(0).utc } => ["json", '{"n":1,"t":"1970-01-01T00:00:00.000Z"}'], "\x01\xff".b => ["bytes", "\x01\xff".b],
      "ascii".b => ["bytes", "ascii"], "a\xff" => ["bytes", "a\xff"], "é".encode("ISO-8859-1") => %w[text é], "" => ["text", ""],
      :ok => ["json", '"ok"'] }.each do |body, (type, sent)|
      assert_equal [200, type, sent], result({ status: 200, body: body })
      assert_equal [201, type, sent], result({ "status" => "201", "body" => body })
    end
    assert_equal [204, "none", nil], result({ status: 204 })
    assert_equal [200, "json", "[1]"], result(Struct.new(:status, :body).new(200, [1]))
    file = UploadedFile.new("a.png", "image/png", "x".b)
    assert_equal [200, "bytes", "x", { "content-type" => "image/png" }], result({ status: 200, body: file })
    assert_equal({ "Content-Type" => "x/y" }, result({ status: 200, body: file, headers: { "Content-Type" => "x/y" } }).last)
  end

  def fails(response, pattern)
    assert_match pattern, assert_raises(TypeError) { Response.outcome(response) }.message
  end

  def test_what_is_no_response_is_named
    { nil => /one returned nil\z/, "ok" => /returned the string "ok"/, 200 => /returned the number 200/, [1] => /returned an array/,
      false => /returned false/, {} => /has no status; return/, { body: 1 } => /has no status/ }.each { |response, text| fails(response, text) }
    [99, 600, 200.5, Float::NAN, "", "ok", true, nil, "0x1g"].each { |status| fails({ status: status }, /status must be a whole number/) }
    fails({ status: 200, body: { items: [{ price: Float::INFINITY }] } },
          /\Athe response's body cannot be written as JSON: body.items\[0\].price is Infinity/)
    fails({ status: 200, body: -> {} }, /body is a Proc, which has no JSON form/)
    fails({ status: 200, body: Object.new }, /body is an Object, which has no JSON form/)
  end

  def test_headers
    headers = { "X-Id" => 7, ok: true, "Set-Cookie" => ["a=1", "b=2"], none: nil, umlaut: "ä" }
    assert_equal({ "X-Id" => "7", "ok" => "true", "Set-Cookie" => ["a=1", "b=2"], "umlaut" => "ä" }, result({ status: 200, headers: headers }).last)
    assert_equal({ "a" => %w[1 2] }, result({ status: 200, headers: [%w[a 1], %w[a 2]] }).last)
    ["bad name", "", "a:b", "a\r\nb", "ä"].each { |name| fails({ status: 200, headers: { name => "x" } }, /invalid name/) }
    ["a\r\nSet-Cookie: x", "a\0", ["ok", "a\nb"]].each { |value| fails({ status: 200, headers: { x: value } }, /control characters/) }
    fails({ status: 200, headers: { x: {} } }, /header x must be a string, not a hash/)
    fails({ status: 200, headers: "x" }, /headers must be a hash/)
  end
end

class DetailsTest < Minitest::Test
  include Motia

  def details(value)
    JSON.parse(Details.json(value), max_nesting: 0)
  end

  def test_plain_details_are_plain_json
    assert_nil Details.json(Values::NONE)
    value = { id: "a", n: 1.5, list: [1, nil, { x: true }], emoji: "🐾", date: Time.at(0).utc }
    assert_equal Values.write(value), Details.json(value)
    assert_equal "Nf3", details("Nf3")
  end

  def test_errors_show_what_they_hold_wherever_they_are
    error = begin
      begin
        raise IOError, "socket"
      rescue IOError
        raise KeyError.new("no", key: :k, receiver: {})
      end
    rescue KeyError => e
      e
    end
    error.instance_variable_set(:@status, 502)
    shown = details({ error: error })["error"]
    assert_equal ["KeyError", "no", 502, "IOError", "socket"], shown.values_at("name", "message", "status") + shown["cause"].values_at("name", "message")
    assert_match(/values_test.rb/, shown["stack"])
  end

  def test_what_json_does_not_know_is_described
    value = { big: 2**70, nan: Float::NAN, fn: -> {}, bytes: "\xff\x00".b, many: ("\xff".b * 100), re: /x/, range: 1..2, type: String,
              object: Struct.new(:a).new(1), latin: "é".encode("ISO-8859-1"), broken: "a\xff" }
    assert_equal({ "big" => 2**70, "nan" => "NaN", "fn" => "[Proc]", "bytes" => "[2 bytes: ff00]", "many" => "[100 bytes: #{"ff" * 32}…]",
                   "re" => "(?-mix:x)", "range" => "1..2", "type" => "String", "object" => { "a" => 1 }, "latin" => "é",
                   "broken" => "a\ufffd" }, details(value))
  end

  def test_cycles_and_what_cannot_be_read_do_not_raise
    looped = { name: "a" }
    looped[:self] = looped
    looped[:bad] = Class.new { def inspect = raise("locked") }.new
    assert_equal({ "name" => "a", "self" => "[Circular]", "bad" => "[Unreadable: locked]" }, details(looped))
  end

  def test_monsters_are_cut_and_what_is_left_is_json
    deep = {}
    10_000.times.inject(deep) { |at, _| at[:next] = {} }
    wide = (0...100_000).to_h { |n| ["key#{n}", "value"] }
    [deep, wide, wide.values, "x" * 10_000_000, { a: "ž" * 1_000_000 }, [Array.new(1_000_000) { {} }], "\0" * 1_000_000].each do |value|
      json = Details.json(value)
      assert_operator json.length, :<, 200_000
      JSON.parse(json)
    end
    assert(Details.json(wide).end_with?('"…":"[Truncated]"}'))
  end
end

class LoggerTest < Minitest::Test
  include Motia

  def setup
    @lines = []
    @logger = Logger.new { |*line| @lines << line }
  end

  def test_a_logger_takes_what_its_users_pass
    error = RuntimeError.new("broken")
    @logger.info("one")
    @logger.warn("two", { a: 1 })
    @logger.warning("three", a: 1)
    @logger.error(error)
    @logger.error("five", error)
    @logger.info("six", 1, 2)
    @logger.info({ a: 1 })
    @logger.log("eight")
    @logger.debug("hidden")
    @logger.info { "block" }
    none = Values::NONE
    assert_equal [["info", "one", none], ["warn", "two", { a: 1 }], ["warn", "three", { a: 1 }], ["error", "broken", { error: error }],
                  ["error", "five", error], ["info", "six", [1, 2]], ["info", { a: 1 }.inspect, none], ["info", "eight", none],
                  ["info", "block", none]], @lines
  end

  def test_children_add_their_fields_and_listeners_see_every_line
    heard = []
    child = @logger.child(user: "ada").child(step: 2)
    child.add_listener { |*line| heard << line }
    child.info("a", { step: 3 })
    child.info("b")
    child.info("c", "text")
    child.debug("d")
    assert_equal([{ user: "ada", step: 3 }, { user: "ada", step: 2 }, { user: "ada", step: 2, details: "text" }], @lines.map(&:last))
    assert_equal [["info", "a", { step: 3 }], %w[info b], %w[info c text], %w[debug d]], heard
  end
end

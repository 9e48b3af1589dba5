// What the reference makes of every kind of hostile text: golden/hostile_texts.jsonl, written by the script beside it.

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <simdjson.h>

#include <distilbert/text/tokenizer.hpp>

#include "support.hpp"

using namespace distilbert;

namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

support::Ids integers(simdjson::dom::element element) {
  support::Ids result;
  for (const std::int64_t value : simdjson::dom::array(element))
    result.push_back(static_cast<std::int32_t>(value));
  return result;
}

} // namespace

TEST_CASE("hostile texts") {
  TokenizerOptions replacing;
  replacing.invalid_utf8 = InvalidUtf8::replace;
  const Tokenizer tokenizer = Tokenizer::from_pretrained(support::model_directory(), replacing);
  const Tokenizer refusing = Tokenizer::from_pretrained(support::model_directory());
  EncodeOptions options;
  options.add_special_tokens = false;
  options.offset_unit = OffsetUnit::code_points;

  simdjson::dom::parser parser;
  std::size_t count = 0;
  for (const simdjson::dom::element line :
       parser.load_many(DISTILBERT_SOURCE_DIR "/tests/text/golden/hostile_texts.jsonl")) {
    const std::string_view name = line["name"];
    CAPTURE(std::string(name));
    const std::string text = from_hex(line["bytes"]);
    const Encoding encoding = tokenizer.encode(text, options);
    support::Ids begin, end;
    for (const Span span : encoding.offsets) {
      begin.push_back(static_cast<std::int32_t>(span.begin));
      end.push_back(static_cast<std::int32_t>(span.end));
    }
    CHECK(encoding.ids == integers(line["ids"]));
    CHECK(begin == integers(line["begin"]));
    CHECK(end == integers(line["end"]));
    const bool ill_formed = name.substr(0, 10) == "ill-formed";
    CHECK(support::thrown_by([&] { refusing.encode(text); }).code ==
          (ill_formed ? std::optional(ErrorCode::invalid_utf8) : std::nullopt));
    ++count;
  }
  CHECK(count == 128);
}

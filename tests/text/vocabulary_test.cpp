#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <distilbert/text/vocabulary.hpp>
#include <distilbert/weights/packed_layout.hpp>

#include "support.hpp"

using distilbert::ErrorCode;
using distilbert::Vocabulary;
using support::thrown_by;

TEST_CASE("the id of a token is the number of its line") {
  const auto vocabulary = Vocabulary::from_lines("a\nb c\n##d");
  CHECK(vocabulary.size() == 3);
  CHECK(vocabulary.token_count() == 3);
  CHECK(vocabulary.token(1) == "b c");
  CHECK(vocabulary.id("##d") == 2);
  CHECK_FALSE(vocabulary.id("b"));
  CHECK_FALSE(vocabulary.id(""));
}

TEST_CASE("line ends and white space at the end of a line are no part of a token") {
  const auto vocabulary = Vocabulary::from_lines("a\r\nb \t\n\xE3\x80\x80\n c\n");
  CHECK(vocabulary.id("a") == 0);
  CHECK(vocabulary.id("b") == 1);
  CHECK(vocabulary.id("") == 2); // U+3000 alone
  CHECK(vocabulary.id(" c") == 3);
}

TEST_CASE("of equal lines the last one is the token's id") {
  const auto vocabulary = Vocabulary::from_lines("a\nb\na\n");
  CHECK(vocabulary.id("a") == 2);
  CHECK(vocabulary.token(0) == "a");
  CHECK(vocabulary.token_count() == 2);
  CHECK(vocabulary.size() == 3);
}

TEST_CASE("empty lines count as lines, but those at the end need no embedding") {
  const auto vocabulary = Vocabulary::from_lines("a\n\nb\n\n\n");
  CHECK(vocabulary.id("b") == 2);
  CHECK(vocabulary.size() == 3);
}

TEST_CASE("an empty file is an empty vocabulary") {
  CHECK(Vocabulary::from_lines("").size() == 0);
  CHECK(thrown_by([] { Vocabulary::from_lines("").require("[PAD]"); }).code == ErrorCode::invalid_vocabulary);
}

TEST_CASE("a byte order mark is part of the first token, and the error tells") {
  const auto vocabulary = Vocabulary::from_lines("\xEF\xBB\xBF[PAD]\n[UNK]\n");
  CHECK(vocabulary.id("\xEF\xBB\xBF[PAD]") == 0);
  const auto thrown = thrown_by([&] { vocabulary.require("[PAD]"); });
  CHECK(thrown.code == ErrorCode::invalid_vocabulary);
  CHECK(thrown.mentions("\"[PAD]\""));
  CHECK(thrown.mentions("byte order mark"));
  CHECK_FALSE(thrown_by([] { Vocabulary::from_lines("a\n").require("[PAD]"); }).mentions("byte order mark"));
}

TEST_CASE("ill-formed UTF-8 is refused with its line") {
  const auto thrown = thrown_by([] { Vocabulary::from_lines("a\nb\nc\xC3\nd\n"); });
  CHECK(thrown.code == ErrorCode::invalid_vocabulary);
  CHECK(thrown.mentions("line 3"));
}

TEST_CASE("tokens stay valid when the vocabulary moves") {
  auto vocabulary = Vocabulary::from_lines("a\nb\n");
  const Vocabulary moved = std::move(vocabulary);
  CHECK(moved.token(1) == "b");
  CHECK(moved.id("b") == 1);
}

TEST_CASE("more than 2^24 lines are refused") {
  const auto thrown = thrown_by([] { Vocabulary::from_lines(std::string(Vocabulary::max_ids + 1, '\n')); });
  CHECK(thrown.code == ErrorCode::invalid_vocabulary);
}

TEST_CASE("a builder takes ids in any order, with gaps") {
  Vocabulary::Builder builder;
  builder.add("b", 4);
  builder.add("a", 1);
  const Vocabulary vocabulary = std::move(builder).build();
  CHECK(vocabulary.size() == 5);
  CHECK(vocabulary.token(1) == "a");
  CHECK(vocabulary.token(0).empty());
  CHECK(vocabulary.token(3).empty());
  CHECK(vocabulary.id("b") == 4);
  CHECK(vocabulary.token_count() == 2);
}

TEST_CASE("a builder refuses what is not one to one") {
  CHECK(thrown_by([] {
          Vocabulary::Builder builder;
          builder.add("a", 1);
          builder.add("b", 1);
        }).mentions("two tokens have the id 1"));
  CHECK(thrown_by([] {
          Vocabulary::Builder builder;
          builder.add("a", 1);
          builder.add("a", 2);
          std::move(builder).build();
        }).mentions("a token has two ids"));
  CHECK(thrown_by([] { Vocabulary::Builder().add("a", std::size_t{1} << 40); }).code == ErrorCode::invalid_vocabulary);
}

TEST_CASE("a packed vocabulary is used where it lies") {
  const std::string lines = support::read_file(support::model_directory() / "vocab.txt");
  const auto built = Vocabulary::from_lines(lines);
  const auto bytes = support::placed(built.packed());
  CHECK(bytes.bytes.size() % 64 == 0);
  const auto packed = Vocabulary::from_packed(bytes);
  CHECK(packed.packed() == bytes.bytes);
  CHECK(packed.text() == lines);
  CHECK(packed.text().data() > bytes.bytes.data());
  CHECK(packed.text().data() < bytes.bytes.data() + bytes.bytes.size());
  CHECK(packed.ascii_pieces("##").bytes().data() == bytes.bytes.data());
  CHECK(packed.ascii_pieces("#").bytes() == built.ascii_pieces("#").bytes());
  CHECK(packed.ascii_pieces("#").bytes() != built.ascii_pieces("##").bytes());
  REQUIRE(packed.size() == built.size());
  for (std::size_t id = 0; id < packed.size(); ++id)
    REQUIRE(packed.id(built.token(id)) == static_cast<std::int32_t>(id));
}

TEST_CASE("packed bytes change with packed_layout_version only: files out there hold them") {
  std::uint64_t hash = 14695981039346656037u; // FNV-1a
  for (const char byte : Vocabulary::from_lines("[UNK]\na\n##b\ncaf\xC3\xA9\n\nunaffable\n##ing\n").packed())
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  REQUIRE(distilbert::packed_layout_version == 2);
  CHECK(hash == 10928196467252581017u);
}

TEST_CASE("a packed vocabulary that is cut short is refused") {
  const std::string packed = Vocabulary::from_lines("a\nb\n").packed();
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, packed.size() / 2, packed.size() - 64}) {
    const auto thrown = thrown_by([&] { Vocabulary::from_packed(support::placed(packed.substr(0, size))); });
    CHECK(thrown.code == ErrorCode::invalid_packed_model);
    CHECK(thrown.mentions("convert the original model again"));
  }
}

TEST_CASE("a packed vocabulary cannot name an id that needs more embeddings than it says") {
  std::string packed = Vocabulary::from_lines("a\nb\n\n\n").packed();
  const std::uint32_t fourth = 4 << 2 | 1;
  std::memcpy(packed.data(), &fourth, sizeof fourth);
  CHECK(thrown_by([&] { Vocabulary::from_packed(support::placed(packed)); }).code == ErrorCode::invalid_packed_model);
}

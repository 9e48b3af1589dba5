#include <classify/input.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

/// A file that goes away with the object.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::string& bytes) {
    path_ = (std::filesystem::temp_directory_path() / "distilbert-input-XXXXXX").string();
    const int descriptor = mkstemp(path_.data());
    REQUIRE(descriptor >= 0);
    close(descriptor);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }

private:
  std::string path_;
};

std::vector<std::string> all_of(TextSource& source) {
  std::vector<std::string> texts;
  for (auto lines = source.next(); !lines.empty(); lines = source.next()) {
    CHECK(lines.size() <= TextSource::lines_at_once);
    for (const Line& line : lines) {
      CHECK(line.number == texts.size() + 1);
      texts.emplace_back(line.too_long ? "<too long>" : line.text);
    }
  }
  return texts;
}

std::vector<std::string> lines_of(const std::string& bytes) {
  const TemporaryFile file(bytes);
  LineReader reader(file.path());
  CHECK(reader.bytes() == bytes.size());
  std::vector<std::string> lines = all_of(reader);
  CHECK(reader.bytes_taken() == bytes.size());
  return lines;
}

} // namespace

TEST_CASE("lines end in LF or CR LF, and the last one may lack its end") {
  using Texts = std::vector<std::string>;
  CHECK(lines_of("") == Texts{});
  CHECK(lines_of("a") == Texts{"a"});
  CHECK(lines_of("a\n") == Texts{"a"});
  CHECK(lines_of("a\nb") == Texts{"a", "b"});
  CHECK(lines_of("a\r\nb\r\n") == Texts{"a", "b"});
  CHECK(lines_of("\n\n") == Texts{"", ""});
  CHECK(lines_of("\r\n") == Texts{""});
  CHECK(lines_of("a\rb\n\r\r\n") == Texts{"a\rb", "\r"});
  CHECK(lines_of(std::string("a\0b\n", 4)) == Texts{std::string("a\0b", 3)});
}

TEST_CASE("lines of all lengths around the block that is read at once") {
  const std::size_t block = 65536;
  std::string bytes;
  std::vector<std::string> expected;
  for (const std::size_t length : {block - 2, block - 1, block, block + 1, 3 * block, std::size_t{0}, std::size_t{1}}) {
    expected.emplace_back(length, static_cast<char>('a' + expected.size()));
    bytes += expected.back() + '\n';
  }
  CHECK(lines_of(bytes) == expected);
}

TEST_CASE("many short lines come in order, a limited number at a time") {
  std::string bytes;
  std::vector<std::string> expected;
  for (int i = 0; i < 100'000; ++i) {
    expected.push_back(std::to_string(i % 7 == 0 ? i : 0));
    bytes += expected.back() + '\n';
  }
  CHECK(lines_of(bytes) == expected);
}

TEST_CASE("a line beyond the limit is marked, and the next one is whole") {
  const std::size_t limit = LineReader::longest_line;
  CHECK(lines_of("a\n" + std::string(limit + 1, 'x') + "\nb\n") == std::vector<std::string>{"a", "<too long>", "b"});
  CHECK(lines_of(std::string(limit + 200'000, 'x')) == std::vector<std::string>{"<too long>"});
  CHECK(lines_of(std::string(limit, 'x') + "\nb")[0].size() == limit);
}

TEST_CASE("what cannot be read is named") {
  CHECK_THROWS_WITH_AS(LineReader("/nowhere/at/all"), doctest::Contains("/nowhere/at/all"), std::system_error);
  CHECK_THROWS_WITH_AS(LineReader(std::filesystem::temp_directory_path().string()), doctest::Contains("directory"),
                       std::system_error);
}

TEST_CASE("a pipe's lines come as soon as they are there") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  LineReader reader("/dev/fd/" + std::to_string(ends[0]));
  CHECK(reader.bytes() == 0);
  REQUIRE(write(ends[1], "one\ntwo\nthr", 11) == 11);
  CHECK(reader.next().size() == 2);
  REQUIRE(write(ends[1], "ee\n", 3) == 3);
  const auto lines = reader.next();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text == "three");
  CHECK(lines[0].number == 3);
  close(ends[1]);
  CHECK(reader.next().empty());
  CHECK(reader.next().empty());
  close(ends[0]);
}

TEST_CASE("texts that are there already are numbered and handed out likewise") {
  std::vector<std::string> texts;
  for (int i = 0; i < 600; ++i)
    texts.push_back(std::to_string(i));
  TextList list(texts);
  CHECK(all_of(list) == texts);
}

#pragma once
// Where the texts come from: the lines of a file, read in blocks so that a file of any length fits in little memory, or
// the arguments of the program.

#include "../common/interrupt.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/// One text with its number, counted from 1.
struct Line {
  std::uint64_t number;
  std::string_view text;
  bool too_long = false; // longer than LineReader::longest_line: text is empty
};

/// Texts in order, some at a time.
class TextSource {
public:
  virtual ~TextSource() = default;

  /// The next texts, lines_at_once of them at most, valid until the next call. None: that was all.
  virtual std::vector<Line> next() = 0;

  /// What one text is called in messages
  virtual const char* noun() const = 0;
  /// Length of the whole input, 0 if unknown, and how much of it next() has handed out
  virtual std::uint64_t bytes() const { return 0; }
  virtual std::uint64_t bytes_taken() const { return 0; }

  static constexpr std::size_t lines_at_once = 256;
};

/// Texts that are there already.
class TextList : public TextSource {
public:
  explicit TextList(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  std::vector<Line> next() override {
    std::vector<Line> lines;
    for (; taken_ < texts_.size() && lines.size() < lines_at_once; ++taken_)
      lines.push_back({taken_ + 1, texts_[taken_]});
    return lines;
  }
  const char* noun() const override { return "text"; }

private:
  std::vector<std::string> texts_;
  std::size_t taken_ = 0;
};

/// Lines end in LF or CR LF, the last one may lack its end; NUL is a character like any other, and an empty line is an
/// empty text.
class LineReader : public TextSource {
public:
  static constexpr std::size_t longest_line = std::size_t{64} << 20;

  /// "-" is standard input. Throws std::system_error. The file stays open until the program ends.
  explicit LineReader(const std::string& file)
      : descriptor_(file == "-" ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (descriptor_ < 0 || fstat(descriptor_, &status) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot open " + file);
    if (S_ISDIR(status.st_mode))
      throw std::system_error(EISDIR, std::generic_category(), "cannot read " + file);
    if (S_ISREG(status.st_mode))
      bytes_ = static_cast<std::uint64_t>(status.st_size);
  }

  /// Waits for input only while it has no line, so that lines typed or piped one by one are answered one by one. An
  /// interruption by the user ends the input. Throws std::system_error if reading fails.
  std::vector<Line> next() override {
    std::vector<Line> lines;
    for (;;) {
      while (lines.size() < lines_at_once && take_line(lines))
        ;
      if (!lines.empty() || !read_block())
        return lines;
    }
  }

  const char* noun() const override { return "line"; }
  std::uint64_t bytes() const override { return bytes_; }
  std::uint64_t bytes_taken() const override { return bytes_taken_; }

private:
  static constexpr std::size_t block = std::size_t{64} << 10;

  /// Appends the next line if the buffer holds all of it.
  bool take_line(std::vector<Line>& lines) {
    const char* const first = buffer_.data() + begin_;
    const void* const end = std::memchr(buffer_.data() + searched_, '\n', end_ - searched_);
    if (end == nullptr) {
      searched_ = end_;
      if (!at_end_ || (begin_ == end_ && !skipping_))
        return false;
    }
    std::size_t length =
        end == nullptr ? end_ - begin_ : static_cast<std::size_t>(static_cast<const char*>(end) - first);
    const std::size_t taken = length + (end == nullptr ? 0 : 1);
    if (end != nullptr && length > 0 && first[length - 1] == '\r')
      --length;
    const bool too_long = skipping_ || length > longest_line;
    lines.push_back({++number_, too_long ? std::string_view() : std::string_view(first, length), too_long});
    skipping_ = false;
    begin_ += taken;
    searched_ = begin_;
    bytes_taken_ += taken;
    return true;
  }

  /// Reads more, or learns that this was all; false if that was known, and after an interruption.
  bool read_block() {
    if (at_end_)
      return false;
    if (end_ - begin_ > longest_line) {
      skipping_ = true;
      bytes_taken_ += end_ - begin_;
      begin_ = end_;
    }
    if (begin_ > 0) { // what is left of the last block moves to the front
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      searched_ = end_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < block)
      buffer_.resize(2 * buffer_.size());
    while (cli::wait_for_input(descriptor_)) {
      const ssize_t got = ::read(descriptor_, buffer_.data() + end_, buffer_.size() - end_);
      if (got >= 0) {
        end_ += static_cast<std::size_t>(got);
        at_end_ = got == 0;
        return true; // at the end, too: a line without its end may be left
      }
      if (errno != EINTR)
        throw std::system_error(errno, std::generic_category(), "cannot read");
    }
    return false;
  }

  int descriptor_;
  std::vector<char> buffer_ = std::vector<char>(block);
  std::size_t begin_ = 0, end_ = 0; // what the buffer holds and no line has taken yet
  std::size_t searched_ = 0;        // no LF before this
  bool at_end_ = false;
  bool skipping_ = false; // the line that begin_ stands in is too long and partly dropped
  std::uint64_t number_ = 0;
  std::uint64_t bytes_ = 0, bytes_taken_ = 0;
};

#include "json_syntax.hpp"

#include <distilbert/text/utf8.hpp>

#include <algorithm>
#include <vector>

namespace service::json {

namespace {

class Scanner {
public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<SyntaxError> run() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF")
      return SyntaxError{0, "Unexpected UTF-8 BOM (decode using utf-8-sig)"};
    if (!document())
      return SyntaxError{code_points(), reason_};
    return std::nullopt;
  }

private:
  bool document() {
    std::vector<char> open; // brackets that are not closed yet
    skip_space();
    for (;;) {
      // a value begins here
      if (at('{') || at('[')) {
        open.push_back(text_[position_++]);
        skip_space();
        if (at(open.back() == '{' ? '}' : ']')) {
          ++position_;
          open.pop_back();
        } else {
          if (open.back() == '{' && !key())
            return false;
          continue;
        }
      } else if (!scalar()) {
        return false;
      }
      // a value has ended here
      for (;;) {
        skip_space();
        if (open.empty())
          return position_ == text_.size() || fail("Extra data");
        if (!at(open.back() == '{' ? '}' : ']'))
          break;
        ++position_;
        open.pop_back();
      }
      if (!at(','))
        return fail("Expecting ',' delimiter");
      ++position_;
      skip_space();
      if (open.back() == '{' && !key())
        return false;
    }
  }

  /// A name with its colon.
  bool key() {
    if (!at('"'))
      return fail("Expecting property name enclosed in double quotes");
    if (!string())
      return false;
    skip_space();
    if (!at(':'))
      return fail("Expecting ':' delimiter");
    ++position_;
    skip_space();
    return true;
  }

  bool scalar() {
    if (at('"'))
      return string();
    for (const std::string_view word : {"null", "true", "false", "NaN", "Infinity", "-Infinity"})
      if (text_.substr(position_, word.size()) == word) {
        position_ += word.size();
        return true;
      }
    return number() || fail("Expecting value");
  }

  /// As far as it is one: of "01" the 0, of "1.x" the 1.
  bool number() {
    std::size_t end = position_ + at('-');
    const std::size_t integer = digits(end);
    if (integer == end)
      return false;
    end = text_[end] == '0' ? end + 1 : integer;
    if (end < text_.size() && text_[end] == '.' && digits(end + 1) > end + 1)
      end = digits(end + 1);
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      std::size_t exponent = end + 1;
      exponent += exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-');
      if (digits(exponent) > exponent)
        end = digits(exponent);
    }
    position_ = end;
    return true;
  }

  std::size_t digits(std::size_t from) const {
    while (from < text_.size() && text_[from] >= '0' && text_[from] <= '9')
      ++from;
    return from;
  }

  bool string() {
    const std::size_t start = position_++;
    const auto unterminated = [&] {
      position_ = start;
      return fail("Unterminated string starting at");
    };
    for (;; ++position_) {
      if (position_ == text_.size())
        return unterminated();
      const auto c = static_cast<unsigned char>(text_[position_]);
      if (c == '"') {
        ++position_;
        return true;
      }
      if (c < 0x20)
        return fail("Invalid control character at");
      if (c != '\\')
        continue;
      if (position_ + 1 == text_.size())
        return unterminated();
      const char escape = text_[position_ + 1];
      if (escape == 'u') {
        const std::string_view hex = text_.substr(position_ + 2, 4);
        if (hex.size() < 4 || hex.find_first_not_of("0123456789abcdefABCDEF") != hex.npos) {
          ++position_;
          return fail("Invalid \\uXXXX escape");
        }
        position_ += 5;
      } else if (std::string_view("\"\\/bfnrt").find(escape) != std::string_view::npos) {
        ++position_;
      } else {
        return fail("Invalid \\escape");
      }
    }
  }

  bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }

  void skip_space() { position_ = std::min(text_.find_first_not_of(" \t\n\r", position_), text_.size()); }

  bool fail(const char* reason) {
    reason_ = reason;
    return false;
  }

  std::size_t code_points() const {
    const std::string_view before = text_.substr(0, position_);
    return static_cast<std::size_t>(std::count_if(
        before.begin(), before.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  }

  std::string_view text_;
  std::size_t position_ = 0;
  const char* reason_ = "";
};

} // namespace

std::optional<SyntaxError> find_syntax_error(std::string_view text) { return Scanner(text).run(); }

} // namespace service::json

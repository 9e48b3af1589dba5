// Tokenizes a stream of requests for parity_test.py, which compares every answer with the reference.
//
// usage: tokenize_stream MODEL_DIRECTORY [--encode-special-tokens] < requests > answers
//
// Integers are 32 bits, little-endian. A request is
//   kind (0 encode, 1 encode pair, 2 windows, 3 windows of pair, 4 append_ids, 5 decode) | max_length | stride |
//   strategy | side | add_special_tokens | unit | length, bytes of the text | if a pair: length, bytes of the second
//   text
// The text of decode is ids, and add_special_tokens says whether to keep special ones. Its answer is 1, a length and
// the bytes of the text, one in each integer. Any other answer is the number of encodings, or -1 and the error code.
// Each encoding is n and then, unless it comes from append_ids, for every token id, type id, begin, end, word id,
// sequence id, special token; for append_ids only the id.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/text/tokenizer.hpp>

namespace {

class Requests {
public:
  explicit Requests(std::string bytes) : bytes_(std::move(bytes)) {}

  bool done() const { return position_ == bytes_.size(); }

  std::uint32_t integer() {
    std::uint32_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view text() { return take(integer()); }

private:
  std::string_view take(std::size_t size) {
    if (size > bytes_.size() - position_)
      throw std::runtime_error("a request is cut short");
    position_ += size;
    return std::string_view(bytes_).substr(position_ - size, size);
  }

  std::string bytes_;
  std::size_t position_ = 0;
};

class Answers {
public:
  void integer(std::size_t value) { signed_integer(static_cast<std::int32_t>(value)); }

  void signed_integer(std::int32_t value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof value);
    if (bytes_.size() >= std::size_t{1} << 20)
      flush();
  }

  void encoding(const distilbert::Encoding& encoding) {
    integer(encoding.size());
    for (std::size_t i = 0; i < encoding.size(); ++i) {
      signed_integer(encoding.ids[i]);
      signed_integer(encoding.type_ids[i]);
      integer(encoding.offsets[i].begin);
      integer(encoding.offsets[i].end);
      signed_integer(encoding.word_ids[i]);
      signed_integer(encoding.sequence_ids[i]);
      integer(encoding.special_tokens_mask[i]);
    }
  }

  void flush() {
    std::cout.write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    bytes_.clear();
  }

private:
  std::string bytes_;
};

enum class Kind : std::uint32_t { encode, encode_pair, windows, windows_of_pair, append_ids, decode };

void answer(const distilbert::Tokenizer& tokenizer, Requests& requests, Answers& answers) {
  const auto kind = static_cast<Kind>(requests.integer());
  distilbert::EncodeOptions options;
  options.max_length = requests.integer();
  options.stride = requests.integer();
  options.truncation = static_cast<distilbert::TruncationStrategy>(requests.integer());
  options.truncation_side = static_cast<distilbert::Side>(requests.integer());
  options.add_special_tokens = requests.integer() != 0;
  options.offset_unit = static_cast<distilbert::OffsetUnit>(requests.integer());
  const std::string_view text = requests.text();
  const bool pair = kind == Kind::encode_pair || kind == Kind::windows_of_pair;
  const std::string_view second = pair ? requests.text() : std::string_view();
  try {
    if (kind == Kind::append_ids) {
      std::vector<std::int32_t> ids;
      tokenizer.append_ids(text, options.max_length, ids);
      answers.integer(1);
      answers.integer(ids.size());
      for (const std::int32_t id : ids)
        answers.signed_integer(id);
    } else if (kind == Kind::decode) {
      std::vector<std::int32_t> ids(text.size() / sizeof(std::int32_t));
      std::memcpy(ids.data(), text.data(), ids.size() * sizeof(std::int32_t));
      const std::string decoded = tokenizer.decode(ids, !options.add_special_tokens);
      answers.integer(1);
      answers.integer(decoded.size());
      for (const char byte : decoded)
        answers.integer(static_cast<unsigned char>(byte));
    } else if (kind == Kind::windows || kind == Kind::windows_of_pair) {
      const auto encodings =
          pair ? tokenizer.encode_windows(text, second, options) : tokenizer.encode_windows(text, options);
      answers.integer(encodings.size());
      for (const distilbert::Encoding& encoding : encodings)
        answers.encoding(encoding);
    } else {
      const auto encoding = pair ? tokenizer.encode(text, second, options) : tokenizer.encode(text, options);
      answers.integer(1);
      answers.encoding(encoding);
    }
  } catch (const distilbert::Error& e) {
    answers.signed_integer(-1);
    answers.integer(static_cast<std::size_t>(e.code()));
  }
}

} // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2)
      throw std::runtime_error("usage: tokenize_stream MODEL_DIRECTORY [--encode-special-tokens]");
    distilbert::TokenizerOptions options;
    options.encode_special_tokens = argc > 2 && std::strcmp(argv[2], "--encode-special-tokens") == 0;
    const auto tokenizer = distilbert::Tokenizer::from_pretrained(argv[1], options);
    std::ios::sync_with_stdio(false);
    Requests requests(std::string(std::istreambuf_iterator<char>(std::cin), {}));
    Answers answers;
    while (!requests.done())
      answer(tokenizer, requests, answers);
    answers.flush();
    return std::cout.flush() ? 0 : 1;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}

// Any bytes as what a client sends: the reader of requests takes them whole and in pieces. Both must come to the same
// requests and to the same end, each request at most once and well formed, and no body longer than it may be.

#include "../../examples/service/http/head.cpp"
#include "../../examples/service/http/request_reader.cpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using service::Request;
using service::RequestReader;
using State = RequestReader::State;

constexpr std::size_t max_body = 4096;

void require(bool condition) {
  if (!condition)
    std::abort();
}

void check(const Request& request) {
  require(!request.method.empty() && std::all_of(request.method.begin(), request.method.end(),
                                                 [](char c) { return service::is_token_character(c); }));
  require(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"));
  require(request.body.size() <= max_body && request.fields.size() <= service::HeadLimits::fields);
  for (const auto& [name, value] : request.fields) {
    require(!name.empty() && name.find_first_of(" \t\r\n:") == name.npos);
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos);
    require(value.empty() || (value.front() != ' ' && value.back() != ' '));
  }
}

/// A stream as a session takes it: what it comes to, in words.
class Conversation {
public:
  void take(std::string_view bytes) {
    while (!bytes.empty() && reader_.state() != State::refused) {
      const std::size_t taken = reader_.read(bytes);
      require(taken <= bytes.size() && (taken > 0 || reader_.state() == State::refused));
      bytes.remove_prefix(taken);
      if (reader_.state() == State::expects) {
        said_ += "continue\n";
        reader_.go_on();
      }
      if (reader_.state() == State::complete)
        answer();
    }
  }

  std::string end() {
    const State before = reader_.state();
    reader_.end();
    require(before == State::idle || before == State::refused || reader_.refusal().status == 400);
    return said_ + std::to_string(reader_.refusal().status);
  }

private:
  void answer() {
    const bool keep_alive = reader_.head().keep_alive;
    const Request request = reader_.take();
    check(request);
    said_.append(request.method).append(" ").append(request.path).append("?").append(request.query).append("\n");
    for (const auto& [name, value] : request.fields)
      said_.append(name).append(":").append(value).append("\n");
    said_.append(request.body).append(keep_alive ? "\nopen\n" : "\nclose\n");
    reader_.next();
  }

  RequestReader reader_{max_body};
  std::string said_;
};

} // namespace

/// The first byte says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::size_t piece = data[0] % 61 + 1u;
  const std::vector<char> exact(data + 1, data + size);
  const std::string_view bytes(exact.data(), exact.size());
  Conversation whole, pieces;
  whole.take(bytes);
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    const std::string_view part = bytes.substr(i, piece);
    const std::vector<char> alone(part.begin(), part.end());
    pieces.take({alone.data(), alone.size()});
  }
  require(whole.end() == pieces.end());
  return 0;
}

#pragma once
// Requests out of a stream of bytes that come in any pieces. Knows no socket and no clock.
//
// Why not the parser of Boost.Beast: that of 1.81 takes, among others, bodies chunked twice, sizes of chunks of any
// number of digits and with spaces behind, extensions without bound, folded lines, two Hosts or lengths; it refuses a
// Content-Length in a trailer; and it says so only when a whole line, or the whole head, has come.

#include "head.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace service {

/// Reads one request after the other. What it makes of a stream depends on the bytes alone, never on where they were
/// cut: a request is refused at the first byte that shows why. Holds no more than the request has sent.
class RequestReader {
public:
  enum class State {
    idle,     // nothing of a request has come
    head,     // a part of its head has
    expects,  // the head is whole, and the client waits for 100 Continue: go_on()
    body,     // a part of the body is missing
    complete, // take(), then next()
    refused,  // nothing more can be read of this stream
  };

  explicit RequestReader(std::uint64_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

  /// Takes bytes from the front, at most to the end of the request, and says how many. None if the state is expects,
  /// complete or refused.
  std::size_t read(std::string_view bytes);

  State state() const { return state_; }
  const Refusal& refusal() const { return refusal_; }

  /// The stream has ended: a request that has begun is refused.
  void end();
  /// 100 Continue has been sent.
  void go_on();
  /// The request that is complete.
  Request take();
  /// Begins the request that follows one that is complete.
  void next();

  /// Of the last head: what the response must know.
  const Head& head() const { return head_; }

private:
  enum class Part { request_line, field_line, content, chunk_size, chunk, chunk_end, trailer };

  void step(std::string_view& bytes);
  void step_line(std::string_view& bytes, std::size_t limit, Refusal too_long);
  void take_line(std::string_view line);
  void take_field(std::string_view line);
  void take_content(std::string_view& bytes);
  void take_chunk_size(std::string_view line);
  void finish_fields();
  void begin_body();
  void refuse(const Refusal& refusal);

  std::uint64_t max_body_bytes_;
  State state_ = State::idle;
  Part part_ = Part::request_line;
  bool skipped_ = false;        // the one empty line that may stand before a request (RFC 9112, 2.2)
  std::size_t lines_bytes_ = 0; // of the head, or of the trailer
  std::size_t lines_ = 0;
  std::uint64_t missing_ = 0; // bytes of the body, or of a chunk
  std::string line_;          // the beginning of a line that is not whole yet
  Head head_;
  Refusal refusal_;
};

} // namespace service

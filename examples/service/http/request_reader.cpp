#include "request_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace service {

namespace {

constexpr std::size_t max_extension = 256; // bytes after the size of a chunk, which nobody reads
constexpr std::size_t max_size_digits = 16;

constexpr Refusal bad_chunk{400, "The body is not chunked as it should be"};

bool is_control(char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f'; }

} // namespace

std::size_t RequestReader::read(std::string_view bytes) {
  const std::size_t size = bytes.size();
  while (!bytes.empty() && (state_ == State::idle || state_ == State::head || state_ == State::body))
    step(bytes);
  return size - bytes.size();
}

void RequestReader::step(std::string_view& bytes) {
  if (state_ == State::idle) {
    state_ = State::head;
    if (!is_token_character(bytes.front()) && bytes.front() != '\r')
      return refuse({400, "A request begins with its method"});
  }
  const std::size_t left = HeadLimits::bytes - std::min(HeadLimits::bytes, lines_bytes_);
  constexpr Refusal too_long{431, "The header is too long"};
  switch (part_) {
  case Part::request_line: return step_line(bytes, HeadLimits::request_line, {414, "The request line is too long"});
  case Part::field_line:
  case Part::trailer: return step_line(bytes, left, too_long);
  case Part::chunk_size: return step_line(bytes, max_size_digits + 1 + max_extension, bad_chunk);
  case Part::chunk_end: return step_line(bytes, 0, bad_chunk);
  case Part::content:
  case Part::chunk: return take_content(bytes);
  }
}

/// Looks for the end of a line, which then is taken; CR and LF come only together, and no other control character.
void RequestReader::step_line(std::string_view& bytes, std::size_t limit, Refusal too_long) {
  bool carriage = !line_.empty() && line_.back() == '\r';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (carriage != (c == '\n'))
      return refuse({400, "A line must end with CR and LF"});
    if (c == '\n') {
      std::string_view line = bytes.substr(0, i);
      std::string held = std::exchange(line_, {});
      if (!held.empty())
        line = held.append(line);
      bytes.remove_prefix(i + 1);
      lines_bytes_ += line.size() + 1;
      return take_line(line.substr(0, line.size() - 1));
    }
    carriage = c == '\r';
    if (!carriage && is_control(c))
      return refuse({400, "A control character"});
    if (line_.size() + i + (carriage ? 0 : 1) > limit)
      return refuse(too_long);
  }
  line_.append(bytes);
  bytes = {};
}

void RequestReader::take_line(std::string_view line) {
  switch (part_) {
  case Part::request_line:
    if (line.empty() && !skipped_) {
      skipped_ = true;
      return;
    }
    if (const Refusal refusal = read_request_line(line, head_))
      return refuse(refusal);
    part_ = Part::field_line;
    return;
  case Part::field_line:
  case Part::trailer:
    if (line.empty())
      return finish_fields();
    if (++lines_ > HeadLimits::fields)
      return refuse({431, "The header has too many lines"});
    return take_field(line);
  case Part::chunk_size: return take_chunk_size(line);
  case Part::chunk_end: part_ = Part::chunk_size; return;
  case Part::content:
  case Part::chunk: return;
  }
}

void RequestReader::take_field(std::string_view line) {
  std::vector<Field> dropped; // what a trailer says changes nothing
  if (const Refusal refusal = read_field_line(line, part_ == Part::trailer ? dropped : head_.request.fields))
    refuse(refusal);
}

void RequestReader::take_content(std::string_view& bytes) {
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(missing_, bytes.size()));
  head_.request.body.append(bytes.substr(0, size));
  bytes.remove_prefix(size);
  missing_ -= size;
  if (missing_ > 0)
    return;
  if (part_ == Part::chunk)
    part_ = Part::chunk_end;
  else
    state_ = State::complete;
}

void RequestReader::take_chunk_size(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (digits.empty() || digits.size() > max_size_digits || error != std::errc{} || end != digits.data() + digits.size())
    return refuse(bad_chunk);
  if (size > max_body_bytes_ - head_.request.body.size())
    return refuse({413, "The body is too long"});
  missing_ = size;
  part_ = size > 0 ? Part::chunk : Part::trailer;
  lines_bytes_ = lines_ = 0;
}

void RequestReader::finish_fields() {
  if (part_ == Part::trailer) {
    state_ = State::complete;
    return;
  }
  if (const Refusal refusal = finish_head(head_, max_body_bytes_))
    return refuse(refusal);
  if (head_.expects_continue)
    state_ = State::expects;
  else
    begin_body();
}

void RequestReader::begin_body() {
  missing_ = head_.length;
  part_ = head_.chunked ? Part::chunk_size : Part::content;
  state_ = head_.chunked || missing_ > 0 ? State::body : State::complete;
}

void RequestReader::refuse(const Refusal& refusal) {
  state_ = State::refused;
  refusal_ = refusal;
}

void RequestReader::end() {
  if (state_ == State::head || state_ == State::body)
    refuse({400, "The request ends too early"});
}

void RequestReader::go_on() { begin_body(); }

Request RequestReader::take() {
  head_.request.received = Clock::now();
  return std::move(head_.request);
}

void RequestReader::next() { *this = RequestReader(max_body_bytes_); }

} // namespace service

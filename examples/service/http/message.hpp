#pragma once
// Requests and responses as routes see them, whatever carries them: HTTP, an event of AWS Lambda, a test.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace service {

using Clock = std::chrono::steady_clock;

/// A header field.
struct Field {
  std::string name, value;
};

/// Who waits for an answer. `gone` turns true, on any thread, when nobody does any more; work not begun is then left
/// out.
struct Caller {
  std::atomic<bool> gone{false};
};

struct Request {
  std::string method;                 // as on the wire, "GET"
  std::string path;                   // percent-decoded, begins with '/'; without query and root path
  std::string query;                  // what follows the '?', still encoded
  std::vector<Field> fields;          // header fields in the order of their arrival; names in lower case
  std::string body;                   // whole, transfer codings taken off
  std::vector<std::string> arguments; // what stands in the place of each {} of the route's pattern; the router's work
  std::shared_ptr<Caller> caller = std::make_shared<Caller>();
  Clock::time_point received = Clock::now();

  /// Value of the first field of this name (in lower case); empty if there is none.
  std::string_view field(std::string_view name) const {
    for (const Field& field : fields)
      if (field.name == name)
        return field.value;
    return {};
  }
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json"; // empty: the field is left out
  std::vector<Field> fields;                     // further header fields; framing is the carrier's work
  std::string body;
  std::string fault = {}; // what went wrong within, if something did: for the log alone; holds nothing of the request
};

/// Takes the answer to one request. Must be called once, on any thread; when it throws, or all copies are gone unused,
/// the request gets no answer, and whoever carries it ends its connection.
using Respond = std::function<void(Response)>;

/// Answers a request, at once or later, on any thread; must not throw once it has responded. What it throws before
/// becomes a 500. The request stays as it is for as long as somebody holds it.
using Handler = std::function<void(std::shared_ptr<const Request>, Respond)>;

} // namespace service

#pragma once
// Why a request gets no answer, before a protocol puts its words on it.

#include "../http/message.hpp"

#include <cstddef>
#include <exception>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace service {

/// The way to a value in a body: {"text", 1} is the second item of "text".
using Path = std::vector<std::variant<std::string, std::size_t>>;

/// One thing that is wrong with a body, in the words of pydantic, whose errors FastAPI shows.
struct Detail {
  std::string type; // "string_type"
  Path path;
  std::string message; // "Input should be a valid string"
  std::string input;   // JSON: the value that is wrong
  std::string context; // a JSON object with the limits that were not kept; empty: none
};

/// Thrown by whoever reads a request, and made of what becomes of a call. The one thing that all protocols translate.
struct Problem : std::exception {
  enum class Kind {
    not_json,   // the body does not follow the grammar of JSON; details holds where
    unreadable, // the body is no text, or JSON that goes beyond what is read: numbers, depth, lone surrogates
    media_type, // the body is something else than JSON, or compressed
    invalid,    // JSON, but not what the route takes; details says what is wrong, unless message says it all
    empty,      // no text where there must be one
    batch_size, // too many texts
    model_type, // the route is for models of another task
    overloaded, // try again later
    draining,   // the service is about to end, or not ready
    timeout,    // its turn did not come in time
    gone,       // the caller left; nobody will read this
    model,      // a result that is not finite
    internal,   // anything else
  };

  /// Of the kinds `model` and `internal`, the sentence becomes the fault, too.
  Problem(Kind what_kind, std::string sentence);
  /// What is wrong with a value; the message names its place.
  explicit Problem(std::vector<Detail> wrong);

  const char* what() const noexcept override { return message.c_str(); }

  Kind kind;
  std::string message; // a sentence that holds nothing of the text
  std::vector<Detail> details;
  std::string fault; // for the log: what went wrong within, if it did; holds nothing of the text
};

/// `text[1]`: as messages name a place; the whole body is `body`.
std::string name_of(const Path& path);

/// The status that a kind has where the protocol does not have its own. Of `gone`, which only metrics and log see, it
/// is nginx's 499.
unsigned usual_status(Problem::Kind kind);

/// TEI's word for te_request_failure{err}.
const char* metric_word(Problem::Kind kind);

/// A protocol's way to say it: status and body. Retry-After is added to what it returns.
using ErrorStyle = Response (*)(const Problem&);

/// {"detail": ...}, as FastAPI.
Response fastapi_error(const Problem& problem);
/// {"error": ...}, as the classroom's functions: 400 for whatever is wrong with the body.
Response lambda_error(const Problem& problem);
/// {"error": ..., "error_type": ...}, as Text Embeddings Inference.
Response tei_error(const Problem& problem);

} // namespace service

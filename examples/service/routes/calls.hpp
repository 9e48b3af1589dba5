#pragma once
// The way that every call of the model takes: admission, body to encoded texts, inference, rows to response.

#include "problem.hpp"
#include "routes.hpp"

#include <distilbert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace service {

/// How a text is made to fit the model.
struct Fit {
  bool truncate = true;                            // false: a text that is too long is a Problem
  distilbert::Side side = distilbert::Side::right; // the end that is cut off
  std::size_t max_length = 0;                      // tokens, special ones included; 0, or too many: the model's
};

/// What a route makes of a request: what to ask the model for.
class Call {
public:
  Call(const Context& shared, const Request& asked, ErrorStyle errors)
      : context(shared), request(asked), style(errors) {}

  const Context& context;
  const Request& request;
  ErrorStyle style; // a reader may set another, when the body has told which protocol it is
  Output output = Output::pooled;

  /// Each adds one text. Throws Problem: invalid if it must not be cut and is too long, or holds an id that the model
  /// does not know; `name` is what the message calls it.
  void add(std::string_view text, const Fit& fit = {}, std::string_view name = "inputs");
  void add(std::string_view first, std::string_view second, const Fit& fit = {}, std::string_view name = "inputs");
  /// Token ids as they are, special tokens included.
  void add(std::vector<std::int32_t> ids, const Fit& fit = {}, std::string_view name = "inputs");
  /// Encoded already; `characters` of text.
  void add(distilbert::Encoding encoding, std::size_t characters);

  const std::vector<distilbert::Encoding>& texts() const { return texts_; }
  std::vector<distilbert::Encoding> take_texts() { return std::move(texts_); }
  std::size_t tokens() const { return tokens_; }
  std::size_t characters() const { return characters_; } // code points
  std::size_t truncated() const { return truncated_; }   // texts that lost tokens

private:
  distilbert::EncodeOptions options(const Fit& fit) const;
  void check(const distilbert::Encoding& encoding, const Fit& fit, std::string_view name) const;

  std::vector<distilbert::Encoding> texts_;
  std::size_t tokens_ = 0, characters_ = 0, truncated_ = 0;
};

/// Makes the response of an answer that has not failed: a row for each text of the call, in order. Runs on any thread,
/// after the body's Document is gone; the Request lives on. May throw Problem.
using Writer = std::function<Response(const Answer&)>;
/// Reads the body into the call. May throw Problem, distilbert::Error. Without a text the model is not asked, and the
/// writer gets no row.
using Reader = std::function<Writer(Call&)>;

/// The handler of a route that asks the model. `kind`: TEI's word for the metrics, "predict" or "embed", a literal;
/// `style`: how it says what went wrong.
///
/// Answers at once, with the body unread, 429 if as many calls are under way as Context allows, 415 for a body that
/// says it is no JSON (`any_type`: the route itself looks) or that it is compressed. Adds TEI's header fields with what
/// the call took, and x-truncated-texts if some texts lost tokens.
Handler model_route(Context& context, const char* kind, ErrorStyle style, Reader reader, bool any_type = false);

/// The handler of a route that answers without the model, by the same rules. `answer` may throw Problem,
/// distilbert::Error.
Handler plain_route(ErrorStyle style, std::function<Response(const Request&)> answer);

/// The same for one that works on the texts of a body: it counts as a call, and is refused with 429 if there are too
/// many under way.
Handler counted_route(Context& context, ErrorStyle style, std::function<Response(const Request&)> answer);

/// Characters of a text in valid UTF-8, as Python counts them.
std::size_t code_points_of(std::string_view text);

/// Throws Problem::batch_size, in TEI's words, for more texts than `most`.
void check_batch_size(std::size_t texts, std::size_t most);

} // namespace service

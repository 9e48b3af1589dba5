#include "tei.hpp"

#include "../../common/json_text.hpp"

#include <cstddef>
#include <limits>
#include <string>

namespace service::tei {

namespace {

constexpr std::size_t most_tokens = 65'536; // of one call: each becomes some hundred bytes of the answer

void check_tokens(std::size_t tokens) {
  if (tokens > most_tokens)
    throw Problem(Problem::Kind::batch_size,
                  std::to_string(tokens) + " tokens > maximum allowed in one call " + std::to_string(most_tokens));
}

/// `tokens`: of the texts before, to which those of this one are added.
void append_tokens(std::string& out, std::size_t& tokens, const Context& context, std::string_view text,
                   bool add_special_tokens) {
  if (text.empty())
    throw nothing_in("inputs");
  check_characters(context, text);
  const auto& tokenizer = context.engine().tokenizer();
  distilbert::EncodeOptions options;
  options.add_special_tokens = add_special_tokens;
  const distilbert::Encoding encoding = tokenizer.encode(text, options);
  check_tokens(tokens += encoding.size());
  out += '[';
  for (std::size_t i = 0; i < encoding.size(); ++i) {
    const bool special = encoding.special_tokens_mask[i] != 0;
    const distilbert::Span span = encoding.offsets[i];
    out += i == 0 ? "{\"id\":" : ",{\"id\":";
    cli::append_number(out, encoding.ids[i]);
    out += ",\"text\":";
    cli::append_json_string(out, special ? tokenizer.token(encoding.ids[i])
                                         : text.substr(span.begin, span.end - span.begin));
    if (special)
      out += ",\"special\":true,\"start\":null,\"stop\":null}";
    else
      out +=
          ",\"special\":false,\"start\":" + std::to_string(span.begin) + ",\"stop\":" + std::to_string(span.end) + '}';
  }
  out += ']';
}

} // namespace

Response tokenize(const Context& context, const Request& request) {
  json::Document document(request.body);
  const json::Object body = document.root().object();
  const bool add_special_tokens = read_flag(body, "add_special_tokens", true);
  read_fit(body); // refuses a prompt
  const json::Value inputs = body.at("inputs");
  const auto texts = inputs.is_string() ? std::vector<std::string_view>{inputs.string()} : inputs.strings();
  if (texts.empty())
    throw nothing_in("inputs");
  check_batch_size(texts.size(), context.max_client_batch_size);
  Response response;
  std::size_t tokens = 0;
  for (const std::string_view text : texts) {
    response.body += response.body.empty() ? '[' : ',';
    append_tokens(response.body, tokens, context, text, add_special_tokens);
  }
  response.body += ']';
  return response;
}

Response decode(const Context& context, const Request& request) {
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  json::Document document(request.body);
  const json::Object body = document.root().object();
  const bool skip_special_tokens = read_flag(body, "skip_special_tokens", true);
  const json::Value ids = body.at("ids");
  const auto items = ids.array();
  std::vector<std::vector<std::int32_t>> rows;
  if (items.empty())
    throw nothing_in("ids");
  if (items.front().is_number()) {
    rows.push_back(ids.integers(0, most));
  } else {
    check_batch_size(items.size(), context.max_client_batch_size);
    for (const json::Value& item : items)
      rows.push_back(item.integers(0, most));
  }
  std::size_t tokens = 0;
  for (const auto& row : rows)
    check_tokens(tokens += row.size());
  Response response;
  for (const auto& row : rows) {
    if (row.empty())
      throw nothing_in("ids");
    response.body += response.body.empty() ? '[' : ',';
    cli::append_json_string(response.body, context.engine().tokenizer().decode(row, skip_special_tokens));
  }
  response.body += ']';
  return response;
}

} // namespace service::tei

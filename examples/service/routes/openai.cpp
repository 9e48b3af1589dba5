#include "openai.hpp"

#include "../../common/json_text.hpp"
#include "vectors.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace service {

namespace {

/// RFC 4648, section 4.
void append_base64(std::string& out, std::string_view bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < size ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += k <= size ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
}

void append_embedding(std::string& out, const std::vector<float>& vector, bool base64) {
  if (!base64)
    return append_vector(out, vector.data(), vector.size());
  static_assert(std::endian::native == std::endian::little);
  out += '"';
  append_base64(out, {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
  out += '"';
}

void add_ids(const json::Value& list, Call& call) {
  std::vector<std::int32_t> ids = list.integers(0, std::numeric_limits<std::int32_t>::max());
  if (const std::size_t most = call.context.engine().max_length(); ids.size() > most)
    throw Problem(Problem::Kind::invalid, name_of(list.path()) + " has " + std::to_string(ids.size()) +
                                              " token ids, the model reads " + std::to_string(most));
  call.add(std::move(ids), {}, "input");
}

/// A string, a list of strings, a list of token ids, or a list of such lists.
void add_input(const json::Value& input, Call& call) {
  if (!input.is_array())
    return add_strings(input, call);
  const std::vector<json::Value> items = input.array();
  if (items.empty() || items.front().is_string())
    return add_strings(input, call);
  if (!items.front().is_array())
    return add_ids(input, call);
  check_batch_size(items.size(), call.context.max_client_batch_size);
  for (const json::Value& item : items)
    add_ids(item, call);
}

/// What else a request may say, besides its input.
struct EmbeddingOptions {
  EmbeddingOptions(const json::Object& request, const Engine& engine) : dimensions(engine.width()) {
    request.only({"input", "model", "encoding_format", "dimensions", "user"});
    for (const char* key : {"model", "user"})
      if (const auto value = request.optional(key))
        value->string();
    if (const auto value = request.optional("dimensions"))
      dimensions = static_cast<std::size_t>(value->integer(1, static_cast<std::int64_t>(dimensions)));
    if (const auto value = request.optional("encoding_format")) {
      base64 = value->string() == "base64";
      if (!base64 && value->string() != "float")
        throw value->problem("literal_error", "Input should be 'float' or 'base64'");
    }
  }

  std::size_t dimensions;
  bool base64 = false;
};

Writer embeddings(Call& call) {
  json::Document document(call.request.body);
  const json::Object request = document.root().object();
  const EmbeddingOptions options(request, call.context.engine());
  add_input(request.at("input"), call);
  return [&context = call.context, options, tokens = call.tokens()](const Answer& answer) {
    Response response;
    std::string& out = response.body = R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < answer.rows.size(); ++i) {
      out += i == 0 ? "" : ",";
      out += R"({"object":"embedding","index":)" + std::to_string(i) + ",\"embedding\":";
      append_embedding(out, embedding_of(*answer.rows[i], true, options.dimensions), options.base64);
      out += '}';
    }
    out += "],";
    append_model_and_usage(out, context, tokens);
    out += '}';
    return response;
  };
}

} // namespace

Response openai_error(const Problem& problem) {
  Response response;
  response.status = usual_status(problem.kind);
  if (response.status == 422 || response.status == 424)
    response.status = 400;
  const char* type = response.status == 429   ? "rate_limit_error"
                     : response.status >= 500 ? "server_error"
                                              : "invalid_request_error";
  response.body = "{\"error\":{\"message\":";
  cli::append_json_string(response.body, problem.message);
  response.body += std::string(",\"type\":\"") + type + "\",\"param\":null,\"code\":null}}";
  return response;
}

void append_model_and_usage(std::string& out, const Context& context, std::size_t tokens) {
  out += "\"model\":";
  cli::append_json_string(out, context.model_name);
  const std::string count = std::to_string(tokens);
  out += ",\"usage\":{\"prompt_tokens\":" + count + ",\"total_tokens\":" + count + '}';
}

void add_strings(const json::Value& input, Call& call) {
  if (input.is_string())
    return call.add(input.string(), {}, "input");
  const std::vector<std::string_view> texts = input.strings();
  if (texts.empty())
    throw input.problem("too_short", "List should have at least 1 item", "{\"min_length\":1}");
  check_batch_size(texts.size(), call.context.max_client_batch_size);
  for (const std::string_view text : texts)
    call.add(text, {}, "input");
}

void add_openai_routes(Router& router, Context& context) {
  add_model_list_routes(router, context);
  if (context.engine().task() == Task::embedder)
    router.add("POST", "/v1/embeddings", model_route(context, "embed", openai_error, embeddings));
  else if (context.engine().task() == Task::classifier)
    add_classify_route(router, context);
}

} // namespace service

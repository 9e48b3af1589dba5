#include "tei.hpp"

#include "vectors.hpp"

#include <limits>

namespace service::tei {

namespace {

/// A text, or its token ids as they are.
void add_input(Call& call, const json::Value& value, const Fit& fit) {
  if (!value.is_array())
    return add_text(call, value.string(), fit);
  auto ids = value.integers(0, std::numeric_limits<std::int32_t>::max());
  if (ids.empty())
    throw nothing_in("inputs");
  call.add(std::move(ids), fit);
}

void add_inputs(Call& call, const json::Object& body) {
  const Fit fit = read_fit(body);
  const json::Value inputs = body.at("inputs");
  const auto items = inputs.is_array() ? inputs.array() : std::vector<json::Value>();
  if (inputs.is_string() || (!items.empty() && items.front().is_number()))
    return add_input(call, inputs, fit);
  if (inputs.array().empty())
    throw nothing_in("inputs");
  check_batch_size(items.size(), call.context.max_client_batch_size);
  for (const json::Value& item : items)
    add_input(call, item, fit);
}

} // namespace

Writer read_embed(Call& call) {
  json::Document document(call.request.body);
  const json::Object body = document.root().object();
  const bool normalize = read_flag(body, "normalize", true);
  std::size_t dimensions = 0;
  if (const auto value = body.optional("dimensions"))
    dimensions =
        static_cast<std::size_t>(value->integer(1, static_cast<std::int64_t>(call.context.engine().config().dim)));
  add_inputs(call, body);
  return [normalize, dimensions](const Answer& answer) {
    Response response;
    for (const auto& row : answer.rows) {
      response.body += response.body.empty() ? '[' : ',';
      const auto vector = embedding_of(*row, normalize, dimensions);
      append_vector(response.body, vector.data(), vector.size());
    }
    response.body += ']';
    return response;
  };
}

Writer read_embed_all(Call& call) {
  json::Document document(call.request.body);
  add_inputs(call, document.root().object());
  call.output = Output::tokens;
  return [dim = call.context.engine().config().dim](const Answer& answer) {
    Response response;
    for (const auto& row : answer.rows) {
      response.body += response.body.empty() ? "[[" : ",[";
      for (std::size_t token = 0; token < row->size() / dim; ++token) {
        response.body += token == 0 ? "" : ",";
        append_vector(response.body, row->data() + token * dim, dim);
      }
      response.body += ']';
    }
    response.body += ']';
    return response;
  };
}

Writer read_similarity(Call& call) {
  json::Document document(call.request.body);
  const json::Object body = document.root().object(), inputs = body.at("inputs").object();
  const auto parameters = body.optional("parameters");
  const Fit fit = parameters ? read_fit(parameters->object()) : Fit();
  const std::string_view source = inputs.at("source_sentence").string();
  const auto sentences = inputs.at("sentences").strings();
  if (sentences.empty())
    throw nothing_in("inputs.sentences");
  check_batch_size(sentences.size() + 1, call.context.max_client_batch_size);
  add_text(call, source, fit);
  for (const std::string_view sentence : sentences)
    add_text(call, sentence, fit);
  return [](const Answer& answer) {
    Response response;
    const auto first = embedding_of(*answer.rows.front(), true);
    std::vector<float> cosines;
    for (std::size_t i = 1; i < answer.rows.size(); ++i)
      cosines.push_back(dot(first, embedding_of(*answer.rows[i], true)));
    append_vector(response.body, cosines.data(), cosines.size());
    return response;
  };
}

} // namespace service::tei

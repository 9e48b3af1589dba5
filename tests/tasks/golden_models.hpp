#pragma once
// The models of golden/models.py in C++, and what transformers' pipelines say of them.

#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../nn/golden.hpp"

namespace distilbert::test {

/// How far a score or a hidden state may be from the reference's.
inline constexpr double pipeline_tolerance = 1e-4;

/// The call fails with that code, and says `part`.
template <class Call> void refused(ErrorCode code, const std::string& part, const Call& call) {
  try {
    call();
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(std::string(describe(e.code())) == describe(code));
    CHECK(std::string(e.what()).find(part) != std::string::npos);
  }
}

/// The first lines of the vocabulary of models/sst2, as golden/models.py takes them.
inline std::string first_words(std::size_t count) {
  std::ifstream file(DISTILBERT_SOURCE_DIR "/models/sst2/vocab.txt");
  std::string words, line;
  for (std::size_t i = 0; i < count && std::getline(file, line); ++i)
    words += line + "\n";
  return words;
}

/// models.model(): the family leads the key, the rest of which makes the seed unless the shape has one of its own.
inline Shape golden_shape(const std::string& key, Shape shape) {
  const std::size_t split = key.find('_');
  shape.family = key.substr(0, split);
  shape.vocab = 4000;
  shape.positions = 128;
  shape.prefix = shape.labels == 0 ? "" : shape.family + ".";
  if (shape.seed == Shape{}.seed)
    shape.seed = fnv1a(key.substr(split + 1)) % 1000;
  return shape;
}

/// A model directory of golden/models.py, uncased. `id2label` are the names of its labels, if it names them.
struct GoldenModel : RandomModel {
  GoldenModel(const std::string& key, const Shape& sizes, const std::vector<std::string>& id2label = {})
      : RandomModel(golden_shape(key, sizes)) {
    write_file(path() / "vocab.txt", first_words(4000));
    if (id2label.empty())
      return;
    std::string json = config_json(shape), names;
    for (std::size_t i = 0; i < id2label.size(); ++i)
      names += (i ? ", \"" : "\"") + std::to_string(i) + "\": \"" + id2label[i] + "\"";
    json.pop_back();
    write_file(path() / "config.json", json + ", \"id2label\": {" + names + "}}"); // of equal keys the last one counts
  }
};

/// Those calls of pipelines.json that are of one task and model, the keyword arguments of which are all known to the
/// test: body(args, kwargs, result).
template <class Body>
std::size_t each_pipeline_call(const std::string& task, const std::string& model, const std::vector<std::string>& known,
                               const Body& body) {
  const GoldenFile file("pipelines.json", "tasks");
  std::size_t count = 0;
  for (const Json call : list_of(file["calls"])) {
    if (text_of(call["task"].value()) != task || text_of(call["model"].value()) != model ||
        call["init"].get_object().value().size() != 0)
      continue;
    const simdjson::dom::object kwargs = call["kwargs"].get_object().value();
    const bool all_known = std::all_of(kwargs.begin(), kwargs.end(), [&](const auto& field) {
      return std::find(known.begin(), known.end(), field.key) != known.end();
    });
    if (!all_known)
      continue;
    ++count;
    body(call["args"].value(), kwargs, call["result"].value());
  }
  return count;
}

/// A string or a list of strings as a list.
inline std::vector<std::string> texts_of(Json json) {
  if (json.is_string())
    return {text_of(json)};
  std::vector<std::string> texts;
  for (const Json text : list_of(json))
    texts.push_back(text_of(text));
  return texts;
}

inline std::vector<std::string_view> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

} // namespace distilbert::test

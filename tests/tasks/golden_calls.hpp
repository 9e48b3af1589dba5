#pragma once
// The calls of pipelines.json that find spans in texts, and the models that they ask.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "golden_models.hpp"

namespace distilbert::test {

/// CASED_WORDS of golden/models.py: its words, and once more those of ASCII letters, capitalised.
inline std::string cased_words() {
  std::istringstream lines(first_words(4000));
  std::string words = lines.str(), word;
  while (std::getline(lines, word))
    if (!word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isalpha(c) != 0; })) {
      for (char& c : word)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
      words += word + "\n";
    }
  return words;
}

/// "bert_cased_ner"
struct CasedModel : RandomModel {
  explicit CasedModel(const std::string& words = cased_words()) : RandomModel(cased_shape(words)) {
    const char* labels[] = {"O", "PER", "ORG", "LOC"};
    std::string config = config_json(shape);
    for (std::size_t i = 0; i < std::size(labels); ++i)
      config.replace(config.find("label " + std::to_string(i)), 7, labels[i]);
    write_file(path() / "config.json", config);
    write_file(path() / "vocab.txt", words);
    write_file(path() / "tokenizer_config.json", R"({"do_lower_case": false})");
  }

private:
  static Shape cased_shape(const std::string& words) {
    Shape cased = golden_shape("bert_cased_ner", {.dim = 48, .n_heads = 3, .labels = 4, .head = "token"});
    cased.vocab = static_cast<std::size_t>(std::count(words.begin(), words.end(), '\n'));
    return cased;
  }
};

template <class Task> Task load_golden(const std::string& key) {
  if (key == "bert_cased_ner")
    return Task::from_pretrained(CasedModel().path());
  LoadOptions options;
  if (key == "distilbert_window_ner")
    options.max_length = 24; // its model_max_length
  if (key.ends_with("ner"))
    return Task::from_pretrained(
        GoldenModel(key, {.labels = 7, .head = "token"}, {"O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"})
            .path(),
        options);
  const Shape qa =
      key == "bert_qa" ? Shape{.dim = 48, .n_heads = 3, .head = "qa", .seed = 48} : Shape{.head = "qa", .seed = 35};
  return Task::from_pretrained(GoldenModel(key, qa).path(), options);
}

/// check(task, arguments, options, result) for each call to one of the tasks; options are those of the pipeline and of
/// the call together. Returns how many there were.
template <class Task, class Check>
std::size_t each_golden_call(std::initializer_list<std::string_view> tasks, const Check& check) {
  const GoldenFile file("pipelines.json", "tasks");
  std::map<std::string, Task> loaded;
  std::size_t count = 0;
  for (const Json call : list_of(file["calls"])) {
    if (std::find(tasks.begin(), tasks.end(), text_of(call["task"].value())) == tasks.end())
      continue;
    const std::string model = text_of(call["model"].value());
    if (loaded.find(model) == loaded.end())
      loaded.emplace(model, load_golden<Task>(model));
    std::map<std::string, Json> options;
    for (const char* where : {"init", "kwargs"}) {
      const simdjson::dom::object given = call[where].get_object().value();
      for (const auto field : given)
        options.emplace(field.key, field.value);
    }
    const std::string asked = simdjson::minify(call["init"]) + simdjson::minify(call["kwargs"]);
    CAPTURE(model);
    CAPTURE(asked);
    check(loaded.at(model), call["args"].value(), options, call["result"].value());
    ++count;
  }
  return count;
}

inline bool near(float found, Json expected) {
  return std::fabs(double{found} - expected.get_double().value()) < pipeline_tolerance;
}

} // namespace distilbert::test

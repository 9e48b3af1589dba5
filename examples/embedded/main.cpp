// distilbert-embedded: a classifier in one file, the model inside. It prints a label and a score for each of its
// arguments or, without any, for each line of standard input.

#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <distilbert/tasks/text_classifier.hpp>

// model.S.in
extern "C" {
extern const char model_config[], model_config_end[];
extern const char model_tokenizer_config[], model_tokenizer_config_end[];
extern const char model_weights[], model_weights_end[];
}

namespace {

std::string_view between(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

distilbert::TextClassifier load() {
  distilbert::ModelBytes model;
  model.config = between(model_config, model_config_end);
  model.tokenizer_config = between(model_tokenizer_config, model_tokenizer_config_end);
  model.weights = between(model_weights, model_weights_end);
  return distilbert::TextClassifier::from_memory(model);
}

void print(const distilbert::Classification& answer) { std::printf("%s %.4f\n", answer.label.c_str(), answer.score); }

} // namespace

int main(int argc, char** argv) {
  try {
    const auto classifier = load();
    for (const auto& answer : classifier.classify(std::vector<std::string_view>(argv + 1, argv + argc)))
      print(answer);
    for (std::string line; argc == 1 && std::getline(std::cin, line);)
      print(classifier.classify(line));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "distilbert-embedded: %s\n", e.what());
    return 1;
  }
}

#pragma once
// A text's scores are the same bytes alone, in any batch that holds it, and on any number of threads: what the tests of
// that promise share.

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <distilbert/tasks/text_classifier.hpp>

#include "../nn/random_model.hpp"

namespace distilbert::test {

inline bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Texts of 0 to `most` of the words
inline std::vector<std::string> random_texts(Stream& stream, std::size_t count, std::size_t most,
                                             const std::vector<std::string>& words) {
  std::vector<std::string> texts(count);
  for (std::string& text : texts)
    for (std::size_t n = stream.next() % (most + 1); n > 0; --n)
      text += words[stream.next() % words.size()] + " ";
  return texts;
}

/// Random batches of up to `most` of the texts through all classifiers in turn; returns how many answers differed.
inline std::size_t differences(const std::vector<TextClassifier>& classifiers, const std::vector<std::string>& texts,
                               std::size_t batches, std::size_t most, Stream& stream) {
  std::vector<Classification> alone;
  for (const std::string& text : texts)
    alone.push_back(classifiers.front().classify(text));
  std::size_t wrong = 0;
  for (std::size_t b = 0; b < batches; ++b) {
    std::vector<std::size_t> chosen(1 + stream.next() % most);
    std::vector<std::string_view> batch;
    for (std::size_t& i : chosen)
      batch.push_back(texts[i = stream.next() % texts.size()]);
    const auto answers = classifiers[b % classifiers.size()].classify(batch);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Classification& expected = alone[chosen[i]];
      wrong += !same_bytes(answers[i].scores, expected.scores) || answers[i].label != expected.label ||
               answers[i].token_count != expected.token_count || answers[i].truncated != expected.truncated;
    }
  }
  return wrong;
}

/// One model on 1, 2 and 5 threads
inline std::vector<TextClassifier> with_threads(const std::filesystem::path& path,
                                                std::optional<Precision> precision = std::nullopt) {
  std::vector<TextClassifier> classifiers;
  for (const std::size_t threads : {1u, 2u, 5u}) {
    LoadOptions options;
    options.precision = precision;
    options.threads = threads;
    classifiers.push_back(TextClassifier::from_pretrained(path, options));
  }
  return classifiers;
}

} // namespace distilbert::test

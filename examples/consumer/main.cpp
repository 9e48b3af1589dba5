// The smallest project on the library: consumer MODEL TEXT... prints a label and a score for each text.

#include <cstdio>
#include <string_view>
#include <vector>

#include <distilbert/distilbert.hpp>

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fprintf(stderr, "usage: consumer MODEL TEXT...\n");
    return 2;
  }
  const auto classifier = distilbert::TextClassifier::from_pretrained(argv[1]);
  const std::vector<std::string_view> texts(argv + 2, argv + argc);
  for (const auto& answer : classifier.classify(texts))
    std::printf("%s %.3f\n", answer.label.c_str(), answer.score);
} catch (const distilbert::Error& e) {
  std::fprintf(stderr, "consumer: %s\n", e.what());
  return 1;
}

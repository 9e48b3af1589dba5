// In fp32 and int8 the logits are the same bits on every level with fused multiply-add, whatever the CPU: both hashes
// were found on avx2 (AMD Zen 3), on avx2, avx512, avx512_vnni and avx512_bf16 (Intel Emerald Rapids) and on neon
// (qemu), and must be so on any other CPU.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <distilbert/tasks/text_classifier.hpp>
#include <doctest/doctest.h>

#include "../nn/random_model.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

/// 200 sentences, each another: 10 openings x 20 endings; and the 20 of each opening as one long text.
std::vector<std::string> sentences_and_long_texts() {
  constexpr std::array openings = {"The film",
                                   "Its plot",
                                   "Every scene of it",
                                   "What the director does here",
                                   "The score",
                                   "This sequel",
                                   "The cast, as ever,",
                                   "Caf\u00e9 scenes aside, it all",
                                   "Nothing in the second hour",
                                   "To my surprise, the ending"};
  constexpr std::array endings = {"works.",
                                  "is a joy from first to last.",
                                  "left me cold",
                                  "could not be duller if it tried!",
                                  "never finds its feet, although it looks for them long enough.",
                                  "is worth the ticket alone...",
                                  "made me laugh, then cry, then call my mother.",
                                  "has all the charm of a tax form (and fewer jokes).",
                                  "is fine.",
                                  "aims low and misses.",
                                  "rewards patience like few others this year, if any.",
                                  "feels like two films glued together by a third one.",
                                  "cannot hide how little there was to say.",
                                  "is unwatchable",
                                  "won me over in the end; I did not see that coming.",
                                  "deserves better, and so do we.",
                                  "moves along at a pleasant pace, neither rushed nor slow, and gives each of its many "
                                  "characters a moment to breathe before the next turn of the screw.",
                                  "is neither good nor bad, just long: 163 minutes.",
                                  "takes risks -- most of them pay off.",
                                  "shines?"};
  std::vector<std::string> all, long_texts;
  for (const char* opening : openings) {
    std::string& long_text = long_texts.emplace_back();
    for (const char* ending : endings)
      long_text += all.emplace_back(std::string(opening) + " " + ending) + " ";
  }
  all.insert(all.end(), long_texts.begin(), long_texts.end());
  return all;
}

/// FNV-1a over the bits
std::uint64_t hash(const std::vector<float>& values) {
  std::uint64_t h = 14695981039346656037u;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i, bits >>= 8)
      h = (h ^ (bits & 0xff)) * 1099511628211u;
  }
  return h;
}

template <class Body> void on_levels_with_fma(const Body& body) {
  for (const std::string_view isa : available_isas())
    if (isa != "portable") {
      CAPTURE(std::string(isa));
      set_isa(isa);
      body();
    }
  set_isa("portable"); // which may round otherwise, but not far
  body();
}

} // namespace

TEST_CASE("200 sentences and ten long texts through the shipped int8 model") {
  const auto classifier = TextClassifier::from_pretrained(DISTILBERT_SOURCE_DIR "/models/sst2");
  const auto texts = sentences_and_long_texts();
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<float> first;
  on_levels_with_fma([&] {
    const auto logits = classifier.logits(views);
    if (first.empty())
      first = logits;
    if (isa() == "portable")
      for (std::size_t i = 0; i < logits.size(); ++i)
        REQUIRE(std::abs(logits[i] - first[i]) < 0.2f);
    else
      CHECK(hash(logits) == 8235571946836098833u);
  });
}

TEST_CASE("200 texts through a random fp32 model") {
  const Shape shape{.vocab = 300, .positions = 64, .dim = 72, .hidden_dim = 150, .n_heads = 6, .labels = 3};
  const RandomModel model(shape);
  const auto classifier = TextClassifier::from_pretrained(model.path());
  std::vector<std::vector<std::int32_t>> texts;
  for (std::size_t i = 0; i < 200; ++i)
    texts.push_back(random_ids(shape, i, 1 + i * 7 % 64));
  std::vector<float> first;
  on_levels_with_fma([&] {
    const auto logits = classifier.logits(texts);
    if (first.empty())
      first = logits;
    if (isa() == "portable")
      for (std::size_t i = 0; i < logits.size(); ++i)
        REQUIRE(std::abs(logits[i] - first[i]) < 1e-4f * (1 + std::abs(first[i])));
    else
      CHECK(hash(logits) == 9900182248892517745u);
  });
}

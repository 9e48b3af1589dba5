// What distilbert-convert writes, read by the library: the same bytes and the same answers, to the last bit, as the
// Hugging Face directory packed in memory, where both round alike.

#include "../nn/random_model.hpp"

#include <distilbert/tasks/text_classifier.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace distilbert;
using test::RandomModel;
using test::Shape;

namespace {

void convert(const std::filesystem::path& in, const std::filesystem::path& out, Precision precision) {
  const char* bin = std::getenv("DISTILBERT_BIN");
  REQUIRE(bin != nullptr);
  const std::string command = "'" + std::string(bin) + "/distilbert-convert' '" + in.string() + "' '" + out.string() +
                              "' --precision " + std::string(precision_name(precision)) + " --probe 'w7 w8 w9'" +
                              (precision == Precision::int8 ? " --rounding nearest" : "") + " > /dev/null";
  REQUIRE(std::system(command.c_str()) == 0);
}

std::vector<Shape> shapes() {
  Shape plain;
  Shape odd = plain; // nothing is a multiple of 16
  odd.vocab = 83;
  odd.positions = 37;
  odd.dim = 44;
  odd.hidden_dim = 70;
  odd.n_heads = 4;
  odd.labels = 5;
  odd.dtype = "BF16";
  odd.activation = "relu";
  odd.problem_type = "multi_label_classification";
  Shape bert = odd;
  bert.family = "bert";
  bert.prefix = "bert.";
  bert.dtype = "F16";
  bert.problem_type = "";
  Shape encoder = plain;
  encoder.labels = 0;
  encoder.prefix = "";
  return {plain, odd, bert, encoder};
}

} // namespace

TEST_CASE("a converted directory holds the bytes that packing makes, and the answers of its source") {
  for (const Shape& shape : shapes()) {
    const RandomModel source(shape);
    const auto source_config = DistilBertConfig::from_pretrained(source.path());
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
      CAPTURE(shape.family);
      CAPTURE(shape.dim);
      CAPTURE(precision_name(precision));
      const test::TemporaryDirectory directory;
      convert(source.path(), directory.path() / "converted", precision);
      const auto config = DistilBertConfig::from_pretrained(directory.path() / "converted");
      CHECK(config.model_type == ModelFamily::distilbert);
      CHECK(config.activation == source_config.activation);
      CHECK(config.pre_classifier_activation == source_config.pre_classifier_activation);
      CHECK(config.layer_norm_eps == source_config.layer_norm_eps);
      CHECK(config.pad_token_id == source_config.pad_token_id);
      CHECK(config.problem_type == source_config.problem_type);
      if (shape.labels > 0)
        CHECK(config.id2label == source_config.id2label);

      LoadOptions options;
      const PackedModel converted = PackedModel::from_pretrained(directory.path() / "converted", config, options);
      options.precision = precision;
      const PackedModel packed = PackedModel::from_pretrained(source.path(), source_config, options);
      REQUIRE(converted.layers().size() == packed.layers().size());
      const unsigned char* before = nullptr;
      for (std::size_t i = 0; i < packed.layers().size(); ++i) {
        for (std::size_t t = 0; t < packed.layers()[i].tensors.size(); ++t) {
          const TensorView &a = packed.layers()[i].tensors[t], &b = converted.layers()[i].tensors[t];
          CAPTURE(a.name);
          CHECK(b.name == a.name);
          REQUIRE(b.bytes == a.bytes);
          CHECK(std::memcmp(a.data, b.data, a.bytes) == 0);
          CHECK(b.data > before); // in order of use
          before = b.data;
        }
      }

      REQUIRE(converted.probe());
      Batch batch;
      batch.add(converted.probe()->ids.data(), converted.probe()->ids.size());
      CHECK(batch.tokens() == 5);
      Workspace workspace(config);
      if (shape.labels > 0) {
        std::vector<float> logits(shape.labels);
        DistilBertForSequenceClassification::load(packed, source_config).forward(batch, workspace, logits.data());
        CHECK(logits == converted.probe()->logits);
      } else {
        const Rows hidden = DistilBertModel::load(packed, source_config).forward(batch, workspace);
        CHECK(std::vector<float>(hidden.data(), hidden.data() + Probe::cls_values) == converted.probe()->cls);
      }
    }
  }
}

TEST_CASE("a token classifier is no text classifier, converted or not") {
  auto tensors = test::random_tensors(Shape{});
  std::erase_if(tensors, [](const auto& tensor) { return tensor.name.starts_with("pre_classifier."); });
  const RandomModel source(Shape{}, tensors);
  const test::TemporaryDirectory directory;
  convert(source.path(), directory.path() / "converted", Precision::int8);
  LoadOptions selfcheck;
  selfcheck.selfcheck = true;
  CHECK_NOTHROW(DistilBertModel::from_pretrained(directory.path() / "converted", selfcheck));
  for (const auto& path : {source.path(), directory.path() / "converted"})
    try {
      TextClassifier::from_pretrained(path);
      FAIL("a token classifier was taken for a text classifier");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::missing_tensor);
      CHECK(std::string_view(error.what()).find("\"pre_classifier\"") != std::string_view::npos);
    }
}

TEST_CASE("the vocabulary in the model spares vocab.txt, and never hides a changed one") {
  const RandomModel source(Shape{});
  const test::TemporaryDirectory directory;
  const auto converted = directory.path() / "converted", vocab_txt = converted / "vocab.txt";
  convert(source.path(), converted, Precision::int8);
  const std::vector<std::string_view> texts{"w7 w8 w9", "w99", "unknown"};
  const auto expected = TextClassifier::from_pretrained(converted).logits(texts);

  std::ifstream in(vocab_txt, std::ios::binary);
  const std::string lines{std::istreambuf_iterator<char>(in), {}};
  std::string swapped = lines; // w7 and w8
  std::swap(swapped[lines.find("w7") + 1], swapped[lines.find("w8") + 1]);
  std::ofstream(vocab_txt, std::ios::binary) << swapped;
  const auto changed = TextClassifier::from_pretrained(converted);
  CHECK(changed.logits(texts)[0] != expected[0]);
  CHECK(changed.logits({std::string_view("w8 w7 w9")})[0] == expected[0]);

  std::filesystem::remove(vocab_txt);
  CHECK(TextClassifier::from_pretrained(converted).logits(texts) == expected);
}

TEST_CASE("damaged weights: selfcheck sees what changes the probe, and no damage is worse than a wrong answer") {
  const RandomModel source(Shape{});
  const test::TemporaryDirectory directory;
  const auto converted = directory.path() / "converted", file = converted / "model.safetensors";
  LoadOptions selfcheck;
  selfcheck.selfcheck = true;
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    CAPTURE(precision_name(precision));
    std::filesystem::remove_all(converted);
    convert(source.path(), converted, precision);
    CHECK_NOTHROW(TextClassifier::from_pretrained(converted, selfcheck));
    std::ifstream in(file, std::ios::binary);
    const std::string good{std::istreambuf_iterator<char>(in), {}};
    const auto write = [&](const std::string& bytes) {
      std::filesystem::remove(file);
      std::ofstream(file, std::ios::binary) << bytes;
    };

    // the very last tensor is the classifier, whose panel begins with the biases
    const std::size_t last_panel = good.size() - panel_bytes(Precision::fp32, padded(Shape{}.dim));
    std::string other_bias = good;
    const float bias = 7.5f;
    std::memcpy(&other_bias[last_panel], &bias, sizeof bias);
    write(other_bias);
    CHECK_NOTHROW(TextClassifier::from_pretrained(converted));
    try {
      TextClassifier::from_pretrained(converted, selfcheck);
      FAIL("a changed bias passed the selfcheck");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::probe_mismatch);
    }

    // vocabulary, weights, scales, sums, padding: whatever a run of bytes belongs to, there is an answer or an Error
    std::uint64_t header = 0;
    std::memcpy(&header, good.data(), sizeof header);
    const std::size_t first = sizeof header + header, step = (good.size() - first) / 60;
    for (std::size_t at = first; at + 64 <= good.size(); at += step)
      for (const char byte : {'\0', '\x7f', '\xff'}) {
        std::string damaged = good;
        damaged.replace(at, 64, 64, byte);
        write(damaged);
        try {
          const auto answer = TextClassifier::from_pretrained(converted).classify("w7 w8 w9");
          REQUIRE(answer.scores.size() == Shape{}.labels);
        } catch (const Error& error) {
          const bool by_vocabulary =
              error.code() == ErrorCode::invalid_packed_model || error.code() == ErrorCode::invalid_vocabulary;
          REQUIRE((error.code() == ErrorCode::non_finite_result || by_vocabulary));
        }
      }
  }
}

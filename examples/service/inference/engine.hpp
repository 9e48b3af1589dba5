#pragma once
// A model of any task that the services offer, behind one face: encoded texts in, rows of numbers out.

#include <distilbert/config.hpp>
#include <distilbert/load_options.hpp>
#include <distilbert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace service {

/// What a model is for, which decides the routes.
enum class Task {
  classifier, // a label with scores
  reranker,   // a classifier of one label, which scores pairs of query and text
  embedder,   // a vector
};

/// What is asked of a model about one text.
enum class Output : std::uint8_t {
  pooled, // a classifier's logits [labels]; an embedder's pooled vector [dim], not normalised
  tokens, // embedders only: the last hidden state [tokens, dim]
};

/// The answer to one text: floats, row-major, of the shape that Output says. All of them are finite.
using Row = std::vector<float>;

/// Immutable once loaded; all methods may be called from any number of threads at once.
class Engine {
public:
  virtual ~Engine() = default;

  /// Loads a model directory, once: all outputs share its weights. A modules.json makes an embedder, as
  /// sentence-transformers writes it. Otherwise config.json decides: a sequence classification head makes a classifier,
  /// or a reranker if it has one label; an encoder, bare or of a masked language model, an embedder by the mean of its
  /// tokens. If the architecture has no name, the file's tensors tell.
  /// The probe that a converted model carries is replayed, whether options.selfcheck is set or not; set, it asks for
  /// one. Errors: distilbert::Error; unsupported_architecture for another head.
  static std::unique_ptr<const Engine> load(const std::filesystem::path& directory,
                                            const distilbert::LoadOptions& options);

  virtual Task task() const = 0;
  virtual const distilbert::DistilBertConfig& config() const = 0;
  virtual const distilbert::Tokenizer& tokenizer() const = 0;
  virtual distilbert::Precision precision() const = 0;
  /// Tokens of one text, special tokens included, that the model reads
  virtual std::size_t max_length() const = 0;

  /// One row for each text, in order. A lone call uses all threads of the model; of several at a time each takes its
  /// own. Throws distilbert::Error, of a text (invalid_token_id, text_too_long, non_finite_result) or of the call.
  virtual std::vector<Row> run(Output output, const std::vector<distilbert::Encoding>& texts) const = 0;

  /// How an embedder makes one vector of a text's tokens: "mean", "cls" or "max"; empty for a classifier.
  virtual std::string_view pooling() const { return {}; }
  /// Whether the model's own vectors have length 1, as its modules.json says; those of run() are not normalised.
  virtual bool normalizes() const { return false; }
  /// Changes whenever an answer could: SHA-256 in 64 hexadecimal digits of all files of the model, its precision,
  /// max_length, the options of its tokenizer and the version of the library. The same on all replicas, and at any
  /// path; computed in the background from load() on, and waited for. Errors: std::runtime_error if a file cannot be
  /// read.
  virtual std::string fingerprint() const { return {}; }

  /// Floats of one row of Output::pooled: labels, or dimensions.
  std::size_t width() const { return task() == Task::embedder ? config().dim : config().num_labels(); }
  /// Floats of one row of a text of so many tokens.
  std::size_t row_size(Output output, std::size_t tokens) const {
    return output == Output::tokens ? tokens * width() : width();
  }

  /// Runs a text on all threads, so that the first request meets memory and threads that are there already.
  void warm() const;
};

} // namespace service

#pragma once
// How a model is loaded and run; every field has the value that most users want.

#include <cstddef>
#include <functional>
#include <optional>

namespace distilbert {

/// The type of the weights in memory. bf16 and int8 also round the activations that meet them in a product.
enum class Precision { fp32, bf16, int8 };

/// map: the weights of a converted model are read from the page cache where they lie; the file must then not be
/// truncated or rewritten in place while the model lives (replace it by renaming a new one over it).
/// copy: they are read into private memory once, and nothing that happens to the file matters afterwards. Loading takes
/// 20 ms for 66 MB instead of one; each answer then comes sooner, by up to a tenth, from huge pages.
enum class Memory { map, copy };

/// A text that is not valid UTF-8: refuse it with ErrorCode::invalid_utf8, or read each maximal ill-formed part as
/// U+FFFD (which BERT's normalizer then drops).
enum class InvalidUtf8 { refuse, replace };

struct LoadOptions {
  /// Precision of the weights; by default a converted model's own, fp32 for any other. A converted model can only be
  /// run in the precision it was converted to. Any other takes a moment longer to load in int8, in which it is run over
  /// a few texts (see SmoothedRounding).
  std::optional<Precision> precision;
  /// Bits that sums of int8 products need: 32, or 16, for which weights lose most of a bit, and CPUs without VNNI (the
  /// levels "avx2" and "avx512") run faster; README says by how much. By default a converted model's own, 32 for any
  /// other. A converted model can only be run with the sums it was converted for.
  std::optional<int> sum_bits;
  Memory memory = Memory::map;
  /// Threads that one call may use; 0: as many as CPUs that this process may really use.
  std::size_t threads = 0;
  /// Tokens of one text, special tokens included, above which it is truncated; 0: what the model can take.
  std::size_t max_length = 0;
  /// false: "[SEP]" in a text is the special token, as with Hugging Face. true: it is text like any other, and no text
  /// can smuggle in a special token.
  bool encode_special_tokens = false;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::refuse;
  /// Look at every weight while loading, for NaN and infinity and for int8 that the file misstates (reads the whole
  /// file); see PackedModel::check_finite().
  bool check_finite = false;
  /// Replay the probe that a converted model carries, and fail with ErrorCode::probe_mismatch if it answers otherwise.
  bool selfcheck = false;
  /// Called by the thread that made a call, again and again between its batches, once they take some tenths of a
  /// second: what it throws ends the call and reaches the caller. Calls of other threads may call it at the same time.
  std::function<void()> between_batches;
};

} // namespace distilbert

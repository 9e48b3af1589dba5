// Any bytes as config.json: an Error or a consistent configuration.

#include <distilbert/config.hpp>

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace distilbert;
  try {
    const auto config = DistilBertConfig::from_json({reinterpret_cast<const char*>(data), size});
    const auto within = [](std::size_t value, std::size_t most) { return value >= 1 && value <= most; };
    const bool bert = config.model_type == ModelFamily::bert;
    if (!within(config.vocab_size, ConfigLimits::rows) || !within(config.dim, ConfigLimits::dim) ||
        !within(config.max_position_embeddings, ConfigLimits::rows) || config.dim % config.n_heads != 0 ||
        !within(config.hidden_dim, ConfigLimits::hidden_dim) || !within(config.n_layers, ConfigLimits::layers) ||
        !within(config.num_labels(), ConfigLimits::labels) || (config.type_vocab_size != 0) != bert ||
        !(config.layer_norm_eps > 0) || config.pad_token_id < 0)
      std::abort();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::invalid_config && e.code() != ErrorCode::unsupported_architecture &&
        e.code() != ErrorCode::file_too_large)
      std::abort();
  }
  return 0;
}

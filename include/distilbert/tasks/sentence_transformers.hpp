#pragma once
// What a sentence-transformers directory says beyond the model: how tokens become one vector, and what becomes of it.

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../error.hpp"
#include "../quote.hpp"
#include "../text/json_fields.hpp"

namespace distilbert {

/// How the hidden states of a text become one vector: their mean, that of [CLS], or the largest value of each channel;
/// special tokens count.
enum class Pooling { mean, cls, max };

namespace detail {

struct SentenceTransformer {
  std::filesystem::path model; // the directory of config.json and the rest
  Pooling pooling = Pooling::mean;
  bool normalize = false;
  std::size_t max_length = 0; // tokens, special tokens included; 0: it says nothing
  bool lower_case = false;    // texts, before the tokenizer
};

/// Calls visit(class of the module without its package, name of its folder) for each module of modules.json, in order;
/// the name is empty for the directory itself. Does nothing if there is no such file.
/// Errors: invalid_config, also for a name that could lead out of the directory; those of visit.
template <class Visit> void for_each_module(const std::filesystem::path& directory, const Visit& visit) {
  constexpr ErrorCode code = ErrorCode::invalid_config;
  const std::filesystem::path path = directory / "modules.json";
  const auto file = open_if_present(path, std::size_t{1} << 20);
  if (!file)
    return;
  parse_json(path, file->text(), code, [&](simdjson::dom::element root) {
    simdjson::dom::array modules;
    if (root.get(modules) != simdjson::SUCCESS)
      throw Error(code, "an array of modules expected");
    for (const simdjson::dom::element element : modules) {
      const JsonFields module(element, "a module", code);
      const std::string type = module.require(module.string("type"), "type");
      const std::string folder = module.require(module.string("path"), "path");
      if (folder.find_first_of("/\\:") != std::string::npos || folder == "." || folder == "..")
        throw Error(code, "path " + quote(folder) + " is not the name of a folder");
      visit(std::string_view(type).substr(type.rfind('.') + 1), folder); // the package has changed over time
    }
  });
}

/// Reads modules.json and what it points to. A directory without it is the model alone, as sentence-transformers takes
/// it: its mean. Names in modules.json lead to folders of the directory and nowhere else.
/// Errors: invalid_config with file and key; unsupported_architecture for other modules and ways of pooling, and for a
/// default prompt.
class SentenceTransformerReader {
public:
  explicit SentenceTransformerReader(const std::filesystem::path& directory) : directory_(directory) {}

  SentenceTransformer read() {
    found_.model = directory_;
    for_each_module(directory_, [&](std::string_view module, const std::string& folder) {
      const std::filesystem::path path = folder.empty() ? directory_ : directory_ / folder;
      if (module == "Transformer")
        found_.model = path;
      else if (module == "Pooling")
        read_pooling(path / "config.json");
      else if (module == "Normalize")
        found_.normalize = true;
      else
        throw Error(ErrorCode::unsupported_architecture,
                    "the module " + quote(module) + "; Transformer, Pooling and Normalize are known");
    });
    if (is_present(directory_ / "modules.json")) // without it sentence-transformers does not look at the prompts
      check_default_prompt();
    read_json_if_present(
        found_.model / "sentence_bert_config.json", max_bytes,
        [&](const JsonFields& json) {
          found_.max_length = json.number("max_seq_length").value_or(0);
          found_.lower_case = json.boolean("do_lower_case").value_or(false);
        },
        code);
    return std::move(found_);
  }

private:
  static constexpr std::size_t max_bytes = std::size_t{1} << 20;
  static constexpr ErrorCode code = ErrorCode::invalid_config;

  void check_default_prompt() const {
    read_json_if_present(
        directory_ / "config_sentence_transformers.json", max_bytes,
        [](const JsonFields& json) {
          const auto name = json.string("default_prompt_name");
          if (!name)
            return;
          const auto prompts = json.fields("prompts");
          const auto prompt = prompts ? prompts->string(*name) : std::nullopt;
          const bool built_in = *name == "query" || *name == "document"; // empty unless the file says otherwise
          if (!prompt && !built_in)
            throw Error(code, "default_prompt_name " + quote(*name) + " is not in prompts");
          if (prompt && !prompt->empty())
            throw Error(ErrorCode::unsupported_architecture,
                        "default_prompt_name " + quote(*name) + " puts " + quote(*prompt) + " before each text");
        },
        code);
  }

  /// Either "pooling_mode": "mean", or one flag for each way.
  void read_pooling(const std::filesystem::path& path) {
    const MappedFile file = MappedFile::open(path, Memory::copy, max_bytes);
    read_json(
        path, file.text(),
        [&](const JsonFields& json) {
          std::string mode;
          for (const auto& [key, value] : json.object()) {
            const std::string_view prefix = "pooling_mode_", name = key;
            if (name.substr(0, prefix.size()) != prefix || !json.boolean(name).value_or(false))
              continue;
            mode += (mode.empty() ? "" : "+") + std::string(name.substr(prefix.size()));
          }
          mode = json.string("pooling_mode").value_or(mode);
          for (const auto& [name, pooling] :
               {std::pair("mean", Pooling::mean), std::pair("cls", Pooling::cls), std::pair("max", Pooling::max)})
            if (mode == name || mode == std::string(name) + (pooling == Pooling::cls ? "_token" : "_tokens")) {
              found_.pooling = pooling;
              return;
            }
          if (!mode.empty())
            throw Error(ErrorCode::unsupported_architecture,
                        "pooling by " + quote(mode) + "; mean, cls and max are known");
        },
        code);
  }

  std::filesystem::path directory_;
  SentenceTransformer found_;
};

} // namespace detail
} // namespace distilbert
